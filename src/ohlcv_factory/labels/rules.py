"""One door to both kinds of label: the rule says which."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule, bar_sigma, fixed_horizon
from ohlcv_factory.labels.paths import FREE, Cost, Entry, PathLabels
from ohlcv_factory.labels.triple_barrier import barrier_atr, triple_barrier

LabelKind = Literal["triple_barrier", "fixed_horizon"]
LabelRule = BarrierRule | FixedHorizonRule
RULES: dict[str, type[BarrierRule] | type[FixedHorizonRule]] = {
    "triple_barrier": BarrierRule,
    "fixed_horizon": FixedHorizonRule,
}
"""The settings of each kind of label."""


def label_scale(bars: Bars, rule: LabelRule) -> np.ndarray:
    """What the rule's distances are multiples of, known at the close of each bar, `(n,)`: ATR(14), or sigma."""
    return bar_sigma(bars, rule.sigma_bars) if isinstance(rule, FixedHorizonRule) else barrier_atr(bars)


def label_bars(
    bars: Bars,
    scale: np.ndarray,
    rule: LabelRule,
    entry: Entry = "next_open",
    limit_row: np.ndarray | None = None,
    finer: FinerBars | None = None,
    cost: Cost = FREE,
) -> PathLabels:
    """Labels of every bar by the rule; the arguments are those of `triple_barrier`, `scale` is `label_scale`."""
    if isinstance(rule, FixedHorizonRule):
        return fixed_horizon(bars, scale, rule, entry, limit_row, cost)
    return triple_barrier(bars, scale, rule, entry, limit_row, finer, cost)
