from __future__ import annotations

import pytest

from ohlcv_factory.audit.audited_bars import AuditedBars, audited_features, features_of_files
from ohlcv_factory.audit.causality import TESTS
from ohlcv_factory.bars.instruments import instrument_table
from ohlcv_factory.errors import UnknownNameError, UsageError


@pytest.fixture(scope="module")
def mes():
    return instrument_table()["MES"]


def test_nothing_is_found_in_the_whole_catalogue(bars, mes):
    audited = AuditedBars.newest(bars, mes, audited_features())
    found = [*audited.values(), *audited.streamed()]
    found += [violation for test in TESTS for violation in audited.violations(test)]
    assert [violation.sentence for violation in found] == []
    assert len(audited.audited) > 120
    assert all(reason.startswith("the audit needs") for reason in audited.left_out.values())


def test_only_the_newest_bars_are_looked_at(bars, mes):
    audited = AuditedBars.newest(bars, mes, audited_features(["return_1"]), 700)
    assert len(audited.bars) == 700
    assert audited.bars.time_ns[-1] == bars.time_ns[-1]


def test_columns_that_the_bars_cannot_bear_are_left_out_with_the_reason(bars, mes):
    audited = AuditedBars.newest(bars.head(700), mes, audited_features(["return_1", "rsi_14_1h"]))
    assert [feature.name for feature in audited.audited] == ["return_1"]
    assert audited.left_out["rsi_14_1h"] == "the audit needs 2440 bars, it looks at 700"


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'rsi_14'"):
        audited_features(["rsi_15"])


def test_the_columns_of_a_file_are_those_that_it_declared(planted):
    assert [feature.name for feature in features_of_files([str(planted)])][-1] == "bar_body"
    with pytest.raises(UsageError, match="declares no feature"):
        features_of_files(["elsewhere.py"])
