from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation.diversity import diversity

TRUTH = np.array([0, 1, 2, 2])


def test_a_pair_by_hand():
    (pair,) = diversity({"a": np.array([0, 1, 0, 0]), "b": np.array([0, 2, 2, 1])}, TRUTH)
    assert (pair["first"], pair["second"]) == ("a", "b")
    assert pair["disagreement"] == 0.75  # all but the first row
    assert pair["double_fault"] == 0.25  # the last row
    assert pair["correlation"] == pytest.approx(0.0)  # hits 1100 and 1010


def test_equal_models_agree_and_fail_together():
    decisions = np.array([0, 1, 0, 2])
    (pair,) = diversity({"a": decisions, "b": decisions}, TRUTH)
    assert pair == {
        "first": "a",
        "second": "b",
        "disagreement": 0.0,
        "correlation": pytest.approx(1.0),
        "double_fault": 0.25,
    }


def test_a_model_that_is_always_right_has_no_correlation_and_every_pair_is_listed():
    pairs = diversity({"right": TRUTH, "a": np.array([0, 1, 0, 0]), "b": np.array([0, 2, 2, 1])}, TRUTH)
    assert [(pair["first"], pair["second"]) for pair in pairs] == [("right", "a"), ("right", "b"), ("a", "b")]
    assert [pair["correlation"] for pair in pairs[:2]] == [None, None]
