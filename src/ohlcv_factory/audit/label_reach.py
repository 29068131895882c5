"""Does a label end where it says? Bars after its end change nothing, the bar at its end may change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Literal, Protocol

import numpy as np

from ohlcv_factory.audit.corruption import CORRUPTIONS, cut_points
from ohlcv_factory.audit.violation import Violation, at_bar, difference, overall
from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.labels.triple_barrier import ATR_PERIOD, barrier_atr, triple_barrier

TEST = "label reach"


class Reaching(Protocol):
    """Labels of every bar, as a dataclass of arrays `(n,)`; every field but `labelled` is held to the rule."""

    @property
    def labelled(self) -> np.ndarray:
        """bool."""

    @property
    def end_row(self) -> np.ndarray:
        """int64: row of the last bar that the label looks at."""


Labeller = Callable[[Bars], Reaching]


def barrier_labeller(rule: BarrierRule, entry: Literal["next_open", "close"] = "next_open") -> Labeller:
    """The factory's own labels by a rule."""
    return lambda bars: triple_barrier(bars, barrier_atr(bars), rule, entry)


def label_reach(bars: Bars, calendar: SessionCalendar, labeller: Labeller, name: str) -> Iterator[Violation]:
    """Labels that ended before a cut stay as they are whatever comes after it, and whether anything comes at all.

    Also a violation: the bar that ends a label changes no label, for then the end is not where it is said to be.
    """
    whole = labeller(bars)
    reacts = False
    for count in cut_points(bars, calendar, ATR_PERIOD):
        settled = np.flatnonzero(whole.labelled & (whole.end_row < count))
        prefix = labeller(bars.head(count))
        inside = settled[prefix.labelled[settled]]  # near the end of the data no label is given at all
        yield from _compare(bars, whole, prefix, inside, name, f"without the bars from {count} on it is another")
        for how, corrupt in CORRUPTIONS.items():
            later = labeller(corrupt(bars, count))
            yield from _compare(bars, whole, later, settled, name, f"bars from {count} on, {how}, change it")
            ending = np.flatnonzero(whole.labelled & (whole.end_row == count))
            reacts |= any(_changed(whole, later, ending, field).any() for field in _fields(whole))
    if not reacts and whole.labelled.any():
        yield overall(TEST, name, bars.symbol, "changing the bar that ends a label changes no label")


def _compare(
    bars: Bars, whole: Reaching, later: Reaching, rows: np.ndarray, name: str, complaint: str
) -> Iterator[Violation]:
    for field in _fields(whole):
        changed = _changed(whole, later, rows, field)
        if changed.any():
            row = int(rows[np.argmax(changed)])
            got, expected = float(getattr(later, field)[row]), float(getattr(whole, field)[row])
            size = difference(got, expected)
            yield at_bar(TEST, f"{name} {field}", bars, row, size, f"{complaint}: {got:.9g} for {expected:.9g}")


def _fields(labels: Any) -> list[str]:
    return [field.name for field in fields(labels) if field.name != "labelled"]


def _changed(whole: Reaching, later: Reaching, rows: np.ndarray, field: str) -> np.ndarray:
    changed: np.ndarray = getattr(whole, field)[rows] != getattr(later, field)[rows]
    return changed
