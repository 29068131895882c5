"""How much a label counts: its quality, and how little it overlaps with its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from ohlcv_factory.labels.classes import CLASS_COUNT, NEUTRAL
from ohlcv_factory.labels.paths import GAPPED, TIMED_OUT, PathLabels

Weighting = Literal["both", "quality", "uniqueness", "none"]


@dataclass(frozen=True)
class Quality:
    """Three factors of a label's quality, each `(n,)` float64 in [0.5, 1.5], and their geometric mean."""

    time: np.ndarray
    """1.5 for a hit in the first bar, falling to 0.5 at the vertical barrier; 1 for neutral labels, and without a hit."""
    drawdown: np.ndarray
    """1.5 without an adverse excursion, falling to 0.5 when it reached the stop."""
    touch: np.ndarray
    """1.25 for a clean touch, 1 for a gap through the barrier, for neutral labels, and without a touch."""

    @property
    def total(self) -> np.ndarray:
        """(time x drawdown x touch) ^ (1/3)."""
        mean: np.ndarray = np.cbrt(self.time * self.drawdown * self.touch)
        return mean


def label_quality(labels: PathLabels, max_bars: int) -> Quality:
    """The quality factors of every label; faster, cleaner and calmer hits count more.

    A fixed-horizon label is never a hit: its drawdown alone speaks, like that of every neutral label.
    """
    no_hit = (labels.label == NEUTRAL) | (labels.touch == TIMED_OUT)
    waited = (labels.bars_to_hit - 1) / (max_bars - 1) if max_bars > 1 else np.full(len(labels.label), 0.5)
    time = np.where(no_hit, 1.0, 1.5 - waited)
    drawdown = 1.5 - np.minimum(1.0, labels.adverse)
    touch = np.where(no_hit | (labels.touch == GAPPED), 1.0, 1.25)
    return Quality(time, drawdown, touch)


def average_uniqueness(labels: PathLabels, counted: np.ndarray) -> np.ndarray:
    """Mean over a label's bars of 1 / (labels alive in that bar), `(n,)` float64; 1 where `counted` is False.

    A label lives from bar t + 1 to its end. Source: López de Prado 2018, chapter 4.
    """
    uniqueness: np.ndarray = _uniqueness(labels.end_row, np.asarray(counted))
    return uniqueness


@njit(cache=True, nogil=True)
def _uniqueness(end_row, counted):  # type: ignore[no-untyped-def]
    n = len(end_row)
    change = np.zeros(n + 2, np.int64)
    for row in range(n):
        if counted[row]:
            change[row + 1] += 1
            change[end_row[row] + 1] -= 1
    shares, alive = np.zeros(n + 1), 0  # shares[bar] sums 1 / alive over the bars before it
    for bar in range(n):
        alive += change[bar]
        shares[bar + 1] = shares[bar] + (1.0 / alive if alive > 0 else 0.0)
    uniqueness = np.ones(n)
    for row in range(n):
        if counted[row]:
            last = end_row[row]
            uniqueness[row] = (shares[last + 1] - shares[row + 1]) / (last - row)
    return uniqueness


def training_weights(
    quality: np.ndarray, uniqueness: np.ndarray, y: np.ndarray, weighting: Weighting, *, balanced: bool = False
) -> np.ndarray:
    """Weights of n training rows, `(n,)` float64, with mean 1 within each class, so that they carry no class prior.

    `balanced` then multiplies each class by n / (classes present x rows of the class).
    """
    weight = np.ones(len(y))
    if weighting in ("both", "quality"):
        weight = weight * quality
    if weighting in ("both", "uniqueness"):
        weight = weight * uniqueness
    counts = np.bincount(y, minlength=CLASS_COUNT)
    present = np.count_nonzero(counts)
    for code in np.flatnonzero(counts):
        rows = y == code
        weight[rows] /= weight[rows].mean()
        if balanced:
            weight[rows] *= len(y) / (present * counts[code])
    return weight
