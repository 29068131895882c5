"""When each row is, and until when its label is scheduled to look: what every splitter purges by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from ohlcv_factory.errors import DataError, UsageError

Stretch = tuple[int, int]
"""Rows from the first number up to, and without, the second."""


@dataclass(frozen=True, eq=False)
class LabelSpans:
    """n rows in time order; several rows may share a moment, as those of several symbols do.

    Moments are nanoseconds since 1970 UTC where `in_time`, else numbers of bars. Arrays are `(n,)` int64.
    """

    moment: np.ndarray
    """When each row is known, ascending."""
    end: np.ndarray
    """Last moment that its label may look at: the scheduled end, because realised ends keep only the early hits."""
    reads_from: np.ndarray
    """First moment that its look-back window reads; `moment` where it reads one bar."""
    in_time: bool = True
    order: np.ndarray | None = None
    """Which of the rows as they were given each one is; None where they were given in time order."""

    @classmethod
    def of_times(cls, time_ns: np.ndarray, end_ns: np.ndarray, reads_from_ns: np.ndarray | None = None) -> Self:
        """Spans of rows in any order, of any number of symbols.

        Raises DataError (65) for arrays of different length, no rows, or a label that ends before it begins.
        """
        time, end = np.asarray(time_ns, np.int64), np.asarray(end_ns, np.int64)
        reads_from = time if reads_from_ns is None else np.asarray(reads_from_ns, np.int64)
        _check(time, end, reads_from)
        if np.all(time[1:] >= time[:-1]):
            return cls(time, end, reads_from)
        order = np.argsort(time, kind="stable")
        return cls(time[order], end[order], reads_from[order], order=order)

    @classmethod
    def of_bars(cls, count: int, label_bars: int, lookback: int = 1) -> Self:
        """Spans of consecutive bars of one series whose labels look `label_bars` ahead and windows `lookback` bars back.

        Raises UsageError (2) for less than a bar, DataError (65) for no rows.
        """
        _check_bars(label_bars, lookback)
        bar = np.arange(count, dtype=np.int64)
        _check(bar, bar, bar)
        return cls(bar, bar + label_bars, bar - (lookback - 1), in_time=False)

    @classmethod
    def of_index(cls, index: Any, label_bars: int, lookback: int = 1) -> Self:
        """The same in time, from a pandas DatetimeIndex that has a zone and ascends; the last labels end with the data.

        Raises DataError (65) for an index without a zone, or one that does not ascend.
        """
        _check_bars(label_bars, lookback)
        if index.tz is None:
            raise DataError("the index has no time zone.", where="index", help="index.tz_localize('UTC'), if it is UTC")
        time = index.tz_convert("UTC").as_unit("ns").asi8
        if not np.all(time[1:] > time[:-1]):
            raise DataError(
                "the index does not ascend from row to row, so rows are not consecutive bars of one series.",
                where="index",
                help="give the splitter spans=LabelSpans.of_times(times, ends)",
            )
        row = np.arange(len(time))
        end, first = np.minimum(row + label_bars, len(time) - 1), np.maximum(row - (lookback - 1), 0)
        _check(time, time, time)
        return cls(time, time[end], time[first])

    def __len__(self) -> int:
        return len(self.moment)

    @cached_property
    def reach(self) -> np.ndarray:
        """The latest end of all rows up to each one: a running maximum, so that it can be searched."""
        latest: np.ndarray = np.maximum.accumulate(self.end)
        return latest

    @cached_property
    def clear_from(self) -> np.ndarray:
        """The first moment that any row from each one on reads: a running minimum from the end."""
        earliest: np.ndarray = np.minimum.accumulate(self.reads_from[::-1])[::-1]
        return earliest

    @cached_property
    def beginnings(self) -> np.ndarray:
        """The first row of each distinct moment: where blocks may begin, so that no moment is divided."""
        return np.flatnonzero(np.concatenate([[True], self.moment[1:] != self.moment[:-1]]))

    def latest_end(self, stretch: Stretch) -> int:
        """The latest end of some rows."""
        first, stop = stretch
        if first == 0 or self.reach[stop - 1] > self.reach[first - 1]:
            return int(self.reach[stop - 1])
        return int(self.end[first:stop].max())

    def given(self, rows: np.ndarray) -> np.ndarray:
        """Rows in time order as places among the rows that were given, ascending."""
        return rows if self.order is None else np.sort(self.order[rows])


def rows_of(stretches: tuple[Stretch, ...]) -> np.ndarray:
    """The rows of some stretches, int64."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(first, stop) for first, stop in stretches)])


def _check(moment: np.ndarray, end: np.ndarray, reads_from: np.ndarray) -> None:
    if not len(moment) == len(end) == len(reads_from):
        raise DataError(
            f"{len(moment)} rows have {len(end)} label ends and {len(reads_from)} window starts.",
            help="one of each a row",
        )
    if not len(moment):
        raise DataError("there are no rows to divide.", help="give more bars")
    late = np.flatnonzero((end < moment) | (reads_from > moment))
    if len(late):
        row = int(late[0])
        raise DataError(
            f"row {row} is at {moment[row]}, its window begins at {reads_from[row]} and its label ends at {end[row]}.",
            help="a window ends and a label begins at its row",
        )


def _check_bars(label_bars: int, lookback: int) -> None:
    if label_bars < 0 or lookback < 1:
        raise UsageError(
            f"a label looks at least 0 bars ahead and a window holds at least 1 bar, got label_bars={label_bars}, "
            f"lookback={lookback}.",
            help="for example label_bars=20, lookback=1",
        )
