"""Does a feature read what came later? Every test runs over all columns at once and yields what it finds.

The tests of the leak suite: each prefix of the bars gives the bits of the whole series; later bars, whatever they are,
change no earlier value; another symbol's bars change nothing; one bar at a time gives what the batch gives. Beside them
the declared look-back, and that each value after it is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ohlcv_factory.audit.corruption import CORRUPTIONS, cut_points, flat_from, reversed_from
from ohlcv_factory.audit.violation import Violation, at_bar, difference, overall, worst_difference
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.errors import FactoryError
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.features.live import LiveFeatures

LATER_START = 300
START_TOLERANCE = 1e-4
"""Largest difference after the look-back, in standard deviations of the column, when the series starts later."""
SPARE_BARS = 100
STREAMED = 64
"""Newest bars that are computed one at a time."""


@dataclass(frozen=True)
class Columns:
    """Columns of some bars; a feature that could not be computed has NaN and a reason."""

    values: np.ndarray
    """`(F, n)` float64."""
    failures: dict[str, Exception | str]


@dataclass(frozen=True)
class Subject:
    """What is audited: features, on the bars of one symbol."""

    features: tuple[Feature, ...]
    bars: Bars
    calendar: SessionCalendar
    whole: np.ndarray
    """The columns of all bars, `(F, n)` float64: what every test compares with."""

    @property
    def first(self) -> int:
        """The longest look-back: from here on every column has a value."""
        return max((feature.lookback_bars(self.bars.bar_seconds) for feature in self.features), default=0)

    def keep(self, features: Sequence[Feature]) -> Subject:
        """The same with fewer features."""
        rows = [self.features.index(feature) for feature in features]
        return replace(self, features=tuple(features), whole=self.whole[rows])


Test = Callable[[Subject], Iterator[Violation]]


def bars_needed(feature: Feature, bar_seconds: int) -> int:
    """Bars without which a feature cannot be audited."""
    return feature.lookback_bars(bar_seconds) + LATER_START + SPARE_BARS


def audit_columns(features: Sequence[Feature], bars: Bars, calendar: SessionCalendar) -> Iterator[Violation]:
    """Every violation of these features on these bars, test after test.

    A feature that cannot be computed at all is reported once and left out of the tests.
    """
    columns = columns_of(features, bars, calendar)
    yield from failures(columns, bars.symbol)
    good = [feature for feature in features if feature.name not in columns.failures]
    subject = Subject(tuple(features), bars, calendar, columns.values).keep(good)
    for test in TESTS.values():
        yield from test(subject)


def failures(columns: Columns, symbol: str) -> Iterator[Violation]:
    """A violation for each feature that could not be computed."""
    for name, reason in columns.failures.items():
        yield overall("computes", name, symbol, _failure(reason))


def truncation(subject: Subject) -> Iterator[Violation]:
    """Every prefix of the bars gives the bits that the whole series gives."""
    for count in cut_points(subject.bars, subject.calendar, subject.first):
        prefix = columns_of(subject.features, subject.bars.head(count), subject.calendar)
        yield from _compare("truncation", subject, prefix, count, f"the first {count} bars alone give another value")


def corrupted_future(subject: Subject) -> Iterator[Violation]:
    """Later bars, whatever they are, change no bit of an earlier value."""
    for count in cut_points(subject.bars, subject.calendar, subject.first)[::3]:
        for how, corrupt in CORRUPTIONS.items():
            if count < len(subject.bars):
                later = columns_of(subject.features, corrupt(subject.bars, count), subject.calendar)
                complaint = f"later bars change it (from bar {count} on {how})"
                yield from _compare("corrupted future", subject, later, count, complaint)


def other_symbol(subject: Subject) -> Iterator[Violation]:
    """Computing another symbol in between, with the same times and other prices, changes nothing."""
    other = replace(reversed_from(subject.bars, 0), symbol="OTHER")
    columns_of(subject.features, other, subject.calendar)
    again = columns_of(subject.features, subject.bars, subject.calendar)
    yield from _compare("other symbol", subject, again, len(subject.bars), "another symbol's bars change it")


def declared_lookback(subject: Subject) -> Iterator[Violation]:
    """After the declared look-back a value does not depend on where the series started."""
    bars = subject.bars
    later = columns_of(subject.features, bars.slice(LATER_START, len(bars)), subject.calendar)
    for row, feature in enumerate(subject.features):
        start = LATER_START + feature.lookback_bars(bars.bar_seconds)
        own, other = subject.whole[row, start:], later.values[row, start - LATER_START :]
        if len(own) == 0:
            continue
        gaps = np.abs(other - own)
        worst = int(np.argmax(gaps))  # a NaN counts as the largest
        allowed = START_TOLERANCE * float(np.std(own)) + 1e-12 * float(np.max(np.abs(own)))
        if not gaps[worst] <= allowed and np.isfinite(own[worst]):
            complaint = f"a later start changes it by {gaps[worst]:.3g}, allowed {allowed:.3g}"
            size = difference(other[worst], own[worst])
            yield at_bar("declared look-back", feature.name, bars, start + worst, size, complaint)


def finite(subject: Subject) -> Iterator[Violation]:
    """Each value after the look-back is a number: on these bars, on a flat price, and without volume."""
    bars = subject.bars
    variants = {
        "": bars,
        ", where the price stands still": flat_from(bars, len(bars) - SPARE_BARS),
        ", on a price that never moves": flat_from(bars, 0),
        ", without volume": replace(bars, volume=np.zeros(len(bars))),
    }
    for where, variant in variants.items():
        columns = columns_of(subject.features, variant, subject.calendar)
        for row, feature in enumerate(subject.features):
            if feature.name in columns.failures:
                yield overall("finite", feature.name, bars.symbol, _failure(columns.failures[feature.name]) + where)
                continue
            start = feature.lookback_bars(bars.bar_seconds)
            missing = ~np.isfinite(columns.values[row, start:])
            if missing.any():
                complaint = f"it is not finite after its look-back{where}"
                yield at_bar("finite", feature.name, bars, start + int(np.argmax(missing)), None, complaint)


TESTS: dict[str, Test] = {
    "truncation": truncation,
    "corrupted future": corrupted_future,
    "other symbol": other_symbol,
    "declared look-back": declared_lookback,
    "finite": finite,
}
"""The tests of one column alone; `stream_against_batch` needs features that the catalogue knows."""


def stream_against_batch(bars: Bars, calendar: SessionCalendar, names: Sequence[str]) -> Iterator[Violation]:
    """One bar at a time, as a live session computes, gives the bytes of the batch; all names are the catalogue's."""
    try:
        batch = catalogue.compute(bars, calendar, names)
    except FactoryError as error:
        yield overall("stream against batch", "all", bars.symbol, error.what)
        return
    first = max(len(bars) - STREAMED, 1)
    live = LiveFeatures(bars.head(first), calendar, [catalogue.find(name) for name in names])
    for row in range(first, len(bars)):
        live.append(bars.slice(row, row + 1))
        newest = live.newest()
        for column in np.flatnonzero((newest != batch[row]) & ~(np.isnan(newest) & np.isnan(batch[row]))).tolist():
            got, expected = float(newest[column]), float(batch[row, column])
            complaint = f"bar by bar it is another value than in a batch: {got:.9g} for {expected:.9g}"
            size = difference(got, expected)
            yield at_bar("stream against batch", names[column], bars, row, size, complaint)


