"""A series with contract rolls as models see it: its sizes, its features, and the rows that may be used.

Labels and P&L read the contracts' own prices. Features read prices on which no roll shows: adjusted forward, so that
each row has the bits it had before the next roll came, or each contract by itself where rolls are cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.resample import resample
from ohlcv_factory.bars.rolls import Rolls, forward_adjusted, segments
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sizes import bar_seconds
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.features import catalogue


def sized_bars(bars: Bars, size: str | None, instrument: Instrument) -> Bars:
    """The bars in the size asked for; none keeps them as they come."""
    return resample(bars, bar_seconds(size), instrument.sessions) if size else bars


def feature_rows(
    bars: Bars, instrument: Instrument, names: Sequence[str], rolls: Rolls, first_row: int = 0
) -> np.ndarray:
    """The columns of the bars from `first_row` on, float32 `(n - first_row, F)`; row t is known at the close of bar t."""
    if rolls.handling == "adjust":
        adjusted = forward_adjusted(bars) if len(bars.roll_rows) else bars
        return catalogue.compute(adjusted, instrument.sessions, names, first_row=first_row)
    later = [each for each in segments(bars) if each.stop > first_row]
    return np.concatenate(
        [
            catalogue.compute(bars.take(each), instrument.sessions, names, first_row=max(0, first_row - each.start))
            for each in later
        ]
    )


def eligible_rows(bars: Bars, first_eligible: int, rolls: Rolls) -> np.ndarray:
    """Rows with enough bars before them, int64: since the series' start, or since the roll where rolls are cut."""
    if rolls.handling == "adjust":
        return np.arange(first_eligible, len(bars))
    return np.concatenate([np.arange(each.start + first_eligible, each.stop) for each in segments(bars)])


def first_rows(bars: Bars, rows: np.ndarray, rolls: Rolls) -> np.ndarray:
    """The first bar of each row's unbroken past, int64 `(n,)`: the series' start, or the roll where rolls are cut."""
    starts = np.array([0] if rolls.handling == "adjust" else [each.start for each in segments(bars)], dtype=np.int64)
    first: np.ndarray = starts[np.searchsorted(starts, rows, side="right") - 1]
    return first


def padded_windows(bars: Bars, features: np.ndarray, rows: np.ndarray, lookback: int, rolls: Rolls) -> WindowSource:
    """Windows that end at some rows of the bars; `features` holds the last bars' rows, back to the first window's start.

    Bars before the series' start, or before a roll that is cut, are NaN.
    """
    before = len(bars) - len(features)
    starts = np.maximum(first_rows(bars, rows, rolls), rows - lookback + 1)
    return WindowSource.padded(features, rows - before, lookback, starts - before)
