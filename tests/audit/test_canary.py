"""Shuffled labels: an honest fit does not know them, every fit that has seen them is told."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from ohlcv_factory.audit.canary import (
    CANARY_LIMIT,
    fit_and_predict,
    permutation_z,
    shuffled_label_z,
    with_shuffled_labels,
)
from ohlcv_factory.audit.power import reading_all
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig


@pytest.fixture(scope="module")
def honest(container):
    return fit_and_predict(reading_all(TrainerConfig(model_name="logistic", horizon=5), container))


def test_the_z_score_is_that_of_all_orders():
    generator = np.random.default_rng(1)
    probabilities, truth = generator.dirichlet([1, 2, 1], 6), np.array([0, 1, 1, 2, 0, 1])
    told = [probabilities[np.arange(6), truth[list(order)]].sum() for order in permutations(range(6))]
    expected = (probabilities[np.arange(6), truth].sum() - np.mean(told)) / np.std(told)
    assert permutation_z(probabilities, truth) == pytest.approx(expected, rel=1e-9)


def test_equal_probabilities_say_nothing():
    assert permutation_z(np.full((50, 3), 1 / 3), np.arange(50) % 3) == 0.0


def test_the_shuffled_labels_are_the_same_ones_in_another_order(container):
    scored = container.labels.scored
    shuffled = with_shuffled_labels(container, 0).labels.label
    assert np.bincount(shuffled[scored]).tolist() == np.bincount(container.labels.label[scored]).tolist()
    assert 0.3 < np.mean(shuffled[scored] == container.labels.label[scored]) < 0.6
    assert (shuffled[~scored] == container.labels.label[~scored]).all()


def test_a_bar_keeps_one_label_wherever_it_stands(container):
    scored = np.flatnonzero(container.labels.scored)
    index = container.index.copy()
    index[scored[-100:]] = index[scored[:100]]
    shuffled = with_shuffled_labels(replace(container, index=index), 0).labels.label
    assert (shuffled[scored[-100:]] == shuffled[scored[:100]]).all()


def test_an_honest_fit_does_not_know_shuffled_labels(container, honest):
    assert [abs(shuffled_label_z(honest, container, seed)) < CANARY_LIMIT for seed in range(3)] == [True] * 3


def test_a_fit_that_makes_a_feature_of_the_labels_is_caught(container, honest):
    def leaky(given):
        table = given.table.copy()
        table[given.table_row, 0] = given.labels.label + np.random.default_rng(0).normal(0, 2, len(given))
        return honest(replace(given, table=table))

    assert shuffled_label_z(leaky, container) > 2 * CANARY_LIMIT


def test_a_fit_that_keeps_the_answers_of_the_tested_rows_is_caught(container, honest):
    def leaky(given):
        found = honest(given)
        kept = np.eye(3)[found.truth] * 0.1 + found.raw * 0.9
        return replace(found, raw=kept)

    assert shuffled_label_z(leaky, container) > 5 * CANARY_LIMIT


def test_a_fit_on_train_and_tested_rows_is_caught(container):
    forest = {"n_estimators": 10, "min_samples_leaf": 1}
    config = reading_all(TrainerConfig(model_name="random_forest", horizon=5, model=forest), container)

    def leaky(given):
        wide = given.with_split(np.minimum(given.part, 0))  # the last rows of test are stop and calibrate rows then
        return fit_pipeline(config, wide).pipeline.predict(given, given.rows("val"))

    honest = fit_and_predict(config)
    assert abs(shuffled_label_z(honest, container)) < CANARY_LIMIT
    assert shuffled_label_z(leaky, container) > CANARY_LIMIT
