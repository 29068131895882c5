from __future__ import annotations

import numpy as np

from ohlcv_factory.evaluation.decisions import ARGMAX, Conformal
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

SETS = Conformal(0.5, (0.1, 0.3, 0.6))  # holds classes of a probability of at least 0.7


def test_another_rule_changes_the_decisions_and_brings_its_sets(make_predictions):
    sure = make_predictions([LONG, SHORT, NEUTRAL], [LONG] * 3, sure=0.8)
    found = sure.decided_by(SETS)
    assert found.decision.tolist() == [LONG, SHORT, NEUTRAL]
    assert found.sets.tolist() == [[False, False, True], [True, False, False], [False, True, False]]
    doubtful = make_predictions([LONG, SHORT, NEUTRAL], [LONG] * 3, sure=0.6).decided_by(SETS)
    assert not doubtful.sets.any()
    assert doubtful.side().tolist() == [0, 0, 0]  # an empty set is no trade
    assert found.decided_by(ARGMAX).sets is None


def test_sets_go_through_take_and_through_a_frame(make_predictions):
    found = make_predictions([LONG, SHORT, NEUTRAL, LONG], [LONG] * 4, sure=0.75).decided_by(SETS)
    again = Predictions.from_frame(found.frame, 5)
    np.testing.assert_array_equal(again.sets, found.sets)
    np.testing.assert_array_equal(found.take(np.array([3, 1])).sets, found.sets[[3, 1]])
    assert [name for name in found.frame.columns if name.startswith("set_")] == ["set_short", "set_neutral", "set_long"]


def test_without_sets_a_frame_has_no_columns_for_them(make_predictions):
    plain = make_predictions([LONG, SHORT], [LONG] * 2)
    assert not [name for name in plain.frame.columns if name.startswith("set_")]
    assert Predictions.from_frame(plain.frame, 5).sets is None
