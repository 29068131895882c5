"""The contract of a feature, for its author: `check_feature(feature, bars, calendar)`.

Raises AssertionError with the feature, the first bar and the size of the difference when the feature reads later bars,
is not finite after its look-back, looks further back than declared, or fails on a flat price or without volume.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ohlcv_factory.bars.schema import COLUMNS, Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.features.feature import Feature, FeatureInputs
from ohlcv_factory.runtime.clock import time_text

PREFIXES = 8
PRICES = ("open", "high", "low", "close")
LATER_START = 300
START_TOLERANCE = 1e-4
"""Largest difference after the look-back, in standard deviations of the column, when the series starts later."""


def check_feature(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """Run every check. `bars` need the look-back and 400 bars more, and moving prices with volume."""
    needed = feature.lookback_bars(bars.bar_seconds) + LATER_START + 100
    assert len(bars) >= needed, f"{feature.name}: the check needs {needed} bars, got {len(bars)}"
    check_prefixes(feature, bars, calendar)
    check_future(feature, bars, calendar)
    check_start(feature, bars, calendar)
    check_finite(feature, bars, calendar)
    check_finite(feature, flat_from(bars, len(bars) - 100), calendar)
    check_finite(feature, flat_from(bars, 0), calendar)
    check_finite(feature, replace(bars, volume=np.zeros(len(bars))), calendar)


def check_prefixes(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """Every prefix of the bars gives the bits that the whole series gives."""
    whole = values(feature, bars, calendar)
    for count in cut_points(feature, bars, calendar):
        prefix = values(feature, bars.head(count), calendar)
        _same(feature, bars, prefix, whole[:count], f"the first {count} bars alone give another value")


def check_future(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """Later bars, whatever they are, change no bit of an earlier value."""
    whole = values(feature, bars, calendar)
    for count in cut_points(feature, bars, calendar)[::3]:
        for later in (ten_times_from(bars, count), reversed_from(bars, count), flat_from(bars, count)):
            _same(feature, bars, values(feature, later, calendar)[:count], whole[:count], "later bars change it")


def check_start(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """After the declared look-back the value does not depend on where the series started."""
    start = LATER_START + feature.lookback_bars(bars.bar_seconds)
    whole = values(feature, bars, calendar)[start:]
    later = values(feature, bars.slice(LATER_START, len(bars)), calendar)[start - LATER_START :]
    difference = np.abs(later - whole)
    worst = int(np.argmax(difference))
    allowed = START_TOLERANCE * float(np.std(whole)) + 1e-12 * float(np.max(np.abs(whole)))
    assert difference[worst] <= allowed, _sentence(
        feature, bars, start + worst, f"a later start changes it by {difference[worst]:.3g}, allowed {allowed:.3g}"
    )


def check_finite(feature: Feature, bars: Bars, calendar: SessionCalendar) -> None:
    """Every value after the look-back is a number."""
    start = feature.lookback_bars(bars.bar_seconds)
    finite = np.isfinite(values(feature, bars, calendar)[start:])
    first = start + int(np.argmin(finite))
    assert finite.all(), _sentence(feature, bars, first, "it is not finite after its look-back")


def values(feature: Feature, bars: Bars, calendar: SessionCalendar) -> np.ndarray:
    """The column of these bars, float64 `(n,)`."""
    column = feature.column(FeatureInputs(bars, calendar))
    assert column.shape == (len(bars),), f"{feature.name}: shape {column.shape}, expected ({len(bars)},)"
    assert column.dtype == np.float64, f"{feature.name}: dtype {column.dtype}, expected float64"
    return column


def cut_points(feature: Feature, bars: Bars, calendar: SessionCalendar) -> list[int]:
    """Eight lengths of prefixes: spread from the look-back to the end, and round the last start of a session."""
    first = min(feature.lookback_bars(bars.bar_seconds) + 1, len(bars))
    spread = np.linspace(first, len(bars), PREFIXES - 3).astype(int).tolist()
    starts = np.flatnonzero(np.diff(calendar.session_day(bars.time_ns))) + 1
    session = int(starts[-1]) if len(starts) else len(bars) // 2
    return sorted([*spread, session, session + 1, session + 2])


def flat_from(bars: Bars, start: int) -> Bars:
    """The bars, with one price and no volume from `start` on."""
    price = bars.close[max(start - 1, 0)]
    prices: dict[str, Any] = {name: _changed(getattr(bars, name), start, price) for name in PRICES}
    return replace(bars, volume=_changed(bars.volume, start, 0.0), **prices)


def ten_times_from(bars: Bars, start: int) -> Bars:
    """The bars, ten times as large from `start` on."""
    changed: dict[str, Any] = {name: _changed(own, start, 10.0 * own[start:]) for name, own in _columns(bars)}
    return replace(bars, **changed)


def reversed_from(bars: Bars, start: int) -> Bars:
    """The bars, in reversed order from `start` on, at the same times."""
    changed: dict[str, Any] = {name: _changed(own, start, own[start:][::-1]) for name, own in _columns(bars)}
    return replace(bars, **changed)


def _columns(bars: Bars) -> list[tuple[str, np.ndarray]]:
    return [(name, getattr(bars, name)) for name in COLUMNS]


def _changed(column: np.ndarray, start: int, later: np.ndarray | float) -> np.ndarray:
    out = column.copy()
    out[start:] = later
    return out


def _same(feature: Feature, bars: Bars, got: np.ndarray, expected: np.ndarray, complaint: str) -> None:
    """Equal bit for bit, where any NaN equals any other."""
    differs = (got != expected) & ~(np.isnan(got) & np.isnan(expected))
    if differs.any():
        position = int(np.argmax(differs))
        size = f"{complaint}: {got[position]:.17g} for {expected[position]:.17g}"
        raise AssertionError(_sentence(feature, bars, position, size))


def _sentence(feature: Feature, bars: Bars, position: int, complaint: str) -> str:
    return f"{feature.name}, bar {position} ({time_text(bars.time_ns[position])}): {complaint}"
