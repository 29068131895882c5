"""What a trade simulation runs over: one symbol's bars with the barrier rule and costs of one horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import Bars


@dataclass(frozen=True)
class SymbolMarket:
    """Bars of one symbol, shape `(n,)` each, with everything that decides how a trade on them ends."""

    bars: Bars
    atr: np.ndarray
    """`(n,)` float64, ATR(14) at the close of each bar in price units; NaN before it is warm."""
    rule: BarrierRule
    instrument: Instrument
    session_day: np.ndarray
    """`(n,)` int64, the instrument's session of each bar."""
