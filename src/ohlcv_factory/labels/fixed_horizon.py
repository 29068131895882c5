"""Fixed horizon: the return after H bars against a threshold of theta standard deviations, barriers or no barriers."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.config import Settings, setting
from ohlcv_factory.labels.classes import NEUTRAL
from ohlcv_factory.labels.paths import FREE, TIMED_OUT, Cost, Entry, PathLabels, contract_slices, label_limits


class FixedHorizonRule(Settings):
    """Fixed-horizon label: a move of theta x sigma x sqrt(horizon) from the entry decides, as it stands after H bars."""

    theta: float = setting(0.5, "Threshold in standard deviations of the return over the horizon.", gt=0)
    horizon: int = setting(..., "Bars after which the return is taken.", ge=1)
    sigma_bars: int = setting(100, "Log returns of whose standard deviation sigma is made.", ge=2)

    @property
    def max_bars(self) -> int:
        """Bars to the end of every path."""
        return self.horizon

    def threshold(self, sigma: np.ndarray) -> np.ndarray:
        """The return, as a share of the entry price, that makes a label long or short, `(n,)`."""
        return self.theta * math.sqrt(self.horizon) * sigma


def fixed_horizon(
    bars: Bars,
    sigma: np.ndarray,
    rule: FixedHorizonRule,
    entry: Entry = "next_open",
    limit_row: np.ndarray | None = None,
    cost: Cost = FREE,
) -> PathLabels:
    """Label every bar by the return from its entry to the close of bar t + H; `sigma` is `bar_sigma`.

    At least +threshold is long, at most -threshold short. Every path times out: bars_to_hit is H, nothing is ambiguous.
    Excursions are those of all H bars, as shares of the threshold. `limit_row` and `cost` as in `triple_barrier`.
    """
    limit_row = label_limits(bars) if limit_row is None else limit_row
    prices = (bars.open, bars.high, bars.low, bars.close)
    threshold = rule.threshold(sigma)
    found = _paths(prices, threshold, rule.horizon, entry == "next_open", limit_row, (cost.fixed, cost.share))
    label, labelled, end_row, realised, adverse, favourable = found
    never, touch = np.zeros(len(bars), dtype=np.bool_), np.full(len(bars), TIMED_OUT, dtype=np.int8)
    bars_to_hit = np.where(labelled, np.int32(rule.horizon), np.int32(0))
    return PathLabels(label, labelled, never, never, end_row, bars_to_hit, realised, adverse, favourable, touch)


def bar_sigma(bars: Bars, sigma_bars: int) -> np.ndarray:
    """Standard deviation of the last `sigma_bars` log returns at the close of each bar, `(n,)`, by n - 1.

    Each contract starts anew: NaN in its first `sigma_bars` bars.
    """
    sigma = np.full(len(bars), np.nan)
    for rows in contract_slices(bars):
        sigma[rows] = _rolling_deviation(np.diff(np.log(bars.close[rows]), prepend=np.nan), sigma_bars)
    return sigma


@njit(cache=True, nogil=True)
def _rolling_deviation(values, window):  # type: ignore[no-untyped-def]
    """Two passes over each window: exact for returns of any size, and the same bits whatever came before."""
    deviation = np.full(len(values), np.nan)
    for t in range(window, len(values)):
        mean = 0.0
        for j in range(t - window + 1, t + 1):
            mean += values[j]
        mean /= window
        squares = 0.0
        for j in range(t - window + 1, t + 1):
            squares += (values[j] - mean) ** 2
        deviation[t] = np.sqrt(squares / (window - 1))
    return deviation


@njit(cache=True, nogil=True)
def _paths(prices, threshold, horizon, at_next_open, limit_row, cost):  # type: ignore[no-untyped-def]
    """Label, labelled, end row, realised return, adverse and favourable excursion of every row."""
    open_, high, low, close = prices
    fixed, share = cost
    n = len(close)
    label, labelled, end_row = np.full(n, NEUTRAL, np.int8), np.zeros(n, np.bool_), np.arange(n)
    realised, adverse, favourable = np.zeros(n), np.zeros(n), np.zeros(n)
    for t in range(n):
        end = t + horizon
        if not (threshold[t] > 0.0) or end > limit_row[t]:
            continue
        entry = open_[t + 1] if at_next_open else close[t]
        distance, price = threshold[t] * entry, close[end]
        highest, lowest = entry, entry
        for j in range(t + 1, end + 1):
            highest, lowest = max(highest, high[j]), min(lowest, low[j])
        side = 1 if price - entry >= distance else (-1 if price - entry <= -distance else 0)
        if side * (price - entry) <= fixed + share * (entry + price):
            side = 0
        rise, fall = (highest - entry) / distance, (entry - lowest) / distance
        is_against = side < 0 or (side == 0 and rise > fall)
        adverse[t], favourable[t] = (rise, fall) if is_against else (fall, rise)
        label[t], labelled[t], end_row[t], realised[t] = NEUTRAL + side, True, end, price / entry - 1.0
    return label, labelled, end_row, realised, adverse, favourable
