"""Permutation importance over folds: the planted column comes first, noise holds 0, and all of it repeats."""

from __future__ import annotations

import pytest
from noise import NOISE, OWN_SET, SIGNAL, signal_and_noise
from quick_studies import quick_studies

from ohlcv_factory.errors import UsageError
from ohlcv_factory.reports.study_report import write_study_page
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig
from ohlcv_factory.studies.fold_importance import fold_importance
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig

CV = CrossValidationConfig(folds=3, importance=True)


@pytest.fixture(scope="module")
def rows():
    return signal_and_noise(3000)


@pytest.fixture(scope="module")
def crossed(rows, tmp_path_factory):
    """`crossed(model, settings)`: a cross-validation with importance."""

    def make(model, **settings):
        folder = tmp_path_factory.mktemp("importance") / "runs"
        own = {"feature_set": "signal_and_noise", "feature_sets": OWN_SET, "output_dir": folder}
        config = TrainerConfig(model_name=model, horizon=5, model=settings, **own)
        with quick_studies():
            return cross_validate(config, rows, CV, write_page=write_study_page)

    return make


@pytest.fixture(scope="module")
def logistic(crossed):
    return crossed("logistic")


def test_the_planted_column_comes_first_and_the_interval_of_noise_holds_zero(logistic):
    signal, noise, *others = logistic.importance
    assert [(each["subject"], each["name"]) for each in (signal, noise)] == [("feature", SIGNAL), ("feature", NOISE)]
    assert [each["name"] for each in others] == ["volume", "calendar"]
    assert signal["interval"][0] > 0.01
    assert noise["interval"][0] < 0 < noise["interval"][1]
    assert len(signal["folds"]) == 3


def test_the_same_seed_gives_the_same_file(logistic, crossed):
    again = crossed("logistic")
    name = "metrics/importance.json"
    assert (again.path / name).read_bytes() == (logistic.path / name).read_bytes()
    assert read_json(again.path / name) == logistic.importance


def test_the_page_of_the_study_shows_it(logistic):
    page = (logistic.path / "report.html").read_text()
    assert '<section id="importance"' in page
    assert f"<li>{SIGNAL}</li>" in page


def test_a_study_that_did_not_ask_has_none(study):
    assert study.importance is None
    assert not (study.path / "metrics" / "importance.json").exists()


def test_a_sequence_model_also_says_which_bars_count(crossed):
    pytest.importorskip("torch")
    found = crossed("gru", lookback=8, max_epochs=3, hidden_size=8, num_layers=1).importance
    bars = [each for each in found if each["subject"] == "bars"]
    assert [each["name"] for each in bars] == ["0", "-1", "-3 to -2", "-7 to -4"]
    assert found[0]["name"] == SIGNAL


def test_mean_spread_and_interval_are_those_of_the_folds():
    folds = [[{"subject": "feature", "name": "rsi_14", "increase": value}] for value in (0.1, 0.2, 0.3)]
    (found,) = fold_importance(folds)
    assert (found["increase"], found["spread"]) == (pytest.approx(0.2), pytest.approx(0.1))
    assert found["interval"] == pytest.approx([0.2 - 2.919986 * 0.1 / 3**0.5, 0.2 + 2.919986 * 0.1 / 3**0.5])
    assert found["category"] == "momentum"


def test_a_column_that_a_fold_left_out_costs_it_nothing():
    kept = [{"subject": "feature", "name": "rsi_14", "increase": 0.4}]
    (found,) = fold_importance([kept, []])
    assert found["folds"] == [0.4, 0.0]


def test_one_fold_has_no_spread():
    (found,) = fold_importance([[{"subject": "bars", "name": "0", "increase": 0.4}]])
    assert (found["spread"], found["interval"], found["category"]) == (None, None, None)


def test_an_ensemble_refuses_to_be_asked():
    with pytest.raises((UsageError, ValueError), match="in a cross-validation of each member"):
        EnsembleConfig.parse({"model_name": "voting", "members": ["logistic", "svm"], "cv": {"importance": True}})
