from __future__ import annotations

import pytest

from ohlcv_factory.audit.bar_audit import audit_bars, audited_features
from ohlcv_factory.audit.violation import largest_of_each, overall
from ohlcv_factory.bars.instruments import instrument_table
from ohlcv_factory.errors import DataError, UnknownNameError


@pytest.fixture(scope="module")
def mes():
    return instrument_table()["MES"]


def test_nothing_is_found_in_the_whole_catalogue(bars, mes):
    audit = audit_bars(bars, mes, audited_features())
    assert [violation.sentence for violation in audit.violations] == []
    assert set(audit.counts) == {
        "computes", "truncation", "corrupted future", "other symbol", "declared look-back", "finite",
        "stream against batch", "label reach", "fitted state",
    }  # fmt: skip
    assert len(audit.columns) > 120
    assert all(reason.startswith("the audit needs") for reason in audit.left_out.values())


def test_columns_and_tests_that_the_bars_cannot_bear_are_left_out_with_the_reason(bars, mes):
    audit = audit_bars(bars.head(700), mes, audited_features(["return_1", "rsi_14_1h"]))
    assert audit.columns == ("return_1",)
    assert audit.left_out["rsi_14_1h"] == "the audit needs 2440 bars, it looks at 700"
    assert "have 700 bars, need at least" in audit.left_out["fitted state"]
    assert "fitted state" not in audit.counts


def test_bars_without_any_column_to_audit_are_refused(bars, mes):
    with pytest.raises(DataError, match="no feature can be audited on 300 bars"):
        audit_bars(bars.head(300), mes, audited_features(["return_1"]))


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'rsi_14'"):
        audited_features(["rsi_15"])


def test_of_each_test_and_column_the_largest_violation_is_told():
    small, large, missing = (overall("t", "f", "S", "", size) for size in (0.1, 2.0, None))
    other = overall("t", "g", "S", "", 0.5)
    assert largest_of_each([small, other, large]) == [large, other]
    assert largest_of_each([large, missing, small]) == [missing]
