"""Longer bars from shorter ones, never across a session border or a contract roll."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import CALENDARS, SECONDS_PER_DAY, SessionCalendar
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.runtime.clock import time_text

UTC_DAYS = CALENDARS["always_open"]
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Stretches:
    """Runs of bars that no bucket may leave, by the calendar alone: arrays of shape `(stretches,)`."""

    starts: np.ndarray
    """Position of the first bar of each."""
    begin_ns: np.ndarray
    """A bucket of it is stamped no earlier, and is complete at `end_ns` at the latest."""
    end_ns: np.ndarray
    anchor_ns: np.ndarray
    """Where the grid of buckets has a line."""


@dataclass(frozen=True)
class Buckets:
    """The higher bars: arrays of shape `(buckets,)`."""

    starts: np.ndarray
    """Position of the first source bar of each."""
    time_ns: np.ndarray
    end_ns: np.ndarray
    """When no later bar can come into it any more."""


def resample(bars: Bars, bar_seconds: int, calendar: SessionCalendar | None = None) -> Bars:
    """Bars of `bar_seconds`: first open, highest high, lowest low, last close, summed volume, the contract.

    Sizes that divide an hour start at multiples of `bar_seconds` since 1970-01-01 UTC. Others start where the session
    does, by the usual hours of the calendar (a UTC day where there is none); whole days are whole sessions. A session's
    border or a roll ends a bucket, and a bucket without a source bar is absent. The last bucket is left out when its
    last source bar closes before the bucket or the session ends: it is unfinished.
    Raises UsageError (2) when `bar_seconds` is no multiple of the source size, or more than a day but not whole days.
    """
    if bar_seconds == bars.bar_seconds:
        return bars
    buckets = _buckets(bars, bar_seconds, calendar or UTC_DAYS)
    higher = _joined(bars, buckets, bar_seconds)
    unfinished = len(higher) > 0 and buckets.end_ns[-1] > bars.close_time_ns[-1]
    return higher.head(len(higher) - int(unfinished))


def higher_bars(bars: Bars, bar_seconds: int, calendar: SessionCalendar | None = None) -> tuple[Bars, np.ndarray]:
    """Bars of a higher timeframe, the last one possibly unfinished, and which of them each base bar may look at.

    The second value, int64 `(n,)`, is the position of the last higher bar that has ended by the close of base bar t, or
    -1. A bucket ends at its nominal end or at the session's usual close, whichever is first, both known in advance; one
    that a roll cut short has ended when the next contract's bar closes. Appending base bars changes neither that
    position nor the higher bars up to it.
    Raises UsageError (2) as `resample` does, DataError (65) when overlapping bars would let a later one leak in.
    """
    buckets = _buckets(bars, bar_seconds, calendar or UTC_DAYS)
    bucket = np.repeat(np.arange(len(buckets.starts)), np.diff(buckets.starts, append=len(bars)))
    complete = bars.close_time_ns >= buckets.end_ns[bucket]
    _refuse_leak(bars, complete[:-1] & (bucket[1:] == bucket[:-1]))
    return _joined(bars, buckets, bar_seconds), bucket - ~complete


def bucket_end_ns(bars: Bars, bar_seconds: int, calendar: SessionCalendar | None = None) -> int:
    """When the higher bar that the newest base bar lies in has ended, unless a roll cuts it short: see `higher_bars`."""
    return int(_buckets(bars, bar_seconds, calendar or UTC_DAYS).end_ns[-1])


def _buckets(bars: Bars, bar_seconds: int, calendar: SessionCalendar) -> Buckets:
    """Where each bucket starts, its stamp and its end."""
    _refuse_size(bars, bar_seconds)
    if not len(bars):
        return Buckets(*(np.empty(0, np.int64) for _ in range(3)))
    stretches = _stretches(bars, bar_seconds, calendar)
    starts, nominal = _starts(bars, bar_seconds, stretches)
    stretch = np.searchsorted(stretches.starts, starts, side="right") - 1
    begin, end = stretches.begin_ns[stretch], stretches.end_ns[stretch]
    if bar_seconds < SECONDS_PER_DAY:
        end = np.minimum(end, nominal + bar_seconds * NANOSECONDS)
    rolled = np.searchsorted(starts, bars.roll_rows)
    begin[rolled] = bars.time_ns[bars.roll_rows]  # no two contracts share a stamp
    return Buckets(starts, np.maximum(nominal, begin), end)


def _starts(bars: Bars, bar_seconds: int, stretches: Stretches) -> tuple[np.ndarray, np.ndarray]:
    """First row of every bucket, and the line of the grid that it begins at; a day or more is one bucket a stretch."""
    size = bar_seconds * NANOSECONDS
    if bar_seconds >= SECONDS_PER_DAY:
        starts = np.union1d(stretches.starts, bars.roll_rows)
        return starts, stretches.anchor_ns[np.searchsorted(stretches.starts, starts, side="right") - 1]
    anchor: np.ndarray | int = 0
    if stretches.anchor_ns.any():
        anchor = np.repeat(stretches.anchor_ns, np.diff(stretches.starts, append=len(bars)))
    number = (bars.time_ns - anchor) // size
    begins = number[1:] != number[:-1]
    begins[stretches.starts[1:] - 1] = True
    begins[bars.roll_rows - 1] = True
    starts = np.append(0, np.flatnonzero(begins) + 1)
    return starts, number[starts] * size + (anchor if isinstance(anchor, int) else anchor[starts])


def _stretches(bars: Bars, bar_seconds: int, calendar: SessionCalendar) -> Stretches:
    """Session by session. Where the grid hangs on the session, it is cut at its usual open and close too."""
    first, last = calendar.session_day(bars.time_ns[[0, -1]])
    days = np.arange(first - 1, last + 3)  # a day more at either end, for zones that skip the hour of the border
    if SECONDS_PER_HOUR % bar_seconds == 0:
        return _cut(bars, calendar.start_ns(days), np.zeros(len(days), np.int64))
    if bar_seconds > SECONDS_PER_DAY:
        step = bar_seconds // SECONDS_PER_DAY
        borders = calendar.start_ns(np.arange(first - 1 - (first - 1) % step, last + step + 2, step))
        return _cut(bars, borders, borders)
    grid = bars.bar_seconds * NANOSECONDS if SECONDS_PER_HOUR % bars.bar_seconds == 0 else 1
    opens, closes = calendar.open_ns(days) // grid * grid, -(-calendar.close_ns(days) // grid) * grid
    borders = np.maximum.accumulate(np.stack([calendar.start_ns(days), opens, closes], axis=1).ravel())
    day_long = bar_seconds == SECONDS_PER_DAY
    return _cut(bars, borders, borders if day_long else np.repeat(opens, 3))


def _cut(bars: Bars, borders: np.ndarray, anchors: np.ndarray) -> Stretches:
    """Stretches between ascending borders that hold a bar; the last border only ends the one before."""
    starts = np.searchsorted(bars.time_ns, borders)
    kept = np.flatnonzero(np.diff(starts) > 0)
    return Stretches(starts[kept], borders[kept], borders[kept + 1], anchors[kept])


def _refuse_size(bars: Bars, bar_seconds: int) -> None:
    """Multiples of the source size only; beyond a day, whole days only."""
    if bar_seconds < 1 or bar_seconds % bars.bar_seconds:
        raise UsageError(
            f"{bar_seconds} s is no multiple of the source bars' {bars.bar_seconds} s.",
            where=f"{bars.symbol}: bar size",
            help=f"choose a multiple of {size_text(bars.bar_seconds)}",
        )
    if bar_seconds > SECONDS_PER_DAY and bar_seconds % SECONDS_PER_DAY:
        raise UsageError(
            f"{size_text(bar_seconds)} is longer than a day and not whole days.",
            where=f"{bars.symbol}: bar size",
            help="choose whole days, for example 2d, or a day at most",
        )


def _joined(bars: Bars, buckets: Buckets, bar_seconds: int) -> Bars:
    """One bar for each bucket."""
    starts = buckets.starts
    stops = np.append(starts[1:], len(bars))[: len(starts)]
    return replace(
        bars,
        time_ns=buckets.time_ns,
        open=bars.open[starts],
        high=_reduce(np.maximum, bars.high, starts),
        low=_reduce(np.minimum, bars.low, starts),
        close=bars.close[stops - 1],
        volume=_reduce(np.add, bars.volume, starts),
        contract=None if bars.contract is None else bars.contract[starts],
        bar_seconds=bar_seconds,
    )


def _reduce(combine: np.ufunc, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`combine` over each run of `values` that begins at `starts`; NumPy's reduceat refuses an empty array."""
    return combine.reduceat(values, starts) if len(starts) else values[:0]


def _refuse_leak(bars: Bars, early: np.ndarray) -> None:
    """A bar that reaches its bucket's end must be the last one there; `early` marks those that are not."""
    if early.any():
        first = time_text(bars.time_ns[np.argmax(early)])
        raise DataError(f"the bar at {first} overlaps the next one.", where=bars.symbol, help="check the bar size")
