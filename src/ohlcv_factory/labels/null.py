"""Class shares that a random walk gives under the same rule: what a label distribution is to be compared with."""

from __future__ import annotations

from functools import cache

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.labels.paths import FREE, Cost, Entry
from ohlcv_factory.labels.rules import LabelRule, label_bars, label_scale
from ohlcv_factory.labels.triple_barrier import barrier_atr

NULL_BARS = 40_000
NULL_SEED = 20_180_221


def null_class_shares(
    rule: LabelRule, entry: Entry = "next_open", cost_in_atr: float | None = None
) -> tuple[float, ...]:
    """Shares of short, neutral and long on a driftless random walk of 40,000 bars, to about half a percentage point.

    `cost_in_atr`, for cost-aware labels, is what both sides cost in median ATR(14); it is rounded to two
    significant digits. The walk has no sessions, no rolls and no finer bars.
    """
    return _shares(rule, entry, None if cost_in_atr is None else float(f"{cost_in_atr:.2g}"))


@cache
def _shares(rule: LabelRule, entry: Entry, cost_in_atr: float | None) -> tuple[float, ...]:
    bars, atr = _walk()
    cost = FREE if cost_in_atr is None else Cost(cost_in_atr * float(np.nanmedian(atr)), 0.0)
    labels = label_bars(bars, label_scale(bars, rule), rule, entry, cost=cost)
    rows = labels.labelled & ~labels.ambiguous
    counts = np.bincount(labels.label[rows], minlength=CLASS_COUNT)
    return tuple(float(share) for share in counts / max(1, counts.sum()))


@cache
def _walk() -> tuple[Bars, np.ndarray]:
    bars = random_walk(NULL_BARS, NULL_SEED)
    return bars, barrier_atr(bars)
