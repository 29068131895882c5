from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ohlcv_factory.evaluation.classification import (
    brier_score,
    calibration_error,
    class_scores,
    classification_scores,
    confusion_matrix,
    direction_scores,
    log_loss,
    reliability,
)
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

TRUTH = np.array([SHORT, SHORT, NEUTRAL, NEUTRAL, LONG, LONG, LONG, LONG], np.int8)
DECISION = np.array([SHORT, LONG, NEUTRAL, SHORT, LONG, LONG, NEUTRAL, LONG], np.int8)


def random_case(seed=0, count=500):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([1.0, 2.0, 1.5], count)
    return generator.integers(0, 3, count), probabilities.argmax(axis=1), probabilities


def test_confusion_has_truth_in_rows_and_decision_in_columns():
    np.testing.assert_array_equal(confusion_matrix(TRUTH, DECISION), [[1, 0, 1], [1, 1, 0], [0, 1, 3]])


def test_scores_by_hand():
    scores = class_scores(confusion_matrix(TRUTH, DECISION))
    assert scores["accuracy"] == 5 / 8
    assert scores["per_class_f1"] == pytest.approx({"short": 0.5, "neutral": 0.5, "long": 0.75})
    assert scores["macro_f1"] == pytest.approx(1.75 / 3)
    assert scores["weighted_f1"] == pytest.approx((2 * 0.5 + 2 * 0.5 + 4 * 0.75) / 8)
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 0.5 + 0.75) / 3)


def test_scores_equal_scikit_learn():
    truth, decision, probabilities = random_case()
    scores = classification_scores(truth, decision, probabilities, np.ones(len(truth)))
    assert scores["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(truth, decision))
    assert scores["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, decision, average="macro"))
    assert scores["weighted_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, decision, average="weighted"))
    assert scores["balanced_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(truth, decision))
    assert scores["mcc"] == pytest.approx(sklearn_metrics.matthews_corrcoef(truth, decision))
    assert scores["log_loss"] == pytest.approx(sklearn_metrics.log_loss(truth, probabilities))
    brier = sklearn_metrics.brier_score_loss(truth, probabilities, scale_by_half=False)
    assert scores["brier"] == pytest.approx(brier)


def test_absent_classes_are_marked_and_left_out_of_averages():
    truth, decision = np.array([SHORT, SHORT, LONG]), np.array([SHORT, NEUTRAL, LONG])
    scores = classification_scores(truth, decision, None, np.ones(3))
    assert scores["classes_present"] == ["short", "long"]
    assert scores["per_class_f1"]["neutral"] is None
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["balanced_accuracy"] == pytest.approx(0.75)


def test_mcc_is_undefined_when_the_decision_never_varies():
    assert class_scores(confusion_matrix(TRUTH, np.full(8, LONG)))["mcc"] is None


def test_knowing_nothing_costs_ln_3_and_two_thirds():
    nothing = np.full((8, 3), 1 / 3)
    assert log_loss(TRUTH, nothing) == pytest.approx(1.0986122887)
    assert brier_score(TRUTH, nothing) == pytest.approx(2 / 3)


def test_a_certain_mistake_costs_a_finite_log_loss():
    assert log_loss(np.array([SHORT]), np.array([[0.0, 0.0, 1.0]])) == pytest.approx(36.0437, abs=1e-4)


def test_calibration_error_by_hand():
    # two rows at confidence 0.9 of which one is right, two at 0.5 of which both are right
    probabilities = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    truth, decision = np.array([SHORT, LONG, SHORT, SHORT]), np.zeros(4, np.int8)
    curve = reliability(truth, decision, probabilities)
    assert calibration_error(curve) == pytest.approx((2 * 0.4 + 2 * 0.5) / 4)
    assert [(position, each["rows"]) for position, each in enumerate(curve) if each["rows"]] == [(7, 2), (13, 2)]
    assert curve[13] == pytest.approx({"low": 13 / 15, "high": 14 / 15, "rows": 2, "confidence": 0.9, "accuracy": 0.5})
    assert (curve[0]["confidence"], curve[0]["accuracy"]) == (None, None)


def test_certainty_falls_into_the_last_bin():
    assert reliability(np.array([LONG]), np.array([LONG]), np.array([[0.0, 0.0, 1.0]]))[14]["rows"] == 1


def test_direction_by_hand_counts_only_rows_with_two_sides():
    scores = direction_scores(TRUTH, DECISION, np.full(8, 0.5))
    # rows 0, 1, 4, 5, 7: four hits; truth long 3/5, decision long 4/5: independent 12/25 + 2/25
    assert (scores["direction_rows"], scores["direction_effective_rows"]) == (5, 2.5)
    assert scores["direction_hit_rate"] == 0.8
    assert scores["independent_rate"] == pytest.approx(14 / 25)
    # Wilson at n = 2.5: z²/n = 1.082217; centre 1.341109 / 2.082217; half 1.644854 sqrt(0.064 + 0.108222) / 2.082217
    assert scores["direction_hit_rate_interval"] == pytest.approx((0.316252, 0.971907), abs=1e-4)


def test_direction_is_undefined_without_such_a_row():
    scores = direction_scores(np.array([NEUTRAL, LONG]), np.array([LONG, NEUTRAL]), np.ones(2))
    assert scores["direction_hit_rate"] is None
    assert scores["direction_hit_rate_interval"] is None
    assert scores["independent_rate"] is None


def test_no_rows_give_none_and_no_warning():
    empty = np.zeros(0, np.int8)
    scores = classification_scores(empty, empty, np.zeros((0, 3)), np.zeros(0))
    assert scores["rows"] == 0
    assert scores["classes_present"] == []
    assert all(scores[name] is None for name in ("accuracy", "macro_f1", "mcc", "log_loss", "brier", "ece"))
