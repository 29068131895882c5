"""The matrix of columns, computed in blocks of bars so that a value's bits depend on nothing but the bars up to it.

The series is cut at absolute positions. A block starts its computation `overlap_bars` before its first row, a distance
that only the feature decides: so neither the other columns, nor later bars, nor the row from which on values are asked
for can change a bit, and the last rows cost one block and not the whole series. A feature that is an exact function
of its window does not even need its block's start. Short blocks also keep every intermediate in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.errors import DataError
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.features.kernels import store, transpose_into
from ohlcv_factory.runtime.clock import time_text

BLOCK_BARS = 16_384
WRITTEN_ROWS = 1024
PADDING = 16
"""Floats between two rows of staged values: rows a power of two apart would fight for the same lines of the cache."""
BLOCK_OVERLAPS = 4
"""A block is at least that many times as long as its overlap."""


@dataclass(frozen=True)
class Group:
    """Columns that reach back equally far and so share their inputs."""

    overlap: int
    columns: np.ndarray
    """int64, their places in the matrix."""
    features: tuple[Feature, ...]

    @property
    def block_bars(self) -> int:
        """Length of its blocks: a power of two, so that long blocks begin where short ones do."""
        return max(BLOCK_BARS, BLOCK_OVERLAPS * self.overlap)


@dataclass(frozen=True)
class Block:
    """The values of a group in some rows."""

    rows: range
    values: np.ndarray
    """float32 `(columns, rows)`."""


def fill(
    matrix: np.ndarray, bars: Bars, calendar: SessionCalendar, features: Sequence[Feature], first_row: int
) -> None:
    """Write the features' rows from `first_row` on into `matrix`, float32 `(n - first_row, len(features))`.

    Raises DataError (65) where a value after its look-back is not finite.
    """
    groups = groups_of(features, bars.bar_seconds)
    blocks = [Block(range(0), np.empty(0)) for _ in groups]
    for first in _stretch_starts(first_row, len(bars)):
        blocks = [
            block if first in block.rows else _next_block(group, bars, calendar, first)
            for group, block in zip(groups, blocks, strict=True)
        ]
        stop = min(first - first % BLOCK_BARS + BLOCK_BARS, len(bars))
        for start in range(first, stop, WRITTEN_ROWS):
            _write(matrix, first_row, range(start, min(start + WRITTEN_ROWS, stop)), groups, blocks)


def groups_of(features: Sequence[Feature], bar_seconds: int) -> list[Group]:
    """The features by how far they reach back."""
    overlaps = np.array([feature.overlap_bars(bar_seconds) for feature in features], dtype=np.int64)
    found = []
    for overlap in np.unique(overlaps):
        columns = np.flatnonzero(overlaps == overlap)
        found.append(Group(int(overlap), columns, tuple(features[int(place)] for place in columns)))
    return found


def _stretch_starts(first_row: int, count: int) -> Iterator[int]:
    """First row of each stretch that the shortest blocks cover."""
    while first_row < count:
        yield first_row
        first_row += BLOCK_BARS - first_row % BLOCK_BARS


def _next_block(group: Group, bars: Bars, calendar: SessionCalendar, first: int) -> Block:
    """The group's values from row `first` to the end of the block that holds it."""
    block_start = first - first % group.block_bars
    rows = range(first, min(block_start + group.block_bars, len(bars)))
    values = np.empty((len(group.features), len(rows) + PADDING), np.float32)[:, : len(rows)]
    starts = {False: reach_back(bars, block_start, group.overlap), True: reach_back(bars, first, group.overlap)}
    needed = {starts[feature.windowed] for feature in group.features}
    inputs = {start: FeatureInputs(bars.slice(start, rows.stop), calendar) for start in needed}
    for row, feature in zip(values, group.features, strict=True):
        start = starts[feature.windowed]
        column = np.ascontiguousarray(feature.column(inputs[start]), dtype=np.float64)
        if not store(column[first - start :], row):
            _check(row, feature, bars, first)
    return Block(rows, values)


def _write(matrix: np.ndarray, first_row: int, rows: range, groups: Sequence[Group], blocks: Sequence[Block]) -> None:
    """Write some rows of every group while their memory is near."""
    target = matrix[rows.start - first_row : rows.stop - first_row]
    for group, block in zip(groups, blocks, strict=True):
        begin = rows.start - block.rows.start
        transpose_into(block.values[:, begin : begin + len(rows)], group.columns, target)


def reach_back(bars: Bars, row: int, overlap: int) -> int:
    """The bar `overlap` bars before a row, or the first one within that many bar lengths where that is earlier."""
    moment = bars.time_ns[row] - overlap * bars.bar_seconds * NANOSECONDS
    return max(0, min(row - overlap, int(np.searchsorted(bars.time_ns, moment))))


def _check(row: np.ndarray, feature: Feature, bars: Bars, first: int) -> None:
    """Refuse a value that is not finite after its look-back; `first` is the position of the first value."""
    warm = max(0, feature.lookback_bars(bars.bar_seconds) - first)
    finite = np.isfinite(row[warm:])
    if not finite.all():
        place = warm + int(np.argmin(finite))
        bar = bars.slice(first + place, first + place + 1)
        raise not_finite(feature, bar, first + place, float(row[place]))


def not_finite(feature: Feature, bar: Bars, position: int, value: float) -> DataError:
    """What is said of a value that is not finite after its look-back, at a bar of that position in its series."""
    return DataError(
        f"{bar.symbol}: {feature.name} is {value} at {time_text(bar.time_ns[0])}, bar {position}.",
        where=feature.formula,
        help=f"after its look-back of {feature.lookback_bars(bar.bar_seconds)} bars each value must be finite: "
        "look for a price or volume out of any range near that bar",
    )