def columns_of(features: Sequence[Feature], bars: Bars, calendar: SessionCalendar) -> Columns:
    """The columns in full precision; inputs are shared by the features of a category, as `catalogue.compute` does."""
    values = np.full((len(features), len(bars)), np.nan)
    failures: dict[str, Exception | str] = {}
    inputs, category = FeatureInputs(bars, calendar), ""
    for row, feature in enumerate(features):
        if feature.category != category:
            inputs, category = FeatureInputs(bars, calendar), feature.category
        try:
            column = feature.column(inputs)
        except Exception as error:
            failures[feature.name] = error
            continue
        problem = _wrong_type(column, len(bars))
        if problem:
            failures[feature.name] = problem
        else:
            values[row] = column
    return Columns(values, failures)


def _wrong_type(column: Any, count: int) -> str:
    if not isinstance(column, np.ndarray):
        return f"type {type(column).__name__}, expected a numpy array"
    if column.shape != (count,):
        return f"shape {column.shape}, expected ({count},)"
    return "" if column.dtype == np.float64 else f"dtype {column.dtype}, expected float64"


def _failure(reason: Exception | str) -> str:
    return reason if isinstance(reason, str) else f"raises {type(reason).__name__}: {reason}"


def _compare(test: str, subject: Subject, got: Columns, count: int, complaint: str) -> Iterator[Violation]:
    """What differs in the first `count` bars, the largest difference of each column."""
    for row, feature in enumerate(subject.features):
        if feature.name in got.failures:
            yield overall(test, feature.name, subject.bars.symbol, _failure(got.failures[feature.name]))
            continue
        own, expected = got.values[row, :count], subject.whole[row, :count]
        worst = worst_difference(own, expected)
        if worst is not None:
            size = f"{complaint}: {own[worst]:.17g} for {expected[worst]:.17g}"
            yield at_bar(test, feature.name, subject.bars, worst, difference(own[worst], expected[worst]), size)
