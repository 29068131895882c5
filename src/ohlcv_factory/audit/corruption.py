"""Bars whose later part is something else: what a causal column must not notice, and where to look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ohlcv_factory.bars.schema import COLUMNS, NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import SessionCalendar

PRICES = ("open", "high", "low", "close")
BOUNDARIES = ((900, 0.6), (3600, 0.75), (300, 0.9))
"""Seconds of a higher bar, and where in the series (as a share) one of its first bars is looked for."""
SESSION_AT = 0.85
SHUFFLE_SEED = 5


def ten_times_from(bars: Bars, start: int) -> Bars:
    """The bars, ten times as large from `start` on."""
    return _from(bars, start, {name: 10.0 * getattr(bars, name)[start:] for name in COLUMNS})


def reversed_from(bars: Bars, start: int) -> Bars:
    """The bars, in reversed order from `start` on, at the same times."""
    return _from(bars, start, {name: getattr(bars, name)[start:][::-1] for name in COLUMNS})


def shuffled_from(bars: Bars, start: int) -> Bars:
    """The bars, in another order from `start` on, at the same times."""
    order = start + np.random.default_rng(SHUFFLE_SEED).permutation(len(bars) - start)
    return _from(bars, start, {name: getattr(bars, name)[order] for name in COLUMNS})


def flat_from(bars: Bars, start: int) -> Bars:
    """The bars, with one price and no volume from `start` on."""
    price = bars.close[max(start - 1, 0)]
    return _from(bars, start, {**dict.fromkeys(PRICES, price), "volume": 0.0})


def without_volume_from(bars: Bars, start: int) -> Bars:
    """The bars, without volume from `start` on."""
    return _from(bars, start, {"volume": 0.0})


CORRUPTIONS: dict[str, Callable[[Bars, int], Bars]] = {
    "ten times as large": ten_times_from,
    "reversed": reversed_from,
    "shuffled": shuffled_from,
    "flat": flat_from,
    "without volume": without_volume_from,
}


def cut_points(bars: Bars, calendar: SessionCalendar, first: int) -> list[int]:
    """Lengths of prefixes from `first` to the end: spread, and just before and after the starts of higher bars and sessions.

    A prefix of p bars ends just before the bar at position p, so p - 1, p and p + 1 stand round that bar's start.
    """
    starts = [_boundary(bars, seconds, share) for seconds, share in BOUNDARIES] + [_session_start(bars, calendar)]
    counts = {start + step for start in starts for step in (-1, 0, 1)}
    counts |= set(np.linspace(first + 1, len(bars), 4).astype(int).tolist())
    return sorted(count for count in counts if first < count <= len(bars))


def _boundary(bars: Bars, seconds: int, share: float) -> int:
    """Position of the bar near a share of the series that is the first of a higher bar."""
    bucket = bars.time_ns // (seconds * NANOSECONDS)
    return _nearest(np.flatnonzero(np.diff(bucket)) + 1, bars, share)


def _session_start(bars: Bars, calendar: SessionCalendar) -> int:
    return _nearest(np.flatnonzero(np.diff(calendar.session_day(bars.time_ns))) + 1, bars, SESSION_AT)


def _nearest(positions: np.ndarray, bars: Bars, share: float) -> int:
    wanted = int(share * len(bars))
    return int(positions[np.argmin(np.abs(positions - wanted))]) if len(positions) else wanted


def _from(bars: Bars, start: int, later: dict[str, Any]) -> Bars:
    changed = {name: getattr(bars, name).copy() for name in later}
    for name, values in later.items():
        changed[name][start:] = values
    return replace(bars, **changed)
