"""Columns of a series that goes on: the newest row, with the bits of the whole series and at a cost that does not grow.

A batch computes in blocks at absolute positions (`blocks`), so a value depends on its window or, where it remembers more,
on the bars since a start that its block decides. Here a window is computed from its own few bars; what is remembered since
the start is carried (`feature.carried`) and opened anew where a block begins. A column that remembers in a way of its own,
which only a user's can, is computed from the start of its block at every bar: as right, and slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ohlcv_factory.bars.growing import GrowingBars
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.features.blocks import Group, groups_of, not_finite, reach_back
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.features.streams import CarriedPast

WINDOW_MARGIN = 2
"""Look-backs that a window is computed from, as `Feature.overlap_bars`: a session may be longer than its usual day."""
ALONE, GOING_ON, RECOMPUTED = range(3)
"""How a newest value is had: from its bar alone, from a few bars and what is carried, from the start of its block."""


class LiveFeatures:
    """The newest row of some columns, bar after bar; memory and the cost of a row do not depend on the bars so far.

    Of `catalogue.compute` over the same bars from the same first bar each row has the same bits.
    """

    def __init__(self, bars: Bars, calendar: SessionCalendar, features: Sequence[Feature]) -> None:
        self.bars, self.calendar, self.features = GrowingBars(bars), calendar, tuple(features)
        self._lookbacks = np.array([each.lookback_bars(bars.bar_seconds) for each in features], dtype=np.int64)
        self._groups = [LiveGroup(group, self.bars, calendar) for group in groups_of(features, bars.bar_seconds)]

    @property
    def recomputed(self) -> tuple[str, ...]:
        """Columns without a way to go on: computed from the start of their block at every bar."""
        seconds = self.bars.bar_seconds
        return tuple(each.name for each in self.features if _kind(each, seconds) == RECOMPUTED)

    def append(self, bar: Bars) -> None:
        """Take the next bar, a series of one."""
        self.bars.append(bar)

    def newest(self) -> np.ndarray:
        """The columns of the newest bar, float32 `(F,)`; NaN is allowed before a column's look-back.

        Call it for every bar, or what it skipped is computed again. Raises DataError (65) where a value after its
        look-back is not finite.
        """
        values = np.empty(len(self.features))
        for group in self._groups:
            values[group.columns] = group.newest()
        self.bars.forget_before(min((group.first_needed for group in self._groups), default=0))
        with np.errstate(over="ignore"):
            row: np.ndarray = values.astype(np.float32)
        self._refuse_broken(row)
        return row

    def _refuse_broken(self, row: np.ndarray) -> None:
        position = len(self.bars) - 1
        broken = np.flatnonzero(~np.isfinite(row) & (self._lookbacks <= position))
        if len(broken):
            first = int(broken[0])
            raise not_finite(self.features[first], self.bars.slice(position, position + 1), position, float(row[first]))


class LiveGroup:
    """The newest values of columns that reach back equally far, from their bars and what is carried of a block."""

    def __init__(self, group: Group, bars: GrowingBars, calendar: SessionCalendar) -> None:
        self.group, self.bars, self.calendar = group, bars, calendar
        seconds = bars.bar_seconds
        kinds = np.array([_kind(each, seconds) for each in group.features])
        self._alone, self._going_on, self._recomputed = (
            [group.features[place] for place in np.flatnonzero(kinds == kind)] for kind in (ALONE, GOING_ON, RECOMPUTED)
        )
        self.columns = group.columns[np.argsort(kinds, kind="stable")]
        """Places of the values that `newest` gives."""
        self._warm = max((each.lookback_bars(seconds) for each in self._going_on), default=0)
        self._tail = WINDOW_MARGIN * self._warm + 2
        self._past: CarriedPast | None = None
        self._block = -1
        self.first_needed = 0
        """Row of the oldest bar that is still of use."""

    def newest(self) -> list[float]:
        """The values of the newest bar, in the order of `columns`."""
        row = len(self.bars) - 1
        self._begin(row)
        try:
            values = _values(self._alone, lambda: FeatureInputs(self.bars.slice(row, row + 1), self.calendar))
            values += _values(self._going_on, lambda: self._inputs(row))
        except BaseException:
            self._past = None  # some of it has seen this bar, some has not
            raise
        return values + _values(self._recomputed, lambda: self._since_start(row + 1))

    def _begin(self, row: int) -> None:
        """Find the start of the block that a row lies in, and whether what is carried is of that block and up to date."""
        block = row - row % self.group.block_bars
        if block != self._block:
            self._block, self._past = block, None
            kept = self.bars.kept()
            before = self.bars.first
            self.first_needed = before + reach_back(kept, block - before, self.group.overlap)
        if self._past is not None and self._past.row == row - 1:
            self._past.row = row
        else:
            self._past = CarriedPast(lambda: self._since_start(len(self.bars) - 1), row)

    def _inputs(self, row: int) -> FeatureInputs:
        """The newest bars with what is carried; all since the start where the longest look-back is not over."""
        if row < self._warm:
            return self._since_start(row + 1)
        start = max(self.first_needed, row - self._tail)
        return FeatureInputs(self.bars.slice(start, row + 1), self.calendar, self._past)

    def _since_start(self, stop: int) -> FeatureInputs:
        return FeatureInputs(self.bars.slice(self.first_needed, stop), self.calendar)


def _kind(feature: Feature, bar_seconds: int) -> int:
    """From which bars the newest value of a feature is computed."""
    if feature.windowed and not feature.lookback_bars(bar_seconds):
        return ALONE
    return GOING_ON if feature.windowed or feature.carried else RECOMPUTED


def _values(features: Sequence[Feature], inputs: Callable[[], FeatureInputs]) -> list[float]:
    """The newest value of each feature; the inputs are made only where there is one."""
    if not features:
        return []
    known = inputs()
    return [float(each.column(known)[-1]) for each in features]
