"""Bars that grow at their end and may forget their beginning: what a live session keeps of a series."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.schema import COLUMNS, Bars

ROOM = 256
"""Bars that there is room for beside as many as are kept, each time the arrays are full."""


class GrowingBars:
    """The newest bars of a series, told by their rows since its first bar; one contract, as features see it.

    Appending a bar costs the same however long the series is, and memory follows what is kept. What was handed out stays as
    it is.
    """

    def __init__(self, bars: Bars) -> None:
        self.symbol, self.bar_seconds = bars.symbol, bars.bar_seconds
        self.first = 0
        """Row of the oldest bar that is kept."""
        self.stop = len(bars)
        """Row after the newest bar."""
        self._offset = 0
        self._arrays = {name: getattr(bars, name) for name in ("time_ns", *COLUMNS)}

    def __len__(self) -> int:
        return self.stop

    def append(self, bar: Bars) -> None:
        """Take a series of one bar, later than all others."""
        if self.stop - self._offset == len(self._arrays["time_ns"]):
            self._make_room()
        place = self.stop - self._offset
        for name, values in self._arrays.items():
            values[place] = getattr(bar, name)[0]
        self.stop += 1

    def forget_before(self, row: int) -> None:
        """Keep no bar before a row."""
        self.first = max(self.first, row)

    def slice(self, start: int, stop: int) -> Bars:
        """Bars of the rows `start` to `stop - 1`, as views."""
        rows = slice(start - self._offset, stop - self._offset)
        arrays = {name: values[rows] for name, values in self._arrays.items()}
        return Bars(self.symbol, **arrays, bar_seconds=self.bar_seconds)

    def kept(self) -> Bars:
        """All bars that are kept, the oldest of row `first`."""
        return self.slice(self.first, self.stop)

    def _make_room(self) -> None:
        """New arrays: the old ones may have been handed out."""
        kept = slice(self.first - self._offset, self.stop - self._offset)
        count = self.stop - self.first
        for name, values in self._arrays.items():
            self._arrays[name] = np.empty(2 * count + ROOM, values.dtype)
            self._arrays[name][:count] = values[kept]
        self._offset = self.first
