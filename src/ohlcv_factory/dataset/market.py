"""One symbol's bars with the label rule and costs of one horizon: what a simulation runs over, what a model may know of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule, bar_sigma
from ohlcv_factory.labels.rules import LabelRule


@dataclass(frozen=True)
class SymbolMarket:
    """Bars of one symbol, shape `(n,)` each, with everything that decides how a trade on them ends."""

    bars: Bars
    atr: np.ndarray
    """`(n,)` float64, ATR(14) at the close of each bar in price units; NaN before it is warm."""
    rule: LabelRule
    instrument: Instrument
    session_day: np.ndarray
    """`(n,)` int64, the instrument's session of each bar."""
    source: Bars | None = None
    """The finer bars that these were made of; None where they are as they came."""
    session_end: bool = False
    """Whether the labels end with their session, so that positions do too."""

    @cached_property
    def finer(self) -> FinerBars:
        """The source bars under each bar: they tell which of two barriers came first inside one."""
        return FinerBars.under(self.bars, self.source)


def row_market(bars: Bars, atr: np.ndarray, rule: LabelRule, rows: np.ndarray) -> RowMarket:
    """What is known of the label rule of some rows at their close; `atr` is `barrier_atr` of all the bars."""
    none = np.full(len(rows), np.nan)
    max_bars = np.full(len(rows), rule.max_bars, dtype=np.int64)
    close, own_atr = bars.close[rows], atr[rows]
    if isinstance(rule, FixedHorizonRule):
        threshold = rule.threshold(bar_sigma(bars, rule.sigma_bars)[rows])
        return RowMarket(close, own_atr, none, none, threshold, max_bars)
    k_up, k_down = np.full(len(rows), rule.k_up), np.full(len(rows), rule.k_down)
    return RowMarket(close, own_atr, k_up, k_down, none, max_bars)
