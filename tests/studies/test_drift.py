from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.studies.drift import drift_curve, plot_drift

SHARES = np.array([0.5, 0.25, 0.25])


def predictions(count, scored=None):
    """Rows a nanosecond apart: the first half knows the class shares alone, the second gives the truth 0.5, not 0.25."""
    index = np.zeros(count, dtype=[("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
    index["time_ns"] = index["row"] = np.arange(count)
    later = np.arange(count)[:, None] >= count // 2
    probabilities = np.where(later, [0.25, 0.25, 0.5], SHARES)
    truth = np.full(count, 2, np.int8)
    flags = np.ones(count, dtype=bool) if scored is None else scored
    return Predictions(index, ("S",), probabilities, probabilities, truth, truth, flags, flags, 5)


def test_the_curve_has_at_most_forty_steps_of_at_least_fifty_rows():
    assert [len(drift_curve(predictions(count), SHARES).skill) for count in (10, 99, 100, 1000, 9000)] == [
        1,
        1,
        2,
        20,
        40,
    ]


def test_each_step_is_the_mean_gain_of_its_rows_at_its_middle():
    curve = drift_curve(predictions(200), SHARES)
    assert curve.skill == pytest.approx([0.0, 0.0, np.log(2), np.log(2)])
    assert curve.time_ns.tolist() == [25, 75, 125, 175]


def test_rows_that_are_not_scored_do_not_count():
    scored = np.arange(200) >= 100
    assert drift_curve(predictions(200, scored), SHARES).skill == pytest.approx([np.log(2)] * 2)
    nothing = drift_curve(predictions(60, np.zeros(60, dtype=bool)), SHARES)
    assert (len(nothing.time_ns), len(nothing.skill)) == (0, 0)


def test_the_picture_is_the_same_for_the_same_study(study, tmp_path):
    entries = [entry for result in study.folds for entry in result.blocks]
    curve = drift_curve(study.predictions, SHARES)
    for name in ("one", "two"):
        plot_drift(tmp_path / f"{name}.png", entries, curve)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    plot_drift(tmp_path / "other.png", entries[:2], curve)
    assert (tmp_path / "other.png").read_bytes() != (tmp_path / "one.png").read_bytes()
