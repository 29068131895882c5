"""Columns are found by name, synonym or declaration; what is missing or in doubt is said with what is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import DataError, FactoryError, UsageError

HEADER = "timestamp,open,high,low,close,volume"


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (" Timestamp,OPEN , High,LOW,Close,<VOLUME>", {}),
        ("open_time,Open,High,Low,Last,Vol", {}),
        ("ts_event,open,high,low,close,tickvol", {}),
        ("timestamp,open,high,low,close,size", {"columns": {"volume": "size"}}),
        ("when,open,high,low,close,volume", {"columns": {"timestamp": "WHEN"}}),
        ("when,a,b,c,d,e", {"columns": dict(zip(HEADER.split(","), ("when", *"abcde"), strict=True))}),
    ],
)
def test_columns_are_found_under(
    header: str, options: dict[str, object], good: str, read: Callable[..., BarFile]
) -> None:
    bars = read(good.replace(HEADER, header), **options).bars
    assert bars.close.tolist() == [1.25, 1.75, 2.0]
    assert bars.volume.tolist() == [10.0, 20.0, 30.0]


def test_a_missing_column_is_named_with_those_found_and_the_nearest(
    good: str, refusal: Callable[..., FactoryError]
) -> None:
    error = refusal(good.replace("volume", "volum3"))
    assert error.what == "missing: volume; found: timestamp, open, high, low, close, volum3."
    assert error.where == "BTC_5min.csv:1"
    assert error.help == (
        "did you mean 'volum3'? --map volume=volum3, or --map volume=none where the market reports none"
    )


def test_a_file_without_header_is_told_to_add_one(good: str, refusal: Callable[..., FactoryError]) -> None:
    error = refusal(good.removeprefix(HEADER + "\n"))
    assert "missing: timestamp, open" in error.what
    assert error.help == "row 1 holds numbers: add a header line"


@pytest.mark.parametrize(
    ("old", "new", "what", "help"),
    [
        ("volume", "unix", "several columns may be the time: timestamp, unix", "--map timestamp='timestamp'"),
        ("open,high", "vol,tickvol", "several columns may be volume", "--map volume=vol"),
    ],
)
def test_columns_in_doubt_are_left_to_the_caller(
    old: str, new: str, what: str, help: str, good: str, refusal: Callable[..., FactoryError]
) -> None:
    error = refusal(good.replace(old, new).replace("close,volume", "close,x"))
    assert what in error.what
    assert help in error.help


@pytest.mark.parametrize(
    ("declared", "what"),
    [
        ({"volume": "none"}, "volume=none cannot apply: column 'volume' is there"),
        ({"volume": "vool"}, "Unknown column 'vool'. Did you mean 'volume'?"),
        ({"vwap": "close"}, "Unknown column to map 'vwap'"),
        ({"close": "none"}, "close cannot be none"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_a_usage_error(
    declared: dict[str, str], what: str, good: str, read: Callable[..., BarFile]
) -> None:
    with pytest.raises(UsageError) as caught:
        read(good, columns=declared)
    assert caught.value.exit_code == 2
    assert what in caught.value.what


def test_unknown_columns_are_dropped_and_listed(good: str, read: Callable[..., BarFile]) -> None:
    content = good.replace("volume", "volume,RSI").replace("0\n", "0,55\n")
    assert read(content).account.assumed[-1].endswith("; dropped: 'RSI'")


def test_volume_may_be_declared_none_where_there_is_no_column(
    good: str, read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    content = "\n".join(line.rpartition(",")[0] for line in good.splitlines())
    result = read(content, columns={"volume": "none"})
    assert result.bars.volume.tolist() == [0.0, 0.0, 0.0]
    assert result.account.warnings == ("volume is 0 in every bar: volume features are left out",)
    assert "missing: volume" in refusal(content).what


def two_symbols() -> str:
    rows = [f"{name},2024-01-02T00:0{minute}Z,1,2,1,1.{minute},5" for minute in range(2) for name in "AB"]
    return "\n".join([f"symbol,{HEADER}", *rows])


def test_one_symbol_of_several_is_read_when_named(read: Callable[..., BarFile]) -> None:
    result = read(two_symbols(), symbol="B")
    assert (result.bars.symbol, len(result.bars), result.account.rows) == ("B", 2, 4)
    assert "symbol: 2 of 4 rows, by column 'symbol'" in result.account.assumed
    with pytest.raises(UsageError, match="Unknown symbol 'C'"):
        read(two_symbols(), symbol="C")


def test_several_symbols_are_never_mixed(refusal: Callable[..., FactoryError]) -> None:
    error = refusal(two_symbols())
    assert "symbol, row 3: 'B' is another symbol than 'A'" in error.what
    assert "--symbol" in error.help


def test_a_symbol_column_can_be_overruled(good: str, read: Callable[..., BarFile]) -> None:
    content = f"symbol,{HEADER}\n" + "".join("EUR/USD," + line for line in good.splitlines(keepends=True)[1:])
    assert read(content, columns={"symbol": "none"}, symbol="EURUSD").bars.symbol == "EURUSD"
    with pytest.raises(DataError, match="'EUR/USD' cannot be used as a symbol"):
        read(content)


@pytest.mark.parametrize(("name", "symbol"), [("EURUSD_1min_2024.csv", "EURUSD"), ("_x.csv", "_x"), ("6E.csv", "6E")])
def test_without_a_column_the_file_names_the_symbol(
    name: str, symbol: str, good: str, read: Callable[..., BarFile]
) -> None:
    assert read(good, name).bars.symbol == symbol


@pytest.mark.parametrize("symbol", ["../x", "a/b", ".hidden", " x", "a\\b"])
def test_a_symbol_must_be_able_to_name_a_file(symbol: str, good: str, refusal: Callable[..., FactoryError]) -> None:
    assert "cannot be used as a symbol" in refusal(good, symbol=symbol).what
