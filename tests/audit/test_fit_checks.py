"""Checks that fit: of a model that does what it must not, and of columns that know the next bar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ohlcv_factory.audit import fit_checks, subject
from ohlcv_factory.audit.audited_bars import audited_features
from ohlcv_factory.audit.checks import audit
from ohlcv_factory.audit.subject import features_subject, model_subject
from ohlcv_factory.bars.instruments import find_instrument
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.errors import UnknownNameError, UsageError

OF_MODELS = ("predict-path", "fitted-state", "determinism", "shuffled-labels", "random-walk-null", "planted-signal")


@pytest.fixture(autouse=True)
def _small_markets(monkeypatch):
    monkeypatch.setattr(fit_checks, "NULL_BARS", 16_000)
    monkeypatch.setattr(fit_checks, "PLANTED_BETA", 0.6)
    monkeypatch.setattr(subject, "MODEL_BARS", 6000)


def broken(name, *checks):
    return {finding.check for finding in audit(model_subject(name), list(checks)) if finding.outcome.verdict == "fail"}


def test_an_honest_model_passes(dishonest):
    assert broken("honest_mean", *OF_MODELS) == set()


def test_a_model_that_scales_by_the_whole_question_is_caught(dishonest):
    assert broken("batch_scaler", "predict-path", "fitted-state") == {"predict-path"}


def test_a_model_that_draws_from_no_seed_is_caught(dishonest):
    (finding,) = audit(model_subject("unseeded"), ["determinism"])
    assert finding.outcome.verdict == "fail"
    assert {violation.feature for violation in finding.outcome.violations} >= {"raw"}


def test_a_model_that_sees_nothing_is_told(dishonest):
    assert broken("blind", "random-walk-null", "planted-signal") == {"planted-signal"}


def test_what_a_model_raises_is_a_failure_and_the_other_checks_go_on(dishonest):
    found = {finding.check: finding.outcome for finding in audit(model_subject("failing"), ["determinism", "values"])}
    assert (found["determinism"].verdict, found["determinism"].size) == ("fail", "RuntimeError: no such thing")
    assert found["values"].verdict == "pass"


@pytest.mark.parametrize(("name", "error"), [("voting", UsageError), ("lightgmb", UnknownNameError)])
def test_an_ensemble_and_an_unknown_model_are_refused(name, error):
    with pytest.raises(error):
        model_subject(name)


def of_columns(*names):
    bars = random_walk(3000, 1)
    return features_subject([(bars, find_instrument(bars.symbol))], audited_features(names))


def test_honest_columns_pass(planted):
    found = {finding.check: finding.outcome.verdict for finding in audit(of_columns("bar_body", "return_1", "rsi_14"))}
    assert set(found.values()) == {"pass"}
    assert {"fitted-state", "random-walk-null", "label-in-features"} <= set(found)


@pytest.mark.parametrize("leak", ["left_labelled_hour", "whole_series_wavelet"])
def test_columns_that_know_the_next_bar_find_direction_in_a_random_walk(planted, leak):
    (finding,) = audit(of_columns(leak, "return_1"), ["random-walk-null"])
    assert finding.outcome.verdict == "fail"
    assert finding.outcome.measured > 10


def test_columns_that_a_random_walk_cannot_carry_are_named(planted):
    (finding,) = audit(of_columns("return_1", "is_rth"), ["random-walk-null"])
    assert finding.outcome.verdict == "pass"
    assert finding.outcome.size.endswith("; without 1 columns that a random walk cannot carry: is_rth …")


def test_a_model_that_reads_no_volume_cannot_see_what_is_planted_there():
    blind = replace(model_subject("logistic"), bars=of_columns("return_1").bars)
    found = {each.check: each.outcome for each in audit(blind, ["planted-signal", "values"])}
    assert (found["planted-signal"].verdict, found["values"].verdict) == ("skipped", "pass")
    assert "none of the columns reads the volume" in found["planted-signal"].size


def test_the_next_return_in_noise_is_caught_where_it_is_read(planted):
    found = audit(of_columns("next_return_in_noise", "return_1"), ["truncation", "corrupted-future", "stream"])
    assert [finding.outcome.verdict for finding in found] == ["fail"] * 3
    assert {one.feature for finding in found for one in finding.outcome.violations} == {"next_return_in_noise"}


@pytest.mark.slow
def test_the_next_return_in_ten_times_as_much_noise_is_found_in_a_long_random_walk(planted, monkeypatch):
    monkeypatch.setattr(fit_checks, "NULL_BARS", 160_000)
    (finding,) = audit(of_columns("next_return_in_noise"), ["random-walk-null"])
    assert finding.outcome.verdict == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "logistic", "gru", "dlinear"])
def test_models_of_every_kind_pass_whole(name, monkeypatch):
    monkeypatch.undo()
    findings = audit(model_subject(name))
    assert {finding.check: finding.outcome.size for finding in findings if finding.outcome.verdict != "pass"} == {}
