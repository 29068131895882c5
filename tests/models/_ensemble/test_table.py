from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._ensemble.table import (
    context_values,
    member_columns,
    member_probabilities,
    members_of,
    refuse_other_columns,
    refuse_other_than_probabilities,
    table_columns,
)

COLUMNS = table_columns(("a", "b"), ("atr_pct_14",))


def test_columns_are_named_by_member_and_class_and_context_follows():
    assert member_columns("lstm") == ("lstm.short", "lstm.neutral", "lstm.long")
    assert COLUMNS == ("a.short", "a.neutral", "a.long", "b.short", "b.neutral", "b.long", "atr_pct_14")
    assert members_of(COLUMNS) == ("a", "b")


def test_plain_columns_and_a_member_without_a_class_are_refused():
    with pytest.raises(UsageError, match=r"reads three probabilities of each member by name, got the columns \['f0'"):
        members_of(("f0", "f1", "f2"))
    with pytest.raises(UsageError) as caught:
        members_of(("a.short", "a.neutral"))
    assert caught.value.where == "a.long"


def test_probabilities_are_found_by_name_wherever_they_stand():
    X = np.array([[9.0, 0.5, 0.2, 0.3]])
    found = member_probabilities(X, ("context", "a.long", "a.short", "a.neutral"), ("a",))
    assert found.tolist() == [[[0.2, 0.3, 0.5]]]
    assert context_values(X, ("context", "a.long", "a.short", "a.neutral"), ("context",)).tolist() == [[9.0]]


def test_a_column_that_is_missing_or_not_read_is_named():
    with pytest.raises(DataError, match="lacks the context column 'rsi_14'"):
        context_values(np.zeros((1, 7)), COLUMNS, ("rsi_14",))
    with pytest.raises(DataError, match="model 'voting' would not read the column 'atr_pct_14'"):
        refuse_other_columns(COLUMNS, ("a", "b"), (), "voting")
    refuse_other_columns(COLUMNS, ("a", "b"), ("atr_pct_14",), "stacking")


@pytest.mark.parametrize("wrong", [(0.5, 0.5, 0.5), (1.2, -0.2, 0.0)])
def test_numbers_that_are_no_probabilities_are_refused_with_row_and_member(wrong):
    good = [0.2, 0.3, 0.5]
    refuse_other_than_probabilities(np.array([[good, good]]), ("a", "b"))
    with pytest.raises(DataError, match=r"'b', row 1: \["):
        refuse_other_than_probabilities(np.array([[good, good], [good, list(wrong)]]), ("a", "b"))
