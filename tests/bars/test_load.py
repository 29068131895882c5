"""The door: checked bars with an account of what was assumed, or an error with its exit code, place and a way out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.bars.load import BarFile, read_bars
from ohlcv_factory.errors import DataError, FactoryError, UsageError

START_NS = 1_704_153_600_000_000_000  # 2024-01-02 00:00 UTC
FIVE_MINUTES_NS = 300_000_000_000
SHARED = Path("/work/shared/data")
Change = Callable[[str], str]


def test_a_plain_file_gives_its_values_and_an_account(good: str, read: Callable[..., BarFile]) -> None:
    result = read(good)
    assert result.bars.symbol == "BTC"
    assert result.bars.bar_seconds == 300
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS, START_NS + 2 * FIVE_MINUTES_NS]
    assert result.bars.close.tolist() == [1.25, 1.75, 2.0]
    assert result.bars.volume.tolist() == [10.0, 20.0, 30.0]
    assert json.loads(json.dumps(result.account.plain())) == {
        "source": "BTC_5min.csv",
        "sha256": hashlib.sha256(good.encode()).hexdigest(),
        "rows": 3,
        "first": "2024-01-02T00:00:00Z",
        "last": "2024-01-02T00:10:00Z",
        "assumed": [
            "dialect: none, columns by their names",
            "symbol: BTC (from the name BTC_5min.csv)",
            "times: ISO 8601",
            "zone: carried by the times",
            "stamp: open of the bar",
            "bar size: 5min (most common step)",
            "order: ascending, as it came",
            "columns: 'timestamp', 'open', 'high', 'low', 'close', 'volume'",
        ],
        "warnings": [],
        "files": [
            {
                "source": "BTC_5min.csv",
                "sha256": hashlib.sha256(good.encode()).hexdigest(),
                "rows": 3,
                "dialect": None,
            }
        ],
        "cleaned": {},
    }


SAME: dict[str, tuple[Change, dict[str, object], str]] = {
    "close stamps": (
        lambda good: good.replace(":10:", ":15:").replace(":05:", ":10:").replace("T00:00", "T00:05"),
        {"stamp": "close"},
        "stamp: close of the bar, shifted to the open",
    ),
    "rows out of order": (
        lambda good: "".join([good.splitlines(keepends=True)[0], *reversed(good.splitlines(keepends=True)[1:])]),
        {"sort": True},
        "order: newest first, sorted by time",
    ),
    "equal repeats": (
        lambda good: good + good.splitlines()[-1],
        {"on_duplicate": "last"},
        "order: ascending, as it came",
    ),
    "a declared size": (lambda good: good, {"bar_size": "5min"}, "bar size: 5min (declared)"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_bars_come_from(case: str, good: str, read: Callable[..., BarFile]) -> None:
    change, options, note = SAME[case]
    result = read(change(good), **options)
    assert result.bars.time_ns.tolist() == [START_NS, START_NS + FIVE_MINUTES_NS, START_NS + 2 * FIVE_MINUTES_NS]
    assert result.bars.close.tolist() == [1.25, 1.75, 2.0]
    assert note in result.account.assumed


REFUSED_VALUES = [
    ("2.0,1.0", "1.0,2.0", 3, "high is below low: row 3", "--map"),
    ("1.75,20", "2.75,20", 3, "close lies outside low to high: row 3", "--map"),
    ("1.75,20", "NaN,20", 3, "close is not finite: row 3", "mend"),
    ("2.0,1.0", "inf,1.0", 3, "high is not finite: row 3", "mend"),
    (",0.5,", ",0,", 2, "low is not above 0: row 2", "positive"),
    (",0.5,", ",-1,", 2, "low is not above 0: row 2", "positive"),
    (",20\n", ",-20\n", 3, "volume is negative: row 3", "--clean drop_negative_volume"),
]


@pytest.mark.parametrize(("old", "new", "row", "what", "help"), REFUSED_VALUES)
def test_values_that_no_market_has_are_refused_with_their_line(
    old: str, new: str, row: int, what: str, help: str, good: str, refusal: Callable[..., FactoryError]
) -> None:
    error = refusal(good.replace(old, new))
    assert what in error.what
    assert help in error.help
    assert error.where == f"BTC_5min.csv:{row}"


REFUSED_TIMES: dict[str, tuple[list[str], dict[str, object], int | None, str, str]] = {
    "no rows": ([], {}, None, "BTC_5min.csv has columns and 0 bars", "export"),
    "one bar": (["2024-01-02T00:00Z"], {}, None, "one time alone", "--source-size"),
    "unsorted": (
        ["2024-01-02T00:00Z", "2024-01-02T00:10Z", "2024-01-02T00:05Z"],
        {},
        4,
        "row 4 goes back 0:05:00",
        "--sort",
    ),
    "repeated with other values": (
        ["2024-01-02T00:00Z", "2024-01-02T00:05Z", "2024-01-02T00:05Z"],
        {"on_duplicate": "last"},
        4,
        "other values",
        "remove",
    ),
    "wrong unit": (["1704153600000", "1704153900000"], {"time_unit": "us"}, None, "lie in 1970", "--time-unit"),
    "future": (["2024-01-02T00:00Z", "2024-02-01T00:06Z"], {"bar_size": "1min"}, 3, "from the future", "--tz"),
    "wrong size": (
        ["2024-01-02T00:00Z", "2024-01-02T00:05Z", "2024-01-02T00:10Z"],
        {"bar_size": "1min"},
        None,
        "steps do not fit bars of 1min: 5min 2 times",
        "--source-size",
    ),
    "mixed sizes": (
        ["2024-01-02T00:00Z", "2024-01-02T00:05Z", "2024-01-02T00:10Z", "2024-01-02T00:11Z"],
        {},
        5,
        "5min 2 times, 1min 1 times",
        "--source-size",
    ),
}


@pytest.mark.parametrize("case", REFUSED_TIMES)
def test_times_that_no_series_has_are_refused_with_their_line(
    case: str, timed: Callable[..., str], refusal: Callable[..., FactoryError]
) -> None:
    times, options, row, what, help = REFUSED_TIMES[case]
    error = refusal(timed(*times), **options)
    assert what in error.what
    assert help in error.help
    if row is not None:
        assert error.where == f"BTC_5min.csv:{row}"


def test_equal_repeats_are_refused_unless_declared(good: str, refusal: Callable[..., FactoryError]) -> None:
    error = refusal(good + good.splitlines()[-1])
    assert "the same values" in error.what
    assert "--on-duplicate last" in error.help
    assert error.where == "BTC_5min.csv:5"


def test_a_price_that_never_moves_is_refused(refusal: Callable[..., FactoryError]) -> None:
    rows = "2024-01-02T00:00Z,1,1,1,1,5\n2024-01-02T00:05Z,1,1,1,1,5\n"
    error = refusal("timestamp,open,high,low,close,volume\n" + rows)
    assert "close is 1 in all 2 bars" in error.what
    assert "--map" in error.help


def test_a_bar_size_that_may_mean_two_things_is_a_usage_error(good: str, read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match="got '5m'"):
        read(good, bar_size="5m")


def test_a_file_with_another_digest_than_recorded_is_refused(
    good: str, now: Callable[[], datetime], tmp_path: Path
) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text(good)
    digest = hashlib.sha256(good.encode()).hexdigest()
    assert len(read_bars(path, clock=now, sha256=digest).bars) == 3
    path.write_text(good.replace("1.75", "1.76"))
    with pytest.raises(DataError, match="recorded was") as caught:
        read_bars(path, clock=now, sha256=digest)
    assert caught.value.where == str(path)


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, 160),
    removed=st.integers(0, 40),
    inserted=st.sampled_from(
        [b"", b"\0", b"\xff", b'"', b",", b";", b"\n", b"\r", b"-", b"1e400", b"9" * 22, b"Z", b"nan", b" "]
    ),
)
def test_a_damaged_file_is_read_or_refused_with_place_and_help(
    start: int, removed: int, inserted: bytes, good: str, now: Callable[[], datetime]
) -> None:
    content = good.encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTC_5min.csv"
        path.write_bytes(content[:start] + inserted + content[start + removed :])
        try:
            bars = read_bars(path, clock=now).bars
        except DataError as error:
            assert error.where.startswith(("BTC_5min.csv", folder))
            assert error.help
        else:
            assert (bars.high >= bars.low).all()
            assert (np.diff(bars.time_ns) > 0).all()


@pytest.mark.parametrize("name", ["demo/6E_1min_2024-01", "open/XAUUSD_60min_2006-03_2013-11", "demo/SPY_1min_2011-03"])
def test_real_files_are_read_whole(name: str) -> None:
    path = SHARED / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the development data are not here")
    result = read_bars(path)
    assert len(result.bars) == result.account.rows == pl.scan_parquet(path).select(pl.len()).collect().item()
    assert result.bars.bar_seconds == (3600 if "60min" in name else 60)
