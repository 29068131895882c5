"""Class shares that a random walk gives with the same barriers: what a label distribution is to be compared with."""

from __future__ import annotations

from functools import cache

import numpy as np

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.labels.triple_barrier import Entry, barrier_atr, triple_barrier

NULL_BARS = 40_000
NULL_SEED = 20_180_221


@cache
def null_class_shares(rule: BarrierRule, entry: Entry = "next_open") -> tuple[float, ...]:
    """Shares of short, neutral and long on a driftless random walk of 40,000 bars, to about half a percentage point."""
    bars = random_walk(NULL_BARS, NULL_SEED)
    labels = triple_barrier(bars, barrier_atr(bars), rule, entry)
    rows = labels.labelled & ~labels.ambiguous
    counts = np.bincount(labels.label[rows], minlength=CLASS_COUNT)
    return tuple(float(share) for share in counts / max(1, counts.sum()))
