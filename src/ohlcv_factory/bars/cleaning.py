"""Repair by name: each rule is asked for, does one thing, and is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ohlcv_factory.bars.placed import SHOWN, Placed
from ohlcv_factory.bars.schema import COLUMNS, NANOSECONDS, Bars

PRICES = COLUMNS[:4]
HOUR_NS, DAY_NS = 3600 * NANOSECONDS, 86_400 * NANOSECONDS
WEEK_BEGIN_NS = 4 * DAY_NS
"""1970-01-05 was a Monday."""
WEEKEND_NS = (4 * 24 + 21) * HOUR_NS
"""Friday 21:00 UTC, from Monday 00:00."""


@dataclass(frozen=True)
class Cleaned:
    """What is left, how many rows each rule met, and a sentence on those that met any."""

    placed: Placed
    counts: dict[str, int]
    notes: tuple[str, ...]


def clean(placed: Placed, rules: tuple[str, ...]) -> Cleaned:
    """The bars after the rules, in the order in which they are declared; `drop_duplicates` acts with the repeats."""
    counts: dict[str, int] = {}
    notes: list[str] = []
    for name, rule in RULES.items():
        if name not in rules:
            continue
        met = rule(placed.bars)
        counts[name] = int(met.sum())
        if met.any():
            notes.append(f"{name}: {counts[name]} rows, {_first_rows(placed, met)}")
        placed = _without_negative_volume(placed, met) if name == "zero_negative_volume" else placed.take(~met)
    return Cleaned(placed, counts, tuple(notes))


def _first_rows(placed: Placed, met: np.ndarray) -> str:
    return "; ".join(placed.bar_text(position) for position in np.flatnonzero(met)[:SHOWN])


def _without_negative_volume(placed: Placed, met: np.ndarray) -> Placed:
    return replace(placed, bars=replace(placed.bars, volume=np.where(met, 0.0, placed.bars.volume)))


def bad_rows(bars: Bars) -> np.ndarray:
    """Rows whose prices no market has: mask `(n,)`."""
    prices = [getattr(bars, name) for name in PRICES]
    with np.errstate(invalid="ignore"):
        finite = np.all([np.isfinite(price) for price in (*prices, bars.volume)], axis=0)
        above_0 = np.all([price > 0 for price in prices], axis=0)
        inside = [(bars.low <= price) & (price <= bars.high) for price in (bars.open, bars.close)]
    good: np.ndarray = finite & above_0 & np.all(inside, axis=0) & (bars.high >= bars.low)
    return ~good


def flat_weekend(bars: Bars) -> np.ndarray:
    """Rows of one price without volume, between Friday 21:00 and Monday 00:00 UTC: mask `(n,)`."""
    flat = (bars.high == bars.low) & (bars.volume == 0)
    weekend: np.ndarray = flat & ((bars.time_ns - WEEK_BEGIN_NS) % (7 * DAY_NS) >= WEEKEND_NS)
    return weekend


def negative_volume(bars: Bars) -> np.ndarray:
    """Rows whose volume is below 0: mask `(n,)`."""
    negative: np.ndarray = bars.volume < 0
    return negative


RULES: dict[str, Callable[[Bars], np.ndarray]] = {
    "drop_bad_rows": bad_rows,
    "drop_negative_volume": negative_volume,
    "zero_negative_volume": negative_volume,
    "drop_flat_weekend": flat_weekend,
}
"""Which rows each rule of `options.CLEANING` meets; `drop_duplicates` is `checks.without_repeats`."""
