"""Each bad input of `spec/platform.md` section 4 gives its exit code, its place and a way out."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.bars.load import BarFile, ReadOptions, bars_from_frame, read_bars
from ohlcv_factory.bars.sizes import bar_seconds, size_text
from ohlcv_factory.errors import AccessError, FactoryError, UsageError

HEADER = "timestamp,open,high,low,close,volume\n"
GOOD = HEADER + (
    "2024-01-02T00:00:00Z,1.0,1.5,0.5,1.25,10\n"
    "2024-01-02T00:05:00Z,1.25,2.0,1.0,1.75,20\n"
    "2024-01-02T00:10:00Z,1.75,2.5,1.5,2.0,30\n"
)
START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
FIVE_MINUTES_NS = 300_000_000_000
SHARED = Path("/work/shared/data")


def now() -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC)


def read(folder: Path, content: str | bytes, name: str = "BTC_5min.csv", **options: object) -> BarFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_bars(path, ReadOptions(**options), clock=now)


def rows(*lines: str) -> str:
    return HEADER + "".join(line + "\n" for line in lines)


def timed(*times: str) -> str:
    """Bars that differ only in their time and close."""
    return rows(*(f"{time},1,2,1,1.{place}5,5" for place, time in enumerate(times)))


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def typed(times: pl.Series) -> pl.DataFrame:
    prices = {"open": [1.0, 1.0], "high": [2.0, 2.0], "low": [1.0, 1.0], "close": [1.0, 2.0], "volume": [1, 2]}
    return pl.DataFrame({"timestamp": times, **prices})


def utc(*minutes: int) -> pl.Series:
    return pl.Series([START_NS + minute * 60_000_000_000 for minute in minutes]).cast(pl.Datetime("ns", "UTC"))


def test_a_plain_file_gives_its_values_and_an_account(tmp_path: Path) -> None:
    result = read(tmp_path, GOOD)
    assert result.bars.symbol == "BTC"
    assert result.bars.bar_seconds == 300
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS, START_NS + 2 * FIVE_MINUTES_NS]
    assert result.bars.close.tolist() == [1.25, 1.75, 2.0]
    assert result.bars.volume.tolist() == [10.0, 20.0, 30.0]
    account = json.loads(json.dumps(result.account.plain()))
    assert account["sha256"] == hashlib.sha256(GOOD.encode()).hexdigest()
    assert (account["rows"], account["first"], account["last"]) == (3, "2024-01-02T00:00:00Z", "2024-01-02T00:10:00Z")
    assert "bar size: 5min (most common step)" in account["assumed"]
    assert "zone: carried by the times" in account["assumed"]
    assert account["warnings"] == []


ACCEPTED = {
    "byte order mark": ("\ufeff" + GOOD, {}),
    "padded upper-case names": (GOOD.replace(HEADER, " Timestamp,OPEN , High,LOW,Close,<VOLUME>\n"), {}),
    "windows line ends": (GOOD.replace("\n", "\r\n"), {}),
    "blank lines": (GOOD.replace("2024-01-02T00:05", "\n2024-01-02T00:05") + "\n\n", {}),
    "no last line end": (GOOD.rstrip("\n"), {}),
    "semicolons and decimal commas": (GOOD.replace(",", ";").replace(".", ","), {"delimiter": ";", "decimal": ","}),
    "utf-16": (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
    "offsets": (GOOD.replace("T00:05:00Z", "T02:05:00+02:00").replace("T00:10:00Z", "T01:10:00+0100"), {}),
    "an agreeing zone": (GOOD, {"tz": "UTC"}),
    "blanks for T": (GOOD.replace("T", " ").replace("Z", ""), {"tz": "UTC"}),
    "fractions": (GOOD.replace("00Z", "00.000Z"), {}),
    "other zone": (GOOD.replace("02T00", "01T19").replace("Z", ""), {"tz": "America/New_York"}),
    "close stamps": (
        GOOD.replace(":10:", ":15:").replace(":05:", ":10:").replace("T00:00", "T00:05"),
        {"stamp": "close"},
    ),
    "unsorted": (HEADER + "".join(reversed(GOOD.splitlines(keepends=True)[1:])), {"sort": True}),
    "equal repeats": (GOOD + GOOD.splitlines()[-1], {"on_duplicate": "last"}),
    "names to map": (GOOD.replace("volume", "size"), {"columns": {"volume": "size"}}),
    "synonyms": (GOOD.replace("volume", "Vol").replace("close", "Last"), {}),
    "spaces in numbers": (GOOD.replace(",1.25", ", 1.25"), {}),
    "quotes": (GOOD.replace("1.25,10", '"1.25","10"'), {}),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_same_bars_come_from(case: str, tmp_path: Path) -> None:
    content, options = ACCEPTED[case]
    wanted = read(tmp_path, GOOD).bars
    bars = read(tmp_path, content, **options).bars
    assert bars.time_ns.tolist() == wanted.time_ns.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name).tolist() == getattr(wanted, name).tolist()


# name: (content, options, row of the place or None, part of what, part of help)
REFUSED: dict[str, tuple[str | bytes, dict[str, object], int | None, str, str]] = {
    "1 empty": (b"", {}, None, "BTC_5min.csv is empty (0 bytes)", "export"),
    "2 header only": (HEADER, {}, None, "has columns and 0 bars", "export"),
    "4 latin-1": (GOOD.encode() + b"\xe9", {}, 5, f"byte {len(GOOD)} (row 5) is not utf-8", "--encoding latin-1"),
    "4 utf-16": (GOOD.encode("utf-16"), {}, 1, "byte 0", "--encoding utf-16"),
    "5 semicolon": (GOOD.replace(",", ";"), {}, 1, "1 column", "--delimiter ';'"),
    "6 decimal comma": (GOOD.replace(",0.5,", ',"0,5",'), {}, 2, "low, row 2: '0,5' is not a number", "--decimal ','"),
    "7 thousands": (GOOD.replace(",2.0,1.0", ',"1,234.5",1.0'), {}, 3, "'1,234.5' is not a number", "--thousands ','"),
    "8 words": (GOOD.replace(",1.25,10", ",N/A,10"), {}, 2, "close, row 2: 'N/A' is not a number", "mend"),
    "9 NUL": (GOOD.replace("1.75,20", "1.\x0075,20"), {}, 3, "row 3 holds a NUL byte", "export"),
    "10 extra field": (GOOD.replace("1.75,20", "1.75,20,7"), {}, 3, "row 3 has 7 fields, the header has 6", "row"),
    "11 short row": (GOOD.replace("1.75,20", "1.75"), {}, 3, "row 3 has 5 of 6 fields", "row"),
    "11 cut file": (GOOD[:-14], {}, 4, "row 4 has 3 of 6 fields (file cut?)", "row"),
    "11 open quote": (GOOD.replace("1.75,20", '"1.75,20'), {}, 3, "row 3 has 5 of 6 fields", "row"),
    "12 missing": (
        GOOD.replace("volume", "volum3"),
        {},
        1,
        "missing: volume; found: timestamp, open",
        "--map volume=volum3",
    ),
    "12 no header": (GOOD.removeprefix(HEADER), {}, 1, "missing: timestamp, open", "add a header line"),
    "13/14 repeated": (GOOD.replace("low", "Close "), {}, 1, "column 'close' twice or more (columns 4, 5)", "rename"),
    "17 html": ("<html><body>404</body></html>", {}, None, "an HTML or XML page", "CSV"),
    "17 zip": (b"PK\x03\x04rest", {}, None, "a zip archive", "CSV"),
    "20 equal repeats": (GOOD + GOOD.splitlines()[-1], {}, 5, "the same values", "--on-duplicate last"),
    "21 other repeats": (
        GOOD + GOOD.splitlines()[-1][:-2] + "31",
        {"on_duplicate": "last"},
        5,
        "other values",
        "remove",
    ),
    "22 unsorted": (
        timed("2024-01-02T00:00Z", "2024-01-02T00:10Z", "2024-01-02T00:05Z"),
        {},
        4,
        "row 4 goes back 0:05:00",
        "--sort",
    ),
    "23 naive": (GOOD.replace("Z", ""), {}, 2, "no time zone: row 2: '2024-01-02T00:00:00'", "--tz UTC"),
    "24 mixed": (
        timed("2024-01-02T00:00:00Z", "2024-01-02T00:05:00"),
        {},
        3,
        "row 2 '2024-01-02T00:00:00Z' has a zone, row 3",
        "UTC",
    ),
    "25 doubled hour": (
        timed("2023-11-05T00:30:00", "2023-11-05T01:30:00"),
        {"tz": "America/New_York"},
        3,
        "comes twice",
        "--ambiguous",
    ),
    "25 skipped hour": (
        timed("2023-03-12T01:30:00", "2023-03-12T02:30:00"),
        {"tz": "America/New_York", "ambiguous": "earliest"},
        3,
        "does not exist",
        "--tz",
    ),
    "26 wrong unit": (timed("1704153600000", "1704153900000"), {"time_unit": "us"}, None, "lie in 1970", "--time-unit"),
    "26 overflow": (
        timed("1704153600000", "1704153900000"),
        {"time_unit": "s"},
        2,
        "beyond the year 2262",
        "--time-unit",
    ),
    "26 odd digits": (timed("20240102", "20240103"), {}, 2, "has none of 10, 13, 16 or 19 digits", "--date-format"),
    "27 day first?": (
        timed("01.02.2024", "02.02.2024"),
        {"tz": "UTC"},
        2,
        "day first or month first",
        "--date-format '%d.%m.%Y'",
    ),
    "27 unknown": (timed("2. Jan 24"), {"tz": "UTC"}, 2, "is not ISO 8601", "--date-format"),
    "28 future": (timed("2024-01-02T00:00Z", "2024-02-01T00:06Z"), {"bar_size": "1min"}, 3, "from the future", "--tz"),
    "28 year 3024": (timed("3024-01-02T00:00Z", "3024-01-02T00:05Z"), {}, 2, "beyond the year 2262", "mend"),
    "29 wrong size": (GOOD, {"bar_size": "1min"}, None, "steps do not fit bars of 1min: 5min 2 times", "--bar-size"),
    "29 mixed sizes": (
        timed("2024-01-02T00:00Z", "2024-01-02T00:05Z", "2024-01-02T00:10Z", "2024-01-02T00:11Z"),
        {},
        5,
        "5min 2 times, 1min 1 times",
        "--bar-size",
    ),
    "32 high below low": (GOOD.replace("2.0,1.0", "1.0,2.0"), {}, 3, "high is below low: row 3", "--map"),
    "32 close outside": (GOOD.replace("1.75,20", "2.75,20"), {}, 3, "close lies outside low to high: row 3", "--map"),
    "33 NaN": (GOOD.replace("1.75,20", "NaN,20"), {}, 3, "close is not finite: row 3", "mend"),
    "33 inf": (GOOD.replace("2.0,1.0", "inf,1.0"), {}, 3, "high is not finite: row 3", "mend"),
    "34 zero": (GOOD.replace(",0.5,", ",0,"), {}, 2, "low is not above 0: row 2", "positive"),
    "34 negative": (GOOD.replace(",0.5,", ",-1,"), {}, 2, "low is not above 0: row 2", "positive"),
    "35 negative volume": (GOOD.replace(",20\n", ",-20\n"), {}, 3, "volume is negative: row 3", "--map"),
    "36 constant": (
        rows("2024-01-02T00:00Z,1,1,1,1,5", "2024-01-02T00:05Z,1,1,1,1,5"),
        {},
        None,
        "close is 1 in all 2 bars",
        "--map",
    ),
    "38 two symbols": (
        "symbol," + HEADER + "A,2024-01-02T00:00Z,1,2,1,1,5\nB,2024-01-02T00:00Z,1,2,1,1,5\n",
        {},
        3,
        "symbol, row 3: 'B' is another symbol than 'A'",
        "--symbol",
    ),
    "two time columns": (
        GOOD.replace("volume", "unix"),
        {},
        None,
        "several columns may be the time",
        "--map timestamp=",
    ),
    "one bar": (timed("2024-01-02T00:00Z"), {}, None, "one time alone", "--bar-size"),
    "thousands that are none": (GOOD.replace(",0.5,", ',"0,5",'), {"thousands": ","}, 2, "low, row 2: '0,5'", "mend"),
    "point under decimal comma": (
        GOOD.replace(",", ";"),
        {"delimiter": ";", "decimal": ","},
        2,
        "open, row 2: '1.0'",
        "mend",
    ),
    "path as symbol": (GOOD, {"symbol": "../x"}, None, "cannot be used as a symbol", "--map"),
    "cut gzip": (gzip.compress(GOOD.encode())[:-9], {}, None, "not complete gzip", "copy"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_data_is_refused_with_its_place_and_a_way_out(case: str, tmp_path: Path) -> None:
    content, options, row, what, help = REFUSED[case]
    with pytest.raises(FactoryError) as caught:
        read(tmp_path, content, **options)
    error = caught.value
    assert error.exit_code == 65
    assert what in error.what
    assert help in error.help
    if row is not None:
        assert error.where == f"BTC_5min.csv:{row}"


INAPPLICABLE: dict[str, tuple[str, dict[str, object], str]] = {
    "zone that disagrees": (GOOD, {"tz": "America/New_York"}, "disagrees with row 2"),
    "zone of epoch times": (timed("1704153600"), {"tz": "Europe/Berlin"}, "epoch times are UTC"),
    "unknown zone": (GOOD.replace("Z", ""), {"tz": "America/New_Yrok"}, "Did you mean 'America/New_York'?"),
    "unit of dates": (GOOD, {"time_unit": "ms"}, "time_unit='ms' cannot apply"),
    "doubled hours of aware times": (GOOD, {"ambiguous": "latest"}, "ambiguous='latest' cannot apply"),
    "volume none beside a volume": (GOOD, {"columns": {"volume": "none"}}, "volume=none cannot apply"),
    "mapped name that is absent": (GOOD, {"columns": {"volume": "vool"}}, "Did you mean 'volume'?"),
    "mapping of nothing": (GOOD, {"columns": {"vwap": "close"}}, "Unknown column to map 'vwap'"),
    "unknown encoding": (GOOD, {"encoding": "utf-9"}, "encoding 'utf-9' is not known"),
    "two characters": (GOOD, {"delimiter": "::"}, "delimiter must be one character"),
    "same marks": (GOOD, {"thousands": "."}, "decimal and thousands are both '.'"),
    "bar size": (GOOD, {"bar_size": "5m"}, "got '5m'"),
}


@pytest.mark.parametrize("case", INAPPLICABLE)
def test_an_option_that_cannot_act_is_a_usage_error(case: str, tmp_path: Path) -> None:
    content, options, what = INAPPLICABLE[case]
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content, **options)
    assert caught.value.exit_code == 2
    assert what in caught.value.what
    assert caught.value.help


def test_the_first_three_bad_values_are_listed(tmp_path: Path) -> None:
    lines = [
        f"2024-01-02T00:0{minute}Z,1,2,1,{close},5" for minute, close in enumerate(["1", "-", "N/A", "#REF!", "?"])
    ]
    with pytest.raises(FactoryError) as caught:
        read(tmp_path, rows(*lines))
    assert caught.value.what == "close, row 3: '-' is not a number; likewise row 4: 'N/A', row 5: '#REF!' (4 in all)."


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    read(tmp_path, GOOD, "BTC_5min.csv")
    with pytest.raises(FactoryError) as caught:
        read_bars(tmp_path / "BTC_5mn.csv")
    assert caught.value.exit_code == 66
    assert caught.value.help == f"did you mean {tmp_path / 'BTC_5min.csv'}?"


def test_a_directory_names_a_file_in_it(tmp_path: Path) -> None:
    read(tmp_path, GOOD, "BTC_5min.csv")
    with pytest.raises(FactoryError, match="is a directory") as caught:
        read_bars(tmp_path)
    assert caught.value.exit_code == 66
    assert caught.value.help == "name one of its files: BTC_5min.csv"


def test_a_closed_file_shows_owner_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text(GOOD)
    path.chmod(0o640)

    def closed(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(AccessError, match=rf"owner {path.stat().st_uid}, mode -rw-r-----") as caught:
        read_bars(path)
    assert caught.value.exit_code == 77


def test_gzip_and_parquet_give_the_bars_of_the_text_file(tmp_path: Path) -> None:
    plain = read(tmp_path, GOOD).bars
    packed = read(tmp_path, gzip.compress(GOOD.encode()), "BTC_5min.csv.gz").bars
    stored = read(tmp_path, parquet(plain.frame()), "BTC.parquet").bars
    for bars in (packed, stored):
        assert bars.symbol == "BTC"
        assert bars.time_ns.tolist() == plain.time_ns.tolist()
        assert bars.high.tolist() == plain.high.tolist()


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.parquet", GOOD.encode(), "a.parquet holds delimited text"),
        ("a.csv", parquet(typed(utc(0, 5))), "a.csv holds a Parquet file"),
        ("a.parquet", parquet(typed(utc(0, 5)))[:-7], "not a complete Parquet file (footer missing)"),
        ("a.parquet", b"PAR1" + bytes(40) + b"PAR1", "a damaged Parquet file"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(name: str, content: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(FactoryError) as caught:
        read(tmp_path, content, name)
    assert caught.value.exit_code == 65
    assert what in caught.value.what
    assert caught.value.help


def test_a_file_with_another_digest_than_recorded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text(GOOD)
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    assert len(read_bars(path, clock=now, sha256=digest).bars) == 3
    path.write_text(GOOD.replace("1.75", "1.76"))
    with pytest.raises(FactoryError, match="recorded was") as caught:
        read_bars(path, clock=now, sha256=digest)
    assert caught.value.exit_code == 65


@pytest.mark.parametrize(
    "option", [{"delimiter": ";"}, {"date_format": "%Y"}, {"encoding": "latin-1"}, {"decimal": ","}]
)
def test_text_options_are_refused_for_parquet(option: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot apply"):
        read(tmp_path, parquet(typed(utc(0, 5))), "a.parquet", **option)


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        (["1704153600", "1704153900"], "s"),
        (["1704153600000", "1704153900000"], "ms"),
        (["1704153600000000", "1704153900000000"], "us"),
        (["1704153600000000000", "1704153900000000000"], "ns"),
        (["1704153600000", "1704153900000000"], "ms and us"),
    ],
)
def test_epoch_units_are_told_by_their_digits(times: list[str], unit: str, tmp_path: Path) -> None:
    result = read(tmp_path, timed(*times))
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS]
    assert f"times: epoch in {unit} (by their digits)" in result.account.assumed


def test_a_declared_unit_overrules_the_digits(tmp_path: Path) -> None:
    bars = read(tmp_path, timed("900000000000", "900000300000"), time_unit="ms").bars
    assert bars.time_ns.tolist() == [900_000_000_000_000_000, 900_000_300_000_000_000]


@pytest.mark.parametrize("date_format", [None, "%d.%m.%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S%.f"])
def test_day_first_dates_are_read_when_declared_or_proven(date_format: str | None, tmp_path: Path) -> None:
    content = timed("31.12.2023 22:00:00.000", "01.01.2024 22:00:00.000")
    bars = read(tmp_path, content, tz="UTC", date_format=date_format).bars
    assert bars.time_ns.tolist() == [START_NS - 26 * 12 * FIVE_MINUTES_NS, START_NS - 2 * 12 * FIVE_MINUTES_NS]


def test_date_and_time_columns_are_joined(tmp_path: Path) -> None:
    content = "Date,Time,Open,High,Low,Last,Volume\n2024.01.02,00:00,1,2,1,1,5\n2024.01.02,00:05,1,2,1,2,5\n"
    result = read(tmp_path, content, tz="UTC")
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS]
    assert "columns: 'Date', 'Time', 'Open', 'High', 'Low', 'Last', 'Volume'" in result.account.assumed


@pytest.mark.parametrize(("ambiguous", "hour"), [("earliest", 5), ("latest", 6)])
def test_a_doubled_hour_is_read_as_declared(ambiguous: str, hour: int, tmp_path: Path) -> None:
    content = timed("2023-11-05T00:30", "2023-11-05T01:30")
    bars = read(tmp_path, content, tz="America/New_York", ambiguous=ambiguous).bars
    assert bars.close_time_ns[-1] - bars.bar_seconds * 10**9 == pd.Timestamp(f"2023-11-05T0{hour}:30Z").value


def test_unknown_columns_are_dropped_and_listed(tmp_path: Path) -> None:
    content = GOOD.replace("volume", "volume,RSI").replace("0\n", "0,55\n")
    assert read(tmp_path, content).account.assumed[-1].endswith("; dropped: 'RSI'")


def test_volume_may_be_declared_none_where_there_is_no_column(tmp_path: Path) -> None:
    content = "\n".join(line.rpartition(",")[0] for line in GOOD.splitlines())
    result = read(tmp_path, content, columns={"volume": "none"})
    assert result.bars.volume.tolist() == [0.0, 0.0, 0.0]
    assert result.account.warnings == ("volume is 0 in every bar: volume features are left out",)
    with pytest.raises(FactoryError, match="missing: volume"):
        read(tmp_path, content)


def test_one_symbol_of_several_is_read_when_named(tmp_path: Path) -> None:
    lines = [f"{name},2024-01-02T00:0{minute}Z,1,2,1,1.{minute},5" for minute in range(2) for name in "AB"]
    content = "symbol," + HEADER + "\n".join(lines)
    result = read(tmp_path, content, symbol="B")
    assert (result.bars.symbol, len(result.bars), result.account.rows) == ("B", 2, 4)
    with pytest.raises(UsageError, match="Unknown symbol 'C'"):
        read(tmp_path, content, symbol="C")


def test_a_symbol_column_can_be_overruled(tmp_path: Path) -> None:
    content = "symbol," + HEADER + "".join("EUR/USD," + line for line in GOOD.splitlines(keepends=True)[1:])
    assert read(tmp_path, content, columns={"symbol": "none"}, symbol="EURUSD").bars.symbol == "EURUSD"
    with pytest.raises(FactoryError, match="'EUR/USD' cannot be used as a symbol"):
        read(tmp_path, content)


def test_a_polars_frame_gives_the_bars_of_its_file(tmp_path: Path) -> None:
    bars = read(tmp_path, GOOD).bars
    result = bars_from_frame(bars.frame(), ReadOptions(symbol="BTC"), clock=now)
    assert result.bars.time_ns.tolist() == bars.time_ns.tolist()
    assert result.bars.close.tolist() == bars.close.tolist()
    assert len(result.account.sha256) == 64


@pytest.mark.parametrize("where", ["index", "column", "text"])
def test_a_pandas_frame_gives_the_bars_of_its_file(where: str, tmp_path: Path) -> None:
    bars = read(tmp_path, GOOD).bars
    frame = pd.read_csv(io.StringIO(GOOD))
    if where != "text":
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    if where == "index":
        frame = frame.set_index("timestamp").tz_convert("America/New_York")
    result = bars_from_frame(frame, ReadOptions(symbol="BTC"), clock=now).bars
    assert result.time_ns.tolist() == bars.time_ns.tolist()
    assert result.volume.tolist() == [10.0, 20.0, 30.0]
    assert result.close.flags.writeable


def test_a_naive_pandas_index_needs_a_zone() -> None:
    frame = pd.read_csv(io.StringIO(GOOD.replace("Z", "")), index_col="timestamp", parse_dates=True)
    with pytest.raises(FactoryError, match="carries no time zone: row 1") as caught:
        bars_from_frame(frame, clock=now)
    assert caught.value.where == "frame:1"
    assert bars_from_frame(frame, ReadOptions(tz="UTC"), clock=now).bars.time_ns[0] == START_NS


def test_a_missing_value_in_a_frame_is_placed() -> None:
    frame = pd.read_csv(io.StringIO(GOOD))
    frame.loc[1, "close"] = np.nan
    with pytest.raises(FactoryError, match="close is not finite: row 2") as caught:
        bars_from_frame(frame, clock=now)
    assert caught.value.where == "frame:2"


def test_text_options_are_refused_for_frames() -> None:
    with pytest.raises(UsageError, match="frame is no text file"):
        bars_from_frame(typed(utc(0, 5)), ReadOptions(thousands=","), clock=now)


def test_columns_without_rows_are_no_bars() -> None:
    with pytest.raises(FactoryError, match="frame has columns and 0 bars"):
        bars_from_frame(typed(utc(0, 5)).head(0), clock=now)


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, len(GOOD)),
    removed=st.integers(0, 40),
    inserted=st.sampled_from(
        [b"", b"\0", b"\xff", b'"', b",", b";", b"\n", b"\r", b"-", b"1e400", b"9" * 22, b"Z", b"nan", b" "]
    ),
)
def test_a_damaged_file_is_read_or_refused_with_place_and_help(start: int, removed: int, inserted: bytes) -> None:
    content = GOOD.encode()
    with tempfile.TemporaryDirectory() as folder:
        try:
            bars = read(Path(folder), content[:start] + inserted + content[start + removed :]).bars
        except FactoryError as error:
            assert error.exit_code == 65
            assert error.where.startswith(("BTC_5min.csv", folder))
            assert error.help
        else:
            assert (bars.high >= bars.low).all()
            assert (np.diff(bars.time_ns) > 0).all()


def test_anything_but_a_frame_is_refused() -> None:
    with pytest.raises(UsageError, match="got dict"):
        bars_from_frame({"close": [1.0]})


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("5min", 300), ("90min", 5400), ("1h", 3600), ("1d", 86_400)])
def test_bar_sizes_are_read_and_printed(text: str, seconds: int) -> None:
    assert bar_seconds(text) == seconds
    assert size_text(seconds) == text


def test_bar_sizes_are_printed_in_their_largest_whole_unit() -> None:
    assert [size_text(bar_seconds(text)) for text in ("60min", "24h", " 60S ", "48H")] == ["1h", "1d", "1min", "2d"]


@pytest.mark.parametrize("text", ["", "5", "min", "0min", "-5min", "1.5h", "5m", "1M", "5 min", "1w", "٣min"])
def test_bar_size_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a bar size is a whole number"):
        bar_seconds(text)


@pytest.mark.parametrize("name", ["demo/6E_1min_2024-01", "open/XAUUSD_60min_2006-03_2013-11", "demo/SPY_1min_2011-03"])
def test_real_files_are_read_whole(name: str) -> None:
    path = SHARED / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the development data are not here")
    result = read_bars(path)
    assert len(result.bars) == result.account.rows == pl.scan_parquet(path).select(pl.len()).collect().item()
    assert result.bars.bar_seconds == (3600 if "60min" in name else 60)
