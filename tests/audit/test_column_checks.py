from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory import feature
from ohlcv_factory.audit import column_checks
from ohlcv_factory.audit.audited_bars import audited_features
from ohlcv_factory.audit.subject import dataset_subject, features_subject
from ohlcv_factory.bars.instruments import find_instrument, instrument_table


def subject(bars, *names):
    return features_subject([(bars, find_instrument("MES"))], audited_features(names))


def test_a_column_that_fails_or_is_no_number_is_told_once_and_the_others_pass(bars, planted):
    @feature("raising", formula="none", lookback=5)
    def raising(inputs):
        raise ZeroDivisionError("by nothing")

    @feature("divided_by_volume", formula="close / volume", lookback=0)
    def divided(inputs):
        with np.errstate(divide="ignore"):
            return inputs.close / inputs.volume

    outcome = column_checks.values(subject(bars, "return_1", "raising", "divided_by_volume"))
    assert outcome.verdict == "fail"
    assert {violation.feature for violation in outcome.violations} == {"raising", "divided_by_volume"}
    assert "by nothing" in " ".join(violation.complaint for violation in outcome.violations)
    assert column_checks.of_test("truncation")(subject(bars, "return_1", "raising")).verdict == "pass"


def test_what_could_not_be_looked_at_is_named(bars):
    outcome = column_checks.stream(subject(bars.head(1000), "return_1", "rsi_14_1h"))
    assert outcome.size == "1 columns on 1000 bars, 1 need more bars: rsi_14_1h"


def test_nothing_but_columns_that_need_more_bars_is_skipped(bars):
    few = subject(bars.head(1000), "return_1", "rsi_14_1h")
    none = replace(few, bars=tuple(replace(each, wanted=each.wanted[1:]) for each in few.bars))
    outcome = column_checks.values(none)
    assert (outcome.verdict, outcome.size) == ("skipped", "the audit needs 2440 bars, it looks at 1000")


@pytest.mark.parametrize("kind", ["features", "dataset"])
def test_labels_are_held_to_their_ends(kind, bars, dataset_folder, monkeypatch):
    made = subject(bars, "return_1") if kind == "features" else dataset_subject(dataset_folder)
    assert column_checks.label_reach_of(made).verdict == "pass"

    def early(labeller):
        def shorter(given):
            path = labeller(given)
            return replace(path, end_row=np.maximum(path.end_row - 1, 0))

        return shorter

    name = "_labeller" if kind == "dataset" else "barrier_labeller"
    honest = getattr(column_checks, name)
    monkeypatch.setattr(column_checks, name, lambda *given: early(honest(*given)))
    outcome = column_checks.label_reach_of(made)
    assert outcome.verdict == "fail"
    assert all(violation.test == "label reach" for violation in outcome.violations)


def test_an_instrument_without_barriers_has_no_labels_to_look_at(bars):
    bare = instrument_table()["MES"].model_copy(update={"barriers": {}})
    made = features_subject([(bars, bare)], audited_features(["return_1"]))
    assert column_checks.label_reach_of(made).verdict == "skipped"
