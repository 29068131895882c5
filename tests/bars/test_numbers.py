"""Numbers are read in the declared notation only: a decimal comma is never guessed."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from ohlcv_factory.bars.load import BarFile, bars_from_frame
from ohlcv_factory.errors import DataError, FactoryError


def test_semicolons_and_decimal_commas_are_read_when_declared(good: str, read: Callable[..., BarFile]) -> None:
    bars = read(good.replace(",", ";").replace(".", ","), delimiter=";", decimal=",").bars
    assert bars.close.tolist() == [1.25, 1.75, 2.0]


def test_blanks_around_numbers_are_nothing(good: str, read: Callable[..., BarFile]) -> None:
    assert read(good.replace(",1.25", ", 1.25 ")).bars.close.tolist() == [1.25, 1.75, 2.0]


def test_thousands_are_read_when_declared(good: str, read: Callable[..., BarFile]) -> None:
    bars = read(good.replace(",30\n", ',"1,234,567.5"\n'), thousands=",").bars
    assert bars.volume.tolist() == [10.0, 20.0, 1_234_567.5]


@pytest.mark.parametrize(
    ("old", "new", "options", "row", "what", "help"),
    [
        (",0.5,", ',"0,5",', {}, 2, "low, row 2: '0,5' is not a number", "--decimal ','"),
        (",2.0,1.0", ',"1,234.5",1.0', {}, 3, "high, row 3: '1,234.5' is not a number", "--thousands ','"),
        (",2.0,1.0", ',"1,234",1.0', {}, 3, "'1,234' is not a number", "--thousands ',' or --decimal ','"),
        (",1.25,10", ",N/A,10", {}, 2, "close, row 2: 'N/A' is not a number", "mend"),
        (",1.25,10", ",,10", {}, 2, "close, row 2: None is not a number", "mend"),
        (",0.5,", ',"0,5",', {"thousands": ","}, 2, "low, row 2: '0,5' is not a number", "mend"),
        (",", ";", {"delimiter": ";", "decimal": ","}, 2, "open, row 2: '1.0' is not a number", "mend"),
    ],
)
def test_what_is_no_number_is_refused_with_its_place_and_a_way_out(
    old: str,
    new: str,
    options: dict[str, object],
    row: int,
    what: str,
    help: str,
    good: str,
    refusal: Callable[..., FactoryError],
) -> None:
    error = refusal(good.replace(old, new), **options)
    assert what in error.what
    assert help in error.help
    assert error.where == f"BTC_5min.csv:{row}"


def test_a_column_of_something_else_is_refused(typed: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="close holds Boolean, not numbers"):
        bars_from_frame(typed.with_columns(close=pl.lit(True)))
