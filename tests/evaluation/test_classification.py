from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.classification import (
    brier_score,
    calibration_error,
    class_scores,
    classification_differences,
    classification_intervals,
    classification_scores,
    direction_scores,
    log_loss,
    reliability,
)
from ohlcv_factory.evaluation.confusion import confusion_matrix
from ohlcv_factory.evaluation.significance import RESAMPLES, TAILS, draw_blocks
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT
from ohlcv_factory.runtime.seeding import component_generator

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


SCORE_NAMES = {
    "accuracy", "macro_f1", "weighted_f1", "balanced_accuracy", "mcc", "direction_hit_rate", "direction_edge",
    "log_loss", "brier",
}  # fmt: skip


def test_every_score_lies_in_its_interval():
    truth, decision, probabilities = random_case(count=2000)
    scores = classification_scores(truth, decision, probabilities, np.ones(2000))
    intervals = classification_intervals(truth, decision, probabilities, block_rows=10)
    assert set(intervals) == SCORE_NAMES
    for name, (low, high) in intervals.items():
        assert low < scores[name] < high


def test_the_interval_of_macro_f1_is_that_of_gathered_rows():
    truth, decision, probabilities = random_case(count=400)
    found = classification_intervals(truth, decision, probabilities, block_rows=8, seed=5)["macro_f1"]
    starts, stops = draw_blocks(400, 8, RESAMPLES, component_generator(5, "stationary_bootstrap"))
    gathered = []
    for firsts, pasts in zip(starts, stops, strict=True):
        rows = np.concatenate([np.arange(*ends) % 400 for ends in zip(firsts, pasts, strict=True)])
        gathered.append(class_scores(confusion_matrix(truth[rows], decision[rows]))["macro_f1"])
    own = class_scores(confusion_matrix(truth, decision))["macro_f1"]
    widening = 1 / np.sqrt(1 - 15 / 400)
    assert found == pytest.approx(own + (np.quantile(gathered, TAILS) - own) * widening, abs=1e-9)


def test_intervals_stay_where_a_score_can_lie():
    truth = np.tile([SHORT, NEUTRAL, LONG, LONG], 30)
    decision = truth.copy()
    decision[0] = LONG
    intervals = classification_intervals(truth, decision, None, block_rows=5)
    assert intervals["accuracy"].high == 1.0 and intervals["macro_f1"].high == 1.0
    assert (intervals["log_loss"], intervals["brier"]) == (None, None)


def test_always_short_has_an_edge_of_zero_width_and_no_correlation():
    truth = np.where(np.random.default_rng(0).random(500) < 0.41, LONG, SHORT)
    intervals = classification_intervals(truth, np.full(500, SHORT), None, block_rows=10)
    assert intervals["direction_edge"] == pytest.approx((0.0, 0.0), abs=1e-12)
    assert intervals["mcc"] is None


def test_intervals_of_overlapping_labels_cover_about_ninety_per_cent():
    # truth in runs of 8 rows, decisions that know nothing of it in runs of 8 rows: the true correlation is 0
    covered = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        truth, decision = (np.repeat(generator.integers(0, 3, 100), 8) for _ in range(2))
        low, high = classification_intervals(truth, decision, None, block_rows=40, seed=seed)["mcc"]
        covered += low <= 0.0 <= high
    assert 0.82 <= covered / 100 <= 0.96


def test_a_model_beats_its_own_noisy_copy_by_the_difference_of_their_scores():
    truth, decision, probabilities = random_case(count=3000)
    good = np.where(np.random.default_rng(1).random(3000) < 0.5, truth, decision)
    sharp = 0.5 * np.eye(3)[good] + 0.5 * probabilities
    found = classification_differences(truth, (good, sharp), (decision, probabilities), block_rows=10)
    assert set(found) == SCORE_NAMES
    scores = [classification_scores(truth, *each, np.ones(3000)) for each in ((good, sharp), (decision, probabilities))]
    for name, difference in found.items():
        assert difference.value == pytest.approx(scores[0][name] - scores[1][name], abs=1e-9)
        assert difference.interval.low < difference.value < difference.interval.high
    assert found["macro_f1"].interval.low > 0 > found["log_loss"].interval.high


def test_models_that_were_scored_on_other_rows_are_not_compared():
    truth, decision, probabilities = random_case(count=100)
    with pytest.raises(DataError, match="the same rows twice"):
        classification_differences(truth, (decision, probabilities), (decision[1:], probabilities[1:]), block_rows=5)
