"""Triple barrier: which of two price barriers the path after bar t met first, or neither before the vertical one.

Source: López de Prado 2018, Advances in Financial Machine Learning, chapter 3; high and low decide, not closes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.classes import NEUTRAL
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.paths import (
    CLEAN,
    FREE,
    GAPPED,
    TIMED_OUT,
    Cost,
    Entry,
    PathLabels,
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
    cost: Cost = FREE,
) -> PathLabels:
    """Label every bar: entry at the next open (or at the close of t), barriers k x ATR(14) of bar t around it.

    The path is bars t + 1 to t + max_bars; there is no label where that lies beyond `limit_row` (`label_limits` of the
    bars by default). A bar that opens beyond a barrier ends the path at the open. Of one that touches both, the finer
    bars tell which came first; else the row is ambiguous (and called short). A touch that does not earn more than
    `cost` is neutral, its touch is kept. Excursions count the touching bar whole on the side away from the touch.
    """
    limit_row = label_limits(bars) if limit_row is None else limit_row
    finer = FinerBars.under(bars, None) if finer is None else finer
    prices = (bars.open, bars.high, bars.low, bars.close)
    under = (finer.open, finer.high, finer.low, finer.starts)
    distances = (rule.k_up, rule.k_down, rule.max_bars)
    return PathLabels(*_paths(prices, atr, distances, entry == "next_open", limit_row, under, (cost.fixed, cost.share)))


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
def _paths(prices, atr, distances, at_next_open, limit_row, under, cost):  # type: ignore[no-untyped-def]
    """The fields of `PathLabels` for every row."""
    open_, high, low, close = prices
    finer_open, finer_high, finer_low, starts = under
    k_up, k_down, max_bars = distances
    fixed, share = cost
    n = len(close)
    label, touch = np.empty(n, np.int8), np.empty(n, np.int8)
    labelled, ambiguous, resolved = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    end_row, bars_to_hit = np.empty(n, np.int64), np.empty(n, np.int32)
    realised, adverse, favourable = np.empty(n), np.empty(n), np.empty(n)
    for t in range(n):
        if not (atr[t] > 0.0) or t + max_bars > limit_row[t]:
            label[t], touch[t], end_row[t], bars_to_hit[t] = NEUTRAL, TIMED_OUT, t, 0
            realised[t], adverse[t], favourable[t] = 0.0, 0.0, 0.0
            continue
        labelled[t] = True
        entry = open_[t + 1] if at_next_open else close[t]
        up_distance, down_distance = k_up * atr[t], k_down * atr[t]
        upper, lower = entry + up_distance, entry - down_distance
        highest, lowest, end, price = entry, entry, t + max_bars, close[t + max_bars]
        side, how, j = 0, TIMED_OUT, t
        while j < end:  # a tenth faster than over a range
            j += 1
            bar_high, bar_low = high[j], low[j]
            if bar_high < upper and bar_low > lower:
                highest, lowest = max(highest, bar_high), min(lowest, bar_low)
                continue
            end = j
            side, price, gapped, bar_high, bar_low = _touch(open_[j], bar_high, bar_low, upper, lower)
            if side == 0:
                found = first_touch(upper, lower, finer_open, finer_high, finer_low, starts[j], starts[j + 1])
                ambiguous[t], resolved[t], side = found[0] == 0, found[0] != 0, -1
                if found[0] != 0:
                    side, price, gapped, bar_high, bar_low = found
            how = GAPPED if gapped else CLEAN
            highest, lowest = max(highest, bar_high), min(lowest, bar_low)
            break
        if side * (price - entry) <= fixed + share * (entry + price):
            side = 0
        rise, fall = (highest - entry) / up_distance, (entry - lowest) / down_distance
        is_against = side < 0 or (side == 0 and rise > fall)
        adverse[t], favourable[t] = (rise, fall) if is_against else (fall, rise)
        label[t], touch[t], end_row[t], bars_to_hit[t] = NEUTRAL + side, how, end, end - t
        realised[t] = price / entry - 1.0
    return label, labelled, ambiguous, resolved, end_row, bars_to_hit, realised, adverse, favourable, touch


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
