"""How a model's scores move over time: block by block, and in finer steps along the out-of-fold path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.stability import log_loss_gain
from ohlcv_factory.studies.fold_scores import JUDGED, SKILL, Entry, score_of
from ohlcv_factory.training.plots import blank_figure, save_figure

STEPS = 40
"""Stretches of equally many scored rows that the finer curve is made of."""
FEWEST_ROWS = 50
AXES = {
    SKILL: "log-loss skill, nats",
    "direction_edge": "direction hits above chance",
    "sharpe_ratio": "net Sharpe ratio",
}


@dataclass(frozen=True)
class DriftCurve:
    """Log-loss skill along the path: the middle of each stretch, ns since 1970 UTC, and its mean, `(m,)` each."""

    time_ns: np.ndarray
    skill: np.ndarray


def drift_curve(predictions: Predictions, class_shares: np.ndarray) -> DriftCurve:
    """Mean gain in log-loss over the class shares `(3,)`, in up to 40 stretches of at least 50 scored rows."""
    rows = np.flatnonzero(predictions.scored)
    rows = rows[np.argsort(predictions.index["time_ns"][rows], kind="stable")]
    pieces = np.array_split(rows, max(1, min(STEPS, len(rows) // FEWEST_ROWS))) if len(rows) else []
    times = [int(predictions.index["time_ns"][piece[len(piece) // 2]]) for piece in pieces]
    skill = [float(log_loss_gain(predictions, piece, class_shares).mean()) for piece in pieces]
    return DriftCurve(np.array(times, dtype=np.int64), np.array(skill))


def plot_drift(path: Path, entries: Sequence[Entry], curve: DriftCurve) -> None:
    """One panel for each score: a line over every tested block with its 90 % interval, and the finer curve of the skill."""
    figure, panels = blank_figure(8, 7, rows=len(JUDGED))
    for axes, name in zip(panels, JUDGED, strict=True):
        for entry in entries:
            _draw_block(axes, entry, name)
        axes.axhline(0.0, color="grey", linewidth=0.8)
        axes.set(ylabel=AXES[name])
    if len(curve.time_ns):
        moments = [datetime.fromtimestamp(time / 1e9, UTC) for time in curve.time_ns.tolist()]
        panels[0].plot(moments, curve.skill, color="tab:orange", linewidth=1, label="in finer steps")
        panels[0].legend(loc="best")
    figure.autofmt_xdate()
    save_figure(figure, path)


def _draw_block(axes: Any, entry: Entry, name: str) -> None:
    value, ends = score_of(entry, name)
    span = [datetime.fromisoformat(entry[end]) for end in ("first", "last")]
    if ends is not None:
        axes.fill_between(span, *([end, end] for end in ends), color="tab:blue", alpha=0.15, linewidth=0)
    if value is not None:
        axes.plot(span, [value, value], color="tab:blue", linewidth=2)
