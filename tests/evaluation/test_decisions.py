from __future__ import annotations

import json

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.decisions import ARGMAX, Conformal, DecisionRule, Threshold, decided_by_sets
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

RULES = [ARGMAX, Threshold(0.4, None), Threshold(1 / 3, 0.45), Conformal(0.6, (0.1, 0.3, 0.5, 0.6, 0.7))]


def test_argmax_takes_the_first_of_equal_classes():
    assert ARGMAX.decide(np.array([[0.2, 0.2, 0.6], [0.4, 0.4, 0.2]])).tolist() == [LONG, SHORT]
    assert ARGMAX.sets(np.eye(3)) is None


def test_a_side_is_taken_from_its_threshold_on_whatever_neutral_says():
    rule = Threshold(short=0.3, long=0.4)
    probabilities = np.array(
        [[0.3, 0.6, 0.1], [0.29, 0.61, 0.1], [0.1, 0.5, 0.4], [0.31, 0.27, 0.42], [0.45, 0.1, 0.45]]
    )
    # equal sides that both reach their threshold cancel
    assert rule.decide(probabilities).tolist() == [SHORT, NEUTRAL, LONG, LONG, NEUTRAL]


def test_a_threshold_of_none_never_acts():
    certain = np.eye(3)
    assert Threshold(None, None).decide(certain).tolist() == [NEUTRAL] * 3
    assert Threshold(None, 0.5).decide(certain).tolist() == [NEUTRAL, NEUTRAL, LONG]


def test_a_set_holds_what_the_finite_sample_quantile_admits():
    rule = Conformal(0.6, (0.1, 0.3, 0.5, 0.6, 0.7))
    # rank ceil(6 * 0.6) = 4: classes of a probability of at least 1 - 0.6
    assert rule.largest_score == 0.6
    sets = rule.sets(np.array([[0.5, 0.4, 0.1], [0.7, 0.2, 0.1], [0.35, 0.3, 0.35]]))
    assert sets.tolist() == [[True, True, False], [True, False, False], [False, False, False]]
    assert rule.decide(np.array([[0.5, 0.4, 0.1], [0.7, 0.2, 0.1], [0.35, 0.3, 0.35]])).tolist() == [
        NEUTRAL,
        SHORT,
        NEUTRAL,
    ]


def test_too_few_calibration_rows_leave_every_class_possible():
    rule = Conformal(0.9, (0.1, 0.2))
    assert rule.sets(np.array([[1.0, 0.0, 0.0]])).all()
    assert rule.decide(np.array([[1.0, 0.0, 0.0]])).tolist() == [NEUTRAL]


def test_only_a_single_direction_is_acted_on():
    every_set = np.array([[code >> place & 1 for place in range(3)] for code in range(8)], dtype=bool)
    expected = {(True, False, False): SHORT, (False, False, True): LONG}
    assert decided_by_sets(every_set).tolist() == [expected.get(tuple(each), NEUTRAL) for each in every_set.tolist()]


@pytest.mark.parametrize("rule", RULES)
def test_a_row_is_decided_alike_alone_and_in_any_batch(rule):
    raw = np.random.default_rng(4).dirichlet([0.5, 0.5, 0.5], 100)
    whole = rule.decide(raw)
    assert whole.dtype == np.int8
    assert np.concatenate([rule.decide(raw[[row]]) for row in range(100)]).tolist() == whole.tolist()
    assert rule.decide(np.asfortranarray(raw)[::3]).tolist() == whole[::3].tolist()


@pytest.mark.parametrize("rule", RULES)
def test_json_brings_back_the_same_rule(rule):
    assert DecisionRule.from_plain(json.loads(json.dumps(rule.plain()))) == rule


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "median"},
        {"kind": {}},
        {"kind": "threshold", "short": 0.5},
        {"kind": "threshold", "short": 1.5, "long": None},
        {"kind": "threshold", "short": "high", "long": None},
        {"kind": "conformal", "coverage": 1.0, "scores": [0.1]},
        {"kind": "conformal", "coverage": 0.9, "scores": []},
        {"kind": "conformal", "coverage": 0.9, "scores": [0.2, 0.1]},
        {"kind": "conformal", "coverage": 0.9, "scores": [0.2, float("nan")]},
    ],
)
def test_a_damaged_state_is_refused(state):
    with pytest.raises(DataError):
        DecisionRule.from_plain(state)


def test_words_say_when_a_rule_acts():
    assert ARGMAX.words == "the most probable class"
    assert Threshold(0.41267, None).words == "short from a probability of 0.413, never long"
    assert Threshold(None, None).words == "never short, never long"
    assert RULES[3].words == "where the set of 60 % coverage is one direction alone"
