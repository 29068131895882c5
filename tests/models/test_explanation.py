from __future__ import annotations

import numpy as np

from ohlcv_factory.models.explanation import Explanation, InputNames, Meaning, joined

NAMES = InputNames(("return_1", "hour_sin", "symbol"), ("hour_sin",), lookback=3)


def test_bars_are_counted_from_the_decision_and_run_on_to_the_step_ahead() -> None:
    attention = NAMES.explanation(Meaning("weights", ("head", "bar")), np.zeros((5, 2, 4), np.float32))
    assert attention.axes == {"head": (1, 2), "bar": (-2, -1, 0, 1)}


def test_features_are_named_without_the_symbol_that_no_weight_belongs_to() -> None:
    weights = NAMES.explanation(Meaning("weights", ("bar", "feature")), np.zeros((5, 3, 2), np.float32))
    assert weights.axes == {"bar": (-2, -1, 0), "feature": ("return_1", "hour_sin")}
    known = NAMES.explanation(Meaning("weights", ("known feature",)), np.zeros((5, 1), np.float32))
    assert known.axes == {"known feature": ("hour_sin",)}


def test_steps_ahead_start_at_one() -> None:
    trend = NAMES.explanation(Meaning("series", ("feature", "step ahead")), np.zeros((5, 3, 2), np.float32))
    assert trend.axes["step ahead"] == (1, 2)


def test_joined_blocks_end_with_the_last_row_that_was_asked_for() -> None:
    blocks = [{"w": Explanation("weights", np.full((2, 1), i, np.float32), {"head": (1,)})} for i in (1, 2)]
    assert joined(blocks, 3)["w"].values.ravel().tolist() == [1.0, 1.0, 2.0]
    assert joined([], 0) == {}


def test_nothing_is_said_about_the_other_rows() -> None:
    said = Explanation("series", np.array([[1.0], [2.0]], np.float32), {"head": (1,)}).among(np.array([3, 1]), 4)
    np.testing.assert_array_equal(said.values.ravel(), [np.nan, 2.0, np.nan, 1.0])
    assert said.values.dtype == np.float32
