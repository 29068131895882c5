"""Triple barrier: which of two price barriers the path after bar t met first, or neither before the vertical one.

Source: López de Prado 2018, Advances in Financial Machine Learning, chapter 3; high and low decide, not closes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.paths import (
    CLEAN,
    GAPPED,
    TIMED_OUT,
    Cost,
    Entry,
    PathLabels,
    Paths,
    contract_slices,
    label_limits,
)

ATR_PERIOD = 14


def triple_barrier(
    bars: Bars,
    atr: np.ndarray,
    rule: BarrierRule,
    entry: Entry = "next_open",
    limit_row: np.ndarray | None = None,
    finer: FinerBars | None = None,
    cost: Cost | None = None,
) -> PathLabels:
    """Label every bar: entry at the next open (or at the close of t), barriers k x ATR(14) of bar t around it.

    The path is bars t + 1 to t + max_bars; there is no label where that lies beyond `limit_row` (`label_limits` of the
    bars by default). A bar that opens beyond a barrier ends the path at the open. Of one that touches both, the finer
    bars tell which came first; else the row is ambiguous (and called short). With `cost` a touch that does not earn
    more than both sides cost is neutral. Excursions count the touching bar whole on the side away from the touch.
    """
    limit_row = label_limits(bars) if limit_row is None else limit_row
    finer = FinerBars.under(bars, None) if finer is None else finer
    prices = (bars.open, bars.high, bars.low, bars.close)
    under = (finer.open, finer.high, finer.low, finer.starts)
    distances = (rule.k_up, rule.k_down, rule.max_bars)
    return Paths(*_paths(prices, atr, distances, entry == "next_open", limit_row, under)).labels(cost)


def barrier_atr(bars: Bars) -> np.ndarray:
    """ATR(14) at the close of each bar, Wilder's smoothing, price units, shape `(n,)`.

    Each contract starts anew, since the step across a roll is no range: NaN in its first 14 bars.
    """
    import talib

    atr = np.full(len(bars), np.nan)
    for rows in contract_slices(bars):
        if rows.stop - rows.start > ATR_PERIOD:
            atr[rows] = talib.ATR(bars.high[rows], bars.low[rows], bars.close[rows], timeperiod=ATR_PERIOD)
    return atr


@njit(cache=True, nogil=True)
def _paths(prices, atr, distances, at_next_open, limit_row, under):  # type: ignore[no-untyped-def]
    """The fields of `Paths` for every row."""
    open_, high, low, close = prices
    finer_open, finer_high, finer_low, starts = under
    k_up, k_down, max_bars = distances
    n = len(close)
    label, touch = np.full(n, NEUTRAL, np.int8), np.full(n, TIMED_OUT, np.int8)
    labelled, ambiguous, resolved = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    end_row, entry_price, exit_price = np.arange(n), np.ones(n), np.ones(n)
    rise, fall = np.zeros(n), np.zeros(n)
    for t in range(n):
        if not (atr[t] > 0.0) or t + max_bars > limit_row[t]:
            continue
        labelled[t] = True
        entry = open_[t + 1] if at_next_open else close[t]
        up_distance, down_distance = k_up * atr[t], k_down * atr[t]
        upper, lower = entry + up_distance, entry - down_distance
        highest, lowest, last = entry, entry, t + max_bars
        entry_price[t], exit_price[t], end_row[t] = entry, close[last], last
        for j in range(t + 1, last + 1):
            bar_high, bar_low = high[j], low[j]
            if bar_high < upper and bar_low > lower:
                highest, lowest = max(highest, bar_high), min(lowest, bar_low)
                continue
            end_row[t] = j
            side, price, gapped, bar_high, bar_low = _touch(open_[j], bar_high, bar_low, upper, lower)
            if side == 0:
                found = first_touch(upper, lower, finer_open, finer_high, finer_low, starts[j], starts[j + 1])
                ambiguous[t], resolved[t] = found[0] == 0, found[0] != 0
                if found[0] != 0:
                    side, price, gapped, bar_high, bar_low = found
            label[t], touch[t], exit_price[t] = (LONG if side > 0 else SHORT), (GAPPED if gapped else CLEAN), price
            highest, lowest = max(highest, bar_high), min(lowest, bar_low)
            break
        rise[t], fall[t] = (highest - entry) / up_distance, (entry - lowest) / down_distance
    return label, labelled, ambiguous, resolved, end_row, entry_price, exit_price, rise, fall, touch


@njit(cache=True, nogil=True)
def _touch(open_, high, low, upper, lower):  # type: ignore[no-untyped-def]
    """How a bar that reaches a barrier ends a path: side, exit price, gapped, highest and lowest until then.

    Side is 0 where it touches both, price and extremes being those of the lower barrier touched first.
    """
    if open_ >= upper or open_ <= lower:
        return (1 if open_ >= upper else -1), open_, True, open_, open_
    if low > lower:
        return 1, upper, False, upper, low
    return (0 if high >= upper else -1), lower, False, high, lower


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
