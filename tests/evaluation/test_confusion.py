from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation import confusion
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

SCORES = (
    confusion.accuracy,
    confusion.macro_f1,
    confusion.weighted_f1,
    confusion.balanced_accuracy,
    confusion.matthews_correlation,
    confusion.direction_hit_rate,
    confusion.independent_rate,
    confusion.direction_edge,
)


def draws(seed=0, count=300):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 3, count), generator.integers(0, 3, count)


@pytest.mark.parametrize("score", SCORES)
def test_shares_score_as_counts_do_alone_and_in_a_stack(score):
    counts = np.stack([confusion.confusion_matrix(*draws(seed)) for seed in range(5)])
    shares = counts / 300
    stacked = score(shares)
    assert stacked.shape == (5,)
    for matrix, share, value in zip(counts, shares, stacked, strict=True):
        assert float(score(matrix)) == pytest.approx(float(value), abs=1e-12)
        assert float(score(share)) == value


def test_means_of_the_cell_columns_are_the_shares():
    truth, decision = draws()
    means = confusion.cell_columns(truth, decision).mean(axis=0).reshape(3, 3)
    np.testing.assert_allclose(means, confusion.confusion_matrix(truth, decision) / 300)


def test_direction_edge_by_hand():
    truth = np.array([LONG, LONG, SHORT, LONG, NEUTRAL, SHORT])
    decision = np.array([LONG, LONG, SHORT, SHORT, LONG, NEUTRAL])
    matrix = confusion.confusion_matrix(truth, decision)
    # four directional rows: 3 hits; truth long 3/4, decision long 2/4: independent 3/8 + 1/8 = 1/2
    assert confusion.direction_hit_rate(matrix) == 0.75
    assert confusion.independent_rate(matrix) == 0.5
    assert confusion.direction_edge(matrix) == 0.25


def test_always_short_has_no_edge_however_often_it_hits():
    truth = np.where(np.random.default_rng(0).random(500) < 0.41, LONG, SHORT)
    edge = confusion.direction_edge(confusion.confusion_matrix(truth, np.full(500, SHORT)))
    assert edge == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_no_rows_are_undefined(score):
    assert np.isnan(score(np.zeros((3, 3))))


def test_without_a_directional_row_the_direction_is_undefined_and_the_rest_is_not():
    matrix = confusion.confusion_matrix(np.full(9, NEUTRAL), np.full(9, LONG))
    assert np.isnan(confusion.direction_edge(matrix)) and np.isnan(confusion.direction_hit_rate(matrix))
    assert confusion.accuracy(matrix) == 0.0


def test_a_constant_decision_has_no_correlation_in_shares_either():
    truth, _ = draws()
    matrix = confusion.confusion_matrix(truth, np.full(300, LONG))
    assert np.isnan(confusion.matthews_correlation(matrix))
    assert np.isnan(confusion.matthews_correlation(matrix / 300))
