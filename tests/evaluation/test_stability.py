from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.significance import NORMAL_QUANTILE
from ohlcv_factory.evaluation.stability import log_loss_gain, log_loss_skill, stability, summarised

WIDTH = NORMAL_QUANTILE
"""Half a 90 % interval of a score with a standard error of 1."""


def around(*values):
    return [(value - WIDTH, value + WIDTH) for value in values]


def test_share_of_drift_in_literals():
    # errors of 1 each: Q is the sum of squares about the mean, 8 + 0 + 8 = 16; I² = (16 - 2) / 16
    found = stability([-2 * 2**0.5, 0.0, 2 * 2**0.5], around(-2 * 2**0.5, 0.0, 2 * 2**0.5))
    assert found.beyond_chance == pytest.approx(14 / 16)
    assert found.grade == "D"
    assert found.spread == pytest.approx(8**0.5)
    assert found.chance == pytest.approx(1.0)
    assert found.p_value == pytest.approx(np.exp(-8))  # chi² with 2 degrees of freedom: exp(-Q / 2)
    assert found.blocks == 3


def test_scores_with_small_errors_weigh_more():
    wide, narrow = (-10 * WIDTH, 10 * WIDTH), (1 - WIDTH, 1 + WIDTH)
    found = stability([0.0, 1.0, 1.0], [wide, narrow, narrow])
    assert found.beyond_chance == 0.0
    assert found.grade == "A"


@pytest.mark.parametrize(
    ("distance", "grade"),
    [(1.0, "A"), (2.6, "A"), (2.7, "B"), (3.9, "B"), (4.1, "C"), (7.9, "C"), (8.1, "D"), (90.0, "D")],
)
def test_grades_change_at_a_quarter_a_half_and_three_quarters(distance, grade):
    half = (distance / 2) ** 0.5  # Q of three blocks at -half, 0 and +half
    assert stability([-half, 0.0, half], around(-half, 0.0, half)).grade == grade


def test_equal_scores_are_stable():
    found = stability([0.3] * 4, around(*[0.3] * 4))
    assert (found.grade, found.beyond_chance, found.spread, found.p_value) == ("A", 0.0, 0.0, 1.0)


def test_under_three_blocks_with_an_interval_there_is_no_grade():
    found = stability([0.0, 1.0, 2.0, None], [(-1.0, 1.0), (0.0, 2.0), None, (0.0, 1.0)])
    assert (found.grade, found.beyond_chance, found.p_value, found.chance) == (None, None, None, None)
    assert (found.blocks, found.spread) == (2, pytest.approx(0.5**0.5))


def test_chance_alone_is_seldom_called_drift():
    generator = np.random.default_rng(0)
    grades = [stability(values, around(*values)).grade for values in generator.standard_normal((2000, 5))]
    assert np.mean([grade in ("C", "D") for grade in grades]) == pytest.approx(0.092, abs=0.02)


def test_a_change_of_four_errors_is_seen():
    generator = np.random.default_rng(1)
    drifting = generator.standard_normal((500, 5)) + np.array([0, 0, 0, 4, 4])
    grades = [stability(values, around(*values)).grade for values in drifting]
    assert np.mean([grade in ("C", "D") for grade in grades]) > 0.9


@pytest.fixture
def predictions():
    """Four rows of one symbol, the third ambiguous; probabilities of the truth 0.5, 0.25, -, 0.8."""
    index = np.zeros(4, dtype=[("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
    index["time_ns"] = index["row"] = np.arange(4)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]])
    truth, scored = np.array([0, 1, 2, 2], np.int8), np.array([True, True, False, True])
    decision = probabilities.argmax(axis=1).astype(np.int8)
    labelled = np.ones(4, dtype=bool)
    return Predictions(index, ("S",), probabilities, probabilities, decision, truth, labelled, scored, 5)


def test_the_skill_is_the_mean_gain_over_the_class_shares(predictions):
    shares = np.array([0.5, 0.25, 0.25])
    gain = log_loss_gain(predictions, np.array([0, 1, 3]), shares)
    assert gain == pytest.approx([0.0, 0.0, np.log(0.8 / 0.25)])
    skill, interval = log_loss_skill(predictions, shares, np.ones(4))
    assert skill == pytest.approx(np.log(3.2) / 3)
    assert interval is None  # three rows are no basis for one


def test_without_scored_rows_there_is_no_skill(predictions):
    nothing = predictions.take(np.array([2]))
    assert log_loss_skill(nothing, np.array([0.5, 0.25, 0.25]), np.ones(1)) == (None, None)


def test_a_class_that_training_never_saw_costs_a_finite_loss(predictions):
    skill, _ = log_loss_skill(predictions, np.array([0.5, 0.5, 0.0]), np.ones(4))
    assert np.isfinite(skill)


def test_what_is_undefined_in_some_blocks_is_summed_up_over_the_others():
    found = summarised(
        [{"a": 1.0, "b": None, "word": "x", "flag": True}, {"a": 3.0, "b": 2, "word": "y", "flag": True}]
    )
    assert found == {
        "a": {"mean": 2.0, "spread": pytest.approx(2**0.5), "low": 1.0, "high": 3.0, "blocks": 2},
        "b": {"mean": 2.0, "spread": None, "low": 2.0, "high": 2.0, "blocks": 1},
    }
