"""The finer source bars under longer ones: they tell which of two barriers came first inside one bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ohlcv_factory.bars.schema import Bars


@dataclass(frozen=True)
class FinerBars:
    """Prices of m finer bars under n bars, and where those of each bar begin."""

    open: np.ndarray
    """`(m,)` float64, as are high and low."""
    high: np.ndarray
    low: np.ndarray
    starts: np.ndarray
    """`(n + 1,)` int64: bar t holds the finer bars `starts[t]` to `starts[t + 1] - 1`; none at all where m is 0."""

    @classmethod
    def under(cls, bars: Bars, source: Bars | None) -> Self:
        """The source bars from each bar's open to the next one's; without source bars every bar holds none."""
        if source is None:
            nothing = np.empty(0)
            return cls(nothing, nothing, nothing, np.zeros(len(bars) + 1, dtype=np.int64))
        edges = np.append(bars.time_ns, bars.close_time_ns[-1:])
        starts = np.searchsorted(source.time_ns, edges).astype(np.int64)
        return cls(source.open, source.high, source.low, starts)
