"""Intermediates that go on bar by bar: what a live session carries instead of the bars since the start of a block.

A recursion is opened on the bars since the start, by the code that computes a batch, and then takes one bar at a time, by
the same compiled step: so its bits are those of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ohlcv_factory.features.feature import FeatureInputs, Opened
from ohlcv_factory.features.kernels import Floats

Step = Callable[[FeatureInputs], tuple[float, ...]]
"""Gets inputs whose newest bar is the next one, gives the newest value of each column."""


class CarriedPast:
    """What is carried of a series since a start, opened when it is first asked for. `row` counts its bars."""

    def __init__(self, before_newest: Callable[[], FeatureInputs], row: int) -> None:
        self.before_newest, self.row = before_newest, row
        self._open: dict[tuple[Any, ...], Callable[[FeatureInputs], Any]] = {}
        self._known: dict[tuple[Any, ...], tuple[int, Any]] = {}

    def known(self, opened: Opened, inputs: FeatureInputs, args: tuple[Any, ...]) -> Any:
        """The intermediate at the bars of `inputs`; one that missed a bar is opened anew."""
        key = (opened, *args)
        row, result = self._known.get(key, (None, None))
        if row == self.row:
            return result
        if row is None or row != self.row - 1:
            self._open[key] = opened(self.before_newest(), *args)
        result = self._open[key](inputs)
        self._known[key] = (self.row, result)
        return result


class CarriedColumns:
    """Columns that go on: those known so far, and the step that gives the next values."""

    def __init__(self, columns: tuple[np.ndarray, ...], step: Step) -> None:
        self.step, self.stop = step, len(columns[0])
        self._values = np.array(columns)

    def __call__(self, inputs: FeatureInputs) -> tuple[np.ndarray, ...]:
        """The columns at the bars of `inputs`, each `(len(inputs),)`, the oldest of them in what is known already."""
        if self.stop == self._values.shape[1]:
            self._make_room(len(inputs))
        self._values[:, self.stop] = self.step(inputs)
        self.stop += 1
        return tuple(self._values[:, self.stop - len(inputs) : self.stop])

    def _make_room(self, count: int) -> None:
        kept = self._values[:, max(0, self.stop - count) : self.stop]
        self.stop = kept.shape[1]
        self._values = np.empty((len(kept), 2 * max(self.stop, count)), kept.dtype)
        self._values[:, : self.stop] = kept


def carried_column(column: Floats, step: Callable[[FeatureInputs], float]) -> Callable[[FeatureInputs], Floats]:
    """One column that goes on; see `CarriedColumns`."""
    columns = CarriedColumns((column,), lambda inputs: (step(inputs),))
    return lambda inputs: columns(inputs)[0]
