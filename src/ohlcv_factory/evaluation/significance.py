"""How far a number may be chance: Wilson's interval and the stationary block bootstrap.

The bootstrap works on *means of columns*: a Sharpe ratio is a function of mean(x) and mean(x²), a hit rate of the mean
of a 0/1 column. Block sums then come from prefix sums: a resample costs its number of blocks, not of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ohlcv_factory.errors import UsageError
from ohlcv_factory.labels.classes import LONG, NEUTRAL
from ohlcv_factory.runtime.seeding import component_generator

LEVEL = 0.90
"""Share of the two-sided intervals of this package."""
NORMAL_QUANTILE = 1.6448536269514722
"""Of the standard normal at 0.95: both ends of a 90 % interval."""
RESAMPLES = 1000
MIN_BLOCK = 5
"""Shortest default block: one trading week of days."""


class Interval(NamedTuple):
    """Both ends of a 90 % interval."""

    low: float
    high: float


def wilson_interval(rate: float, count: float) -> Interval | None:
    """90 % interval of a rate seen in `count` independent draws (Wilson 1927); None without a draw.

    `count` need not be whole: overlapping labels count with their average uniqueness.

    >>> wilson_interval(0.5, 100.0)
    Interval(low=0.41884779611252954, high=0.5811522038874705)
    """
    if count <= 0:
        return None
    spread = NORMAL_QUANTILE**2 / count
    centre = (rate + spread / 2) / (1 + spread)
    half = NORMAL_QUANTILE * math.sqrt(rate * (1 - rate) / count + spread / (4 * count)) / (1 + spread)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def default_block_length(count: int) -> int:
    """Mean length of a block: n^(1/3), the rate of Politis and Romano (1994), and no less than 5."""
    return max(MIN_BLOCK, round(math.cbrt(count)))


def bootstrap_means(
    columns: np.ndarray, *, block_length: int | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Column means of stationary block resamples (Politis and Romano 1994): columns `(n, k)` -> `(resamples, k)`.

    Blocks start anywhere, wrap around the end and have geometric length of mean `block_length` (default: n^(1/3), at
    least 5). The same seed gives the same bytes. Raises UsageError without rows.
    """
    count = len(columns)
    if count == 0:
        raise UsageError("a bootstrap needs at least 1 row, got 0.", help="check the part's rows")
    generator = component_generator(seed, "stationary_bootstrap")
    starts, stops = draw_blocks(count, block_length or default_block_length(count), resamples, generator)
    means = np.empty((resamples, columns.shape[1]))
    for position, column in enumerate(columns.T):
        running = np.concatenate([[0.0], np.cumsum(np.concatenate([column, column]))])
        means[:, position] = (running[stops] - running[starts]).sum(axis=1) / count
    return means


def draw_blocks(
    count: int, block_length: int, resamples: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """First row and one past the last row of each block, `(resamples, blocks)` each; every resample holds `count` rows.

    Rows at or above `count` stand for row - count. Blocks beyond the last needed one are empty.
    """
    expected = count / min(block_length, count)
    blocks = math.ceil(expected + 6 * math.sqrt(expected) + 6)
    lengths = generator.geometric(1 / min(block_length, count), size=(resamples, blocks))
    filled = np.minimum(np.cumsum(lengths, axis=1), count)
    filled[:, -1] = count
    starts = generator.integers(0, count, size=(resamples, blocks))
    return starts, starts + np.diff(filled, axis=1, prepend=0)


def bootstrap_interval(
    columns: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    block_length: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """90 % percentile interval of a statistic of column means, `statistic((resamples, k)) -> (resamples,)`.

    The sample's own mean pulls each of its autocovariances down by variance / n, so that resampled variances are short
    by the share (2 · block - 1) / n; the interval is widened by as much. None under two blocks of rows, and where the
    statistic is undefined (NaN) in more than half of the resamples.
    """
    count = len(columns)
    block = block_length or default_block_length(count)
    if count < 2 * block:
        return None
    values = statistic(bootstrap_means(columns, block_length=block, resamples=resamples, seed=seed))
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < resamples:
        return None
    centre = float(statistic(columns.mean(axis=0, keepdims=True))[0])
    widening = 1 / math.sqrt(1 - (2 * block - 1) / count)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(centre + float(low - centre) * widening, centre + float(high - centre) * widening)


class HitRateEdge(NamedTuple):
    """Direction hit rate minus the rate that the same marginals give to an independent prediction."""

    edge: float
    interval: Interval | None
    block_rows: int


def hit_rate_edge(
    truth: np.ndarray, decision: np.ndarray, *, block_rows: int | None = None, seed: int = 0
) -> HitRateEdge | None:
    """Edge in direction with its 90 % interval by blocks of rows; None where no row is non-neutral in both.

    truth and decision: `(n,)` classes of scored rows **in time order**. Blocks must outlast the overlap of labels.
    """
    columns = _direction_columns(truth, decision)
    if not columns[:, 0].any():
        return None
    block = block_rows or default_block_length(len(columns))
    interval = bootstrap_interval(columns, _edge_of_means, block_length=block, seed=seed)
    return HitRateEdge(float(_edge_of_means(columns.mean(axis=0)[None])[0]), interval, block)


def _direction_columns(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """0/1 columns `(n, 4)`: both non-neutral, and then a hit, truth long, decision long."""
    both = (truth != NEUTRAL) & (decision != NEUTRAL)
    flags = (both, both & (truth == decision), both & (truth == LONG), both & (decision == LONG))
    return np.stack(flags, axis=1).astype(np.float64)


def _edge_of_means(means: np.ndarray) -> np.ndarray:
    """Hit rate minus independent rate from the means of `_direction_columns`, `(r, 4)` -> `(r,)`."""
    both = np.where(means[:, 0] > 0, means[:, 0], np.nan)
    hit, truth_long, decision_long = (means[:, column] / both for column in (1, 2, 3))
    return hit - truth_long * decision_long - (1 - truth_long) * (1 - decision_long)
