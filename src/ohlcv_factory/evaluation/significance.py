"""How far a number may be chance: Wilson's interval and the stationary block bootstrap.

The bootstrap works on *means of columns*: a Sharpe ratio is a function of mean(x) and mean(x²), macro-F1 of the means of
nine 0/1 columns. Block sums then come from prefix sums: a resample costs its number of blocks, not of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.runtime.seeding import component_generator

LEVEL = 0.90
"""Share of the two-sided intervals of this package."""
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""Quantiles at both ends of such an interval."""
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
    starts, stops = _drawn(count, block_length or default_block_length(count), resamples, seed)
    return _block_sums(_running_sums(columns), starts, stops) / count  # type: ignore[no-any-return]


@lru_cache(maxsize=2)
def _drawn(count: int, block_length: int, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of a seed; a model and its baselines are resampled alike, one after the other."""
    drawn = draw_blocks(count, block_length, resamples, component_generator(seed, "stationary_bootstrap"))
    for places in drawn:
        places.flags.writeable = False
    return drawn


def _running_sums(columns: np.ndarray) -> np.ndarray:
    """Sums of the first 0 .. n rows, `(n + 1, k)`."""
    running = np.zeros((len(columns) + 1, columns.shape[1]))
    np.cumsum(columns, axis=0, out=running[1:])
    return running


@njit(cache=True, nogil=True)
def _block_sums(running, starts, stops):  # type: ignore[no-untyped-def]
    """Sums over the blocks of each resample, `(resamples, k)`; a block that passes the last row goes on at the first."""
    count, width = len(running) - 1, running.shape[1]
    sums = np.zeros((len(starts), width))
    for resample in range(len(starts)):
        for block in range(starts.shape[1]):
            first, past = starts[resample, block], stops[resample, block]
            if first == past:
                continue
            wraps = past > count
            for column in range(width):
                last = running[count, column] + running[past - count, column] if wraps else running[past, column]
                sums[resample, column] += last - running[first, column]
    return sums


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


Statistic = Callable[[np.ndarray], np.ndarray]
"""A function of column means: `(resamples, k)` to `(resamples,)`, NaN where it is undefined."""


def bootstrap_interval(
    columns: np.ndarray,
    statistic: Statistic,
    *,
    block_length: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """90 % percentile interval of a statistic of column means.

    The sample's own mean pulls each of its autocovariances down by variance / n, so that resampled variances are short
    by the share (2 · block - 1) / n; the interval is widened by as much. None under two blocks of rows, and where the
    statistic is undefined (NaN) in more than half of the resamples.
    """
    found = bootstrap_intervals(columns, {"only": statistic}, block_length=block_length, resamples=resamples, seed=seed)
    return found["only"]


def bootstrap_intervals(
    columns: np.ndarray,
    statistics: Mapping[str, Statistic],
    *,
    block_length: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """`bootstrap_interval` of several statistics of the same columns, all from the same resamples."""
    count = len(columns)
    block = block_length or default_block_length(count)
    if count < 2 * block:
        return dict.fromkeys(statistics)
    means = bootstrap_means(columns, block_length=block, resamples=resamples, seed=seed)
    own, factor = columns.mean(axis=0, keepdims=True), widening(count, block)
    return {name: _interval(of(means), float(of(own)[0]), factor) for name, of in statistics.items()}


def widening(count: int, block_length: int) -> float:
    """Factor by which resamples of `count` rows lie too close to their centre; `count` is at least two blocks."""
    return 1 / math.sqrt(1 - (2 * block_length - 1) / count)


def _interval(values: np.ndarray, centre: float, factor: float) -> Interval | None:
    defined = values[np.isfinite(values)]
    if 2 * len(defined) < len(values) or not math.isfinite(centre):
        return None
    low, high = np.quantile(defined, TAILS)
    return Interval(centre + float(low - centre) * factor, centre + float(high - centre) * factor)


class Difference(NamedTuple):
    """One score less another on the same rows or days."""

    value: float
    interval: Interval | None


def paired_differences(
    first: np.ndarray,
    second: np.ndarray,
    statistics: Mapping[str, Statistic],
    *,
    block_length: int | None = None,
    seed: int = 0,
) -> dict[str, Difference]:
    """How far each statistic of the first columns lies above that of the second, with its 90 % interval.

    first, second: `(n, k)` of the same rows in the same order; both are resampled by the same blocks, so what moves
    both cancels. Raises DataError (65) when their shapes differ.
    """
    if first.shape != second.shape:
        raise DataError(
            f"a paired difference needs the same rows twice, got shapes {first.shape} and {second.shape}.",
            help="join both on (symbol, time)",
        )
    width, both = first.shape[1], np.hstack([first, second])
    differences = {name: _difference(of, width) for name, of in statistics.items()}
    own = both.mean(axis=0, keepdims=True)
    intervals = bootstrap_intervals(both, differences, block_length=block_length, seed=seed)
    return {name: Difference(float(of(own)[0]), intervals[name]) for name, of in differences.items()}


def _difference(statistic: Statistic, width: int) -> Statistic:
    return lambda means: statistic(means[:, :width]) - statistic(means[:, width:])
