"""A bad value is named with its column, the row of its source and its text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.bars.table import Table, folded_name, refuse_repeated_names
from ohlcv_factory.errors import DataError

CLOSES = pl.Series("close", ["1", "-", "N/A", "#REF!", "?"])
TABLE = Table(pl.DataFrame([CLOSES]), np.array([2, 3, 5, 8, 9]), "a.csv", digest=None, is_text=True)


def test_the_first_three_bad_values_are_listed_and_all_counted() -> None:
    with pytest.raises(DataError) as caught:
        TABLE.refuse(CLOSES != "1", CLOSES, "is not a number", "mend them")
    assert caught.value.what == "close, row 3: '-' is not a number; likewise row 5: 'N/A', row 8: '#REF!' (4 in all)."
    assert (caught.value.where, caught.value.help) == ("a.csv:3", "mend them")


def test_one_bad_value_stands_alone() -> None:
    with pytest.raises(DataError) as caught:
        TABLE.refuse(CLOSES == "?", CLOSES, "is not a number", "mend it")
    assert caught.value.what == "close, row 9: '?' is not a number."


def test_good_values_pass() -> None:
    TABLE.refuse(CLOSES == "x", CLOSES, "is not a number", "mend it")


def test_a_whole_column_is_refused_by_its_first_value() -> None:
    with pytest.raises(DataError) as caught:
        TABLE.refuse_all(CLOSES, "carries no time zone", "--tz UTC")
    assert caught.value.what == "close carries no time zone: row 2: '1'."
    assert caught.value.where == "a.csv:2"


@pytest.mark.parametrize("name", ["close", " Close ", "CLOSE", "<CLOSE>", "Cl ose"])
def test_case_blanks_and_brackets_make_no_other_name(name: str) -> None:
    assert folded_name(name) == "close"
    with pytest.raises(DataError, match=r"column 'close' twice or more \(columns 1, 3\)"):
        refuse_repeated_names(["close", "open", name], "a.csv:1", {"close", "open"}.__contains__)


def test_names_that_differ_pass() -> None:
    refuse_repeated_names(["close", "close2", "open"], "a.csv:1", {"close", "open"}.__contains__)
