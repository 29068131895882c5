from __future__ import annotations

from dataclasses import replace

import pytest

from ohlcv_factory.models import registry
from ohlcv_factory.runtime import memory
from ohlcv_factory.studies.candidates import candidates, probed
from ohlcv_factory.studies.dataset_facts import Wishes, dataset_facts
from ohlcv_factory.training.settings import TrainerConfig

LOOSE = Wishes()


@pytest.fixture(scope="module")
def facts(container):
    return dataset_facts(container)


@pytest.fixture
def one(container, facts):
    """`one(model, wishes, **settings)`: that model as a candidate."""

    def make(name, wishes=LOOSE, facts=facts, **settings):
        config = TrainerConfig(model_name=name, horizon=5, **settings)
        return probed(config, "tree", container, facts, wishes)

    return make


def test_a_model_that_nothing_stands_in_the_way_of_is_measured(container, facts):
    (found,) = candidates(["logistic"], "fallback", container, facts, LOOSE, 7)
    assert (found.is_possible, found.source, found.config.random_seed) == (True, "fallback", 7)
    assert found.features == 6
    assert found.rows_per_feature == facts.fit_rows / 6
    assert found.memory_gb == pytest.approx(0.6, abs=0.01)
    assert (found.answer_ms, found.minutes) == (None, None)


def test_a_model_without_its_package_names_the_extra(one, monkeypatch):
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    found = one("xgboost")
    assert found.obstacles == ("needs the extra boosting: pip install 'ohlcv-model-factory[boosting]'",)
    assert found.config is None


def test_a_foundation_model_without_its_checkpoint_says_that_it_needs_one(one, monkeypatch):
    pytest.importorskip("chronos")
    monkeypatch.delenv("FACTORY_CHECKPOINTS", raising=False)
    (obstacle,) = one("chronos_bolt", Wishes(checkpoint="nowhere/at-all")).obstacles
    assert obstacle.startswith("checkpoint 'nowhere/at-all' is not on this machine: nothing is downloaded")


def test_a_foundation_model_with_a_checkpoint_is_trained_with_it(one, shelf):
    pytest.importorskip("chronos")
    found = one("chronos_bolt", Wishes(checkpoint=str(shelf / "chronos-bolt-small")))
    assert found.is_possible
    assert found.config.model == {"checkpoint": str(shelf / "chronos-bolt-small")}


def test_a_wanted_context_becomes_the_look_back(one):
    pytest.importorskip("torch")
    found = one("dlinear", Wishes(context_bars=100), feature_set="transformer_raw")
    assert (found.lookback, found.config.model, found.notes) == (100, {"lookback": 100}, ())


def test_a_context_longer_than_the_bars_is_cut_and_says_how_to_have_it(one):
    pytest.importorskip("torch")
    found = one("dlinear", Wishes(context_bars=300), feature_set="transformer_raw")
    assert (found.is_possible, found.lookback) == (True, 257)
    assert found.notes == (
        "reads 257 bars, all that the dataset has before each row; for 300 build it with --set history_bars=299",
    )


def test_a_look_back_of_its_own_is_cut_to_the_bars_too(one, facts):
    pytest.importorskip("torch")
    found = one("dlinear", facts=replace(facts, lookback_available=9), feature_set="transformer_raw")
    assert (found.lookback, found.config.model) == (9, {"lookback": 9})


def test_too_many_columns_for_the_rows_give_way_to_the_largest_set_that_is_carried(one, facts):
    found = one("logistic", facts=replace(facts, fit_rows=45))
    assert found.config.feature_set == "neural_optimal"
    assert (found.features, found.rows_per_feature) == (4, 45 / 4)
    assert found.notes == (
        "45 fit rows for 6 columns of boosting_optimal: under 10 rows per column; it gets neural_optimal",
    )


def test_where_no_set_is_carried_the_model_keeps_its_own_and_says_so(one, facts):
    found = one("logistic", facts=replace(facts, fit_rows=9))
    assert (found.config.feature_set, found.features) == (None, 6)
    assert found.notes[0].endswith("under 10 rows per column; at most 1 are advised")


def test_a_fit_that_memory_does_not_hold_is_no_candidate(one, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000)
    (obstacle,) = one("logistic").obstacles
    assert obstacle.startswith("fitting 'logistic' needs about 0.6 GB, 0.0 GB are free.")


def test_an_answer_is_timed_where_a_latency_is_wanted(one):
    slow, quick = one("logistic", Wishes(latency_ms=1e-6)), one("logistic", Wishes(latency_ms=60_000.0))
    assert slow.answer_ms > 0
    assert slow.obstacles[0].endswith("1e-06 ms are wanted")
    assert quick.is_possible


def test_a_fit_is_timed_where_a_budget_is_given(one):
    pytest.importorskip("lightgbm")
    slow, quick = one("lightgbm", Wishes(minutes=1e-9)), one("lightgbm", Wishes(minutes=600.0))
    assert slow.minutes > 0
    assert slow.obstacles[0].endswith("minutes here, 1e-09 are given")
    assert quick.is_possible


def test_a_dataset_without_the_columns_is_an_obstacle(one):
    pytest.importorskip("torch")
    (obstacle,) = one("dlinear").obstacles
    assert obstacle.startswith("feature set 'ohlcv_returns' finds none of its columns")
