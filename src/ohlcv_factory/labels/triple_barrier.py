"""Triple barrier: which of two price barriers the path after bar t met first, or neither before the vertical one.

Source: López de Prado 2018, Advances in Financial Machine Learning, chapter 3; high and low decide, not closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

ATR_PERIOD = 14
TIMED_OUT, CLEAN, GAPPED = 0, 1, 2
TOUCH_NAMES = ("timed_out", "clean", "gapped")

Entry = Literal["next_open", "close"]


@dataclass(frozen=True)
class BarrierLabels:
    """Labels of every bar t of one symbol, arrays of shape `(n,)`; meaningless where `labelled` is False."""

    label: np.ndarray
    """int8: 0 short, 1 neutral, 2 long."""
    labelled: np.ndarray
    """bool: ATR is known and the vertical barrier lies inside the data."""
    ambiguous: np.ndarray
    """bool: one bar touched both barriers, so the order is unknown; such rows are neither trained on nor scored."""
    end_row: np.ndarray
    """int64: row of the bar that ended the path, t + 1 to t + max_bars."""
    bars_to_hit: np.ndarray
    """int32: end_row - t."""
    realised_return: np.ndarray
    """float64: exit price over entry price - 1; a gap through a barrier exits at the open."""
    adverse: np.ndarray
    """float64: worst excursion against the trade as a share of its stop's distance; neutral: the larger of both sides."""
    touch: np.ndarray
    """int8: 0 timed out, 1 clean touch, 2 gap through the barrier."""


def triple_barrier(bars: Bars, atr: np.ndarray, rule: BarrierRule, entry: Entry = "next_open") -> BarrierLabels:
    """Label every bar: entry at the next open (or at the close of t), barriers k x ATR(14) of bar t around it.

    The path is bars t + 1 to t + max_bars. A bar that opens beyond a barrier ends it at the open; one that touches both
    is ambiguous (and called short). No label where the vertical barrier lies beyond the data.
    """
    arrays = _label_paths(
        bars.open, bars.high, bars.low, bars.close, atr, rule.k_up, rule.k_down, rule.max_bars, entry == "next_open"
    )
    return BarrierLabels(*arrays)


def barrier_atr(bars: Bars) -> np.ndarray:
    """ATR(14) at the close of each bar, Wilder's smoothing, price units, shape `(n,)`; NaN in its first 14 bars."""
    import talib

    if len(bars) <= ATR_PERIOD:
        return np.full(len(bars), np.nan)
    return np.asarray(talib.ATR(bars.high, bars.low, bars.close, timeperiod=ATR_PERIOD))


@njit(cache=True, nogil=True)
def _label_paths(open_, high, low, close, atr, k_up, k_down, max_bars, at_next_open):  # type: ignore[no-untyped-def]
    n = len(close)
    label = np.full(n, NEUTRAL, np.int8)
    labelled = np.zeros(n, np.bool_)
    ambiguous = np.zeros(n, np.bool_)
    end_row = np.empty(n, np.int64)
    bars_to_hit = np.zeros(n, np.int32)
    realised = np.zeros(n)
    adverse = np.zeros(n)
    touch = np.full(n, TIMED_OUT, np.int8)
    for t in range(n):
        end_row[t] = t
        if not (atr[t] > 0.0) or t + max_bars >= n:
            continue
        labelled[t] = True
        entry = open_[t + 1] if at_next_open else close[t]
        up_distance, down_distance = k_up * atr[t], k_down * atr[t]
        upper, lower = entry + up_distance, entry - down_distance
        highest, lowest, exit_price, end = entry, entry, close[t + max_bars], t + max_bars
        for j in range(t + 1, t + max_bars + 1):
            highest, lowest = max(highest, high[j]), min(lowest, low[j])
            above, below = high[j] >= upper, low[j] <= lower
            if not (above or below):
                continue
            end = j
            if open_[j] >= upper or open_[j] <= lower:
                label[t], touch[t], exit_price = (LONG if open_[j] >= upper else SHORT), GAPPED, open_[j]
            else:
                ambiguous[t] = above and below
                label[t], touch[t], exit_price = (SHORT if below else LONG), CLEAN, (lower if below else upper)
            break
        end_row[t], bars_to_hit[t], realised[t] = end, end - t, exit_price / entry - 1.0
        rise, fall = (highest - entry) / up_distance, (entry - lowest) / down_distance
        adverse[t] = max(rise, fall) if label[t] == NEUTRAL else (fall if label[t] == LONG else rise)
    return label, labelled, ambiguous, end_row, bars_to_hit, realised, adverse, touch
