"""Longer bars from shorter ones."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.runtime.clock import time_text


def resample(bars: Bars, bar_seconds: int) -> Bars:
    """Bars of `bar_seconds`: first open, highest high, lowest low, last close, summed volume.

    Buckets start at multiples of `bar_seconds` since 1970-01-01 UTC, so sizes that divide a day start at midnight UTC.
    A bucket without a source bar is absent. The last bucket is left out when its last source bar closes before the
    bucket ends: it is unfinished. Raises UsageError (2) when `bar_seconds` is no multiple of the source size.
    """
    higher, _ = _buckets(bars, bar_seconds)
    unfinished = len(higher) > 0 and higher.close_time_ns[-1] > bars.close_time_ns[-1]
    return higher.head(len(higher) - int(unfinished))


def higher_bars(bars: Bars, bar_seconds: int) -> tuple[Bars, np.ndarray]:
    """Bars of a higher timeframe, the last one possibly unfinished, and which of them each base bar may look at.

    The second value, int64 `(n,)`, is the position of the last higher bar whose bucket has ended by the close of base
    bar t, or -1. Appending base bars changes neither that position nor the higher bars up to it.
    Raises UsageError (2) as `resample` does, DataError (65) when overlapping bars would let a later one leak in.
    """
    higher, stops = _buckets(bars, bar_seconds)
    bucket = np.repeat(np.arange(len(higher)), np.diff(stops, prepend=0))
    complete = bars.close_time_ns >= higher.close_time_ns[bucket]
    _refuse_leak(bars, complete[:-1] & (bucket[1:] == bucket[:-1]))
    return higher, bucket - ~complete


def _buckets(bars: Bars, bar_seconds: int) -> tuple[Bars, np.ndarray]:
    """Every bucket's bar, and the position after its last source bar."""
    if bar_seconds < 1 or bar_seconds % bars.bar_seconds:
        raise UsageError(
            f"{bar_seconds} s is no multiple of the source bars' {bars.bar_seconds} s.",
            where=f"{bars.symbol}: bar size",
            help=f"choose a multiple of {size_text(bars.bar_seconds)}",
        )
    number = bars.time_ns // (bar_seconds * NANOSECONDS)
    stops = np.append(np.flatnonzero(number[1:] != number[:-1]) + 1, len(bars))[: len(bars)]
    starts = np.append(0, stops[:-1])[: len(bars)]
    higher = Bars(
        symbol=bars.symbol,
        time_ns=number[starts] * (bar_seconds * NANOSECONDS),
        open=bars.open[starts],
        high=_reduce(np.maximum, bars.high, starts),
        low=_reduce(np.minimum, bars.low, starts),
        close=bars.close[stops - 1],
        volume=_reduce(np.add, bars.volume, starts),
        bar_seconds=bar_seconds,
    )
    return higher, stops


def _reduce(combine: np.ufunc, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`combine` over each run of `values` that begins at `starts`; NumPy's reduceat refuses an empty array."""
    return combine.reduceat(values, starts) if len(starts) else values[:0]


def _refuse_leak(bars: Bars, early: np.ndarray) -> None:
    """A bar that reaches its bucket's end must be the last one there; `early` marks those that are not."""
    if early.any():
        first = time_text(bars.time_ns[np.argmax(early)])
        raise DataError(f"the bar at {first} overlaps the next one.", where=bars.symbol, help="check the bar size")
