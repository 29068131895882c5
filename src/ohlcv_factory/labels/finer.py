"""Which of two barriers came first inside one bar: asked of the finer source bars under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit

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


@njit(cache=True, nogil=True)
def first_touch(upper, lower, open_, high, low, first, stop):  # type: ignore[no-untyped-def]
    """Which barrier the finer bars `first` to `stop - 1` met first: side, exit price, gapped, highest, lowest.

    Side is 1 for the upper, -1 for the lower barrier, and 0 where one finer bar touches both, or there is none. A finer
    bar that opens beyond a barrier exits at its open. Highest and lowest are the extremes up to the exit.
    """
    highest, lowest = -np.inf, np.inf
    for row in range(first, stop):
        price = open_[row]
        if price >= upper or price <= lower:
            return (1 if price >= upper else -1), price, True, max(highest, price), min(lowest, price)
        above, below = high[row] >= upper, low[row] <= lower
        if above and below:
            break
        highest, lowest = max(highest, min(high[row], upper)), min(lowest, max(low[row], lower))
        if above or below:
            return (1 if above else -1), (upper if above else lower), False, highest, lowest
    return 0, 0.0, False, highest, lowest
