from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_names import LEAKS

from ohlcv_factory.audit.causality import (
    audit_columns,
    columns_of,
    stream_against_batch,
)
from ohlcv_factory.features.catalogue import builtin_features, find
from ohlcv_factory.features.feature import Category

PLANTED_TESTS = {"truncation", "corrupted future"}


def made(column, lookback=20):
    """A feature as its author would declare it."""
    category = Category("made")
    category.feature("made", formula="", lookback=lookback)(column)
    return category.features[0]


def found(features, bars, calendar):
    return list(audit_columns(features, bars, calendar))


def broken_tests(violations):
    return {violation.test for violation in violations}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught_with_feature_bar_and_size(bars, calendar, planted, name):
    violations = found([find(name)], bars, calendar)
    assert broken_tests(violations) >= PLANTED_TESTS
    for violation in violations:
        assert violation.feature == name
        assert 0 <= violation.bar < len(bars)
        assert violation.time.startswith("2024-")
    assert max(violation.size for violation in violations) > 1e-3


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught_bar_by_bar_too(bars, calendar, planted, name):
    violations = list(stream_against_batch(bars, calendar, [name, "bar_body"]))
    assert {violation.feature for violation in violations} == {name}
    assert min(violation.bar for violation in violations) >= len(bars) - 64


def test_leaks_are_named_among_columns_that_keep_the_rules(bars, calendar, planted):
    names = ["return_5", "rsi_14", "bar_body", *LEAKS, "close_to_ema_9"]
    violations = found([find(name) for name in names], bars, calendar)
    assert {violation.feature for violation in violations} == set(LEAKS)


def test_the_bar_of_a_violation_differs_by_its_size(bars, calendar, planted):
    violation = next(v for v in found([find("global_z_score")], bars, calendar) if v.test == "truncation")
    count = int(violation.complaint.split()[2])
    whole, prefix = (
        columns_of([find("global_z_score")], part, calendar).values[0] for part in (bars, bars.head(count))
    )
    assert violation.size == pytest.approx(abs(whole - np.append(prefix, whole[count:])).max())
    assert violation.size == abs(whole[violation.bar] - prefix[violation.bar])


def test_a_short_look_back_and_a_missing_value_are_named_with_their_tests(bars, calendar):
    short = replace(find("ema_21"), lookback=30)
    assert broken_tests(found([short], bars, calendar)) == {"declared look-back"}
    gappy = made(lambda inputs: np.where(inputs.volume > 0, inputs.log_return, np.nan))
    assert broken_tests(found([gappy], bars, calendar)) == {"finite"}


def test_what_another_symbol_left_behind_is_found(bars, calendar):
    seen = []

    def last_symbols_close(inputs):
        seen.append(inputs.close)
        return inputs.close / seen[max(len(seen) - 2, 0)][0]

    violations = found([made(last_symbols_close)], bars, calendar)
    assert "other symbol" in broken_tests(violations)


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (lambda inputs: inputs.cloze, "raises AttributeError: 'FeatureInputs' object has no attribute 'cloze'"),
        (lambda inputs: inputs.close[1:], "shape (3643,), expected (3644,)"),
        (lambda inputs: inputs.close > 1.0, "dtype bool, expected float64"),
        (lambda inputs: list(inputs.close), "type list, expected a numpy array"),
    ],
)
def test_what_cannot_be_computed_is_reported_once_and_stops_no_other(bars, calendar, column, complaint):
    bars = bars.head(3644)
    (violation,) = found([made(column), find("return_1")], bars, calendar)
    assert (violation.test, violation.feature, violation.complaint) == ("computes", "made", complaint)
    assert violation.sentence == f"made: {complaint}"


def test_a_column_that_fails_on_fewer_bars_only_is_a_violation(bars, calendar):
    def picky(inputs):
        if len(inputs) < len(bars):
            raise ValueError("too few")
        return inputs.close

    violations = found([made(picky)], bars, calendar)
    assert "truncation" in broken_tests(violations)
    assert violations[0].sentence == "made: raises ValueError: too few"


def test_no_column_of_the_catalogue_differs_bar_by_bar(bars, calendar):
    names = [feature.name for feature in builtin_features()]
    assert list(stream_against_batch(bars, calendar, names)) == []
