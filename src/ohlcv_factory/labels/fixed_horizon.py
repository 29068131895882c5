"""Fixed horizon: the return after H bars against a threshold of theta standard deviations, barriers or no barriers."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.config import Settings, setting
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT
from ohlcv_factory.labels.paths import TIMED_OUT, Cost, Entry, PathLabels, Paths, contract_slices, label_limits


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
    cost: Cost | None = None,
) -> PathLabels:
    """Label every bar by the return from its entry to the close of bar t + H; `sigma` is `bar_sigma`.

    At least +threshold is long, at most -threshold short. Every path times out: bars_to_hit is H, nothing is ambiguous.
    Excursions are those of all H bars, as shares of the threshold. `limit_row` and `cost` as in `triple_barrier`.
    """
    limit_row = label_limits(bars) if limit_row is None else limit_row
    prices = (bars.open, bars.high, bars.low, bars.close)
    found = _paths(prices, rule.threshold(sigma), rule.horizon, entry == "next_open", limit_row)
    never = np.zeros(len(bars), dtype=np.bool_)
    label, labelled, end_row, entry_price, exit_price, rise, fall = found
    touch = np.full(len(bars), TIMED_OUT, dtype=np.int8)
    paths = Paths(label, labelled, never, never, end_row, entry_price, exit_price, rise, fall, touch)
    return paths.labels(cost)


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
def _paths(prices, threshold, horizon, at_next_open, limit_row):  # type: ignore[no-untyped-def]
    open_, high, low, close = prices
    n = len(close)
    label, labelled, end_row = np.full(n, NEUTRAL, np.int8), np.zeros(n, np.bool_), np.arange(n)
    entry_price, exit_price, rise, fall = np.ones(n), np.ones(n), np.zeros(n), np.zeros(n)
    for t in range(n):
        end = t + horizon
        if not (threshold[t] > 0.0) or end > limit_row[t]:
            continue
        entry = open_[t + 1] if at_next_open else close[t]
        distance = threshold[t] * entry
        highest, lowest = entry, entry
        for j in range(t + 1, end + 1):
            highest, lowest = max(highest, high[j]), min(lowest, low[j])
        move = close[end] - entry
        label[t] = LONG if move >= distance else (SHORT if move <= -distance else NEUTRAL)
        labelled[t], end_row[t] = True, end
        entry_price[t], exit_price[t] = entry, close[end]
        rise[t], fall[t] = (highest - entry) / distance, (entry - lowest) / distance
    return label, labelled, end_row, entry_price, exit_price, rise, fall
