"""Train, val and test in time order, with a gap before each border.

The borders are dates, the same for all symbols. Before a border, rows go whose label could reach it (purge, by the
scheduled end) or that lie within the embargo. Rows in a gap belong to no part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.runtime.clock import time_text

PART_NAMES = ("train", "val", "test")
NO_PART = -1
DEFAULT_EMBARGO_DAYS = 5.0
AUTO_EMBARGO_SHARE = 0.10
MIN_SCORED_ROWS = 200
NANOSECONDS_PER_DAY = 86_400_000_000_000

Embargo = float | Literal["auto"]


class PartShares(Settings):
    """How the eligible times are divided; what train and val leave is the test part."""

    train: float = setting(0.70, "Share of the eligible times before the first border.", gt=0, lt=1)
    val: float = setting(0.15, "Share of the eligible times between the borders.", gt=0, lt=1)


@dataclass(frozen=True)
class Parts:
    """The part of each of n rows, and how it came about."""

    code: np.ndarray
    """`(n,)` int8: 0 train, 1 val, 2 test, -1 none."""
    borders_ns: tuple[int, ...]
    """First moment of val, and of test where there is one."""
    embargo_ns: tuple[int, ...]
    """Embargo before each border."""
    warnings: tuple[str, ...]

    def rows(self, name: str) -> np.ndarray:
        """Positions of the rows of one part, in their order."""
        if name not in PART_NAMES:
            raise UsageError(f"unknown part {name!r}.", help=f"offered: {', '.join(PART_NAMES)}")
        return np.flatnonzero(self.code == PART_NAMES.index(name))


def chronological_parts(
    time_ns: np.ndarray, scheduled_end_ns: np.ndarray, shares: PartShares, embargo: Embargo = DEFAULT_EMBARGO_DAYS
) -> Parts:
    """Divide n eligible rows (of any number of symbols) by time.

    `time_ns` and `scheduled_end_ns` have shape `(n,)`; the latter is the bar of the vertical barrier of the dataset's
    largest max_bars. `embargo` is in days; `"auto"` lowers 5 days to at most 10 % of the earlier part's time span.
    Raises DataError (65) with the arithmetic when a border leaves no row on one side.
    """
    times = np.unique(time_ns)
    borders = tuple(int(times[position]) for position in _border_positions(len(times), shares))
    starts = (int(times[0]), *borders)
    gaps = [embargo_before(border, border - start, embargo) for start, border in zip(starts, borders, strict=False)]
    parts = parts_at(time_ns, scheduled_end_ns, borders, tuple(embargo_ns for embargo_ns, _ in gaps))
    return replace(parts, warnings=tuple(note for _, note in gaps if note))


def parts_at(
    time_ns: np.ndarray, scheduled_end_ns: np.ndarray, borders_ns: tuple[int, ...], embargo_ns: tuple[int, ...]
) -> Parts:
    """The parts of n rows between borders that are known, with the embargo before each.

    Raises DataError (65) when a part is left without rows.
    """
    code = np.searchsorted(borders_ns, time_ns, side="right").astype(np.int8)
    for part, (border, embargo) in enumerate(zip(borders_ns, embargo_ns, strict=True)):
        before = code == part
        code[before & ((scheduled_end_ns >= border) | (time_ns >= border - embargo))] = NO_PART
        _refuse_empty(code, part, before, border, embargo)
    return Parts(code, borders_ns, embargo_ns, ())


def embargo_before(border_ns: int, span_ns: int, embargo: Embargo) -> tuple[int, str]:
    """Embargo in nanoseconds before a border, and a note where `auto` lowered it."""
    if embargo != "auto":
        return int(embargo * NANOSECONDS_PER_DAY), ""
    wanted, allowed = int(DEFAULT_EMBARGO_DAYS * NANOSECONDS_PER_DAY), int(AUTO_EMBARGO_SHARE * span_ns)
    if wanted <= allowed:
        return wanted, ""
    days = allowed / NANOSECONDS_PER_DAY
    note = f"embargo before {time_text(border_ns)} lowered from 5 to {days:.2f} days (10 % of the earlier part's span)"
    return allowed, note


def refuse_small_parts(parts: Parts, scored: np.ndarray, horizon: int) -> None:
    """Raise DataError (65) when a part holds fewer than 200 scored rows of a horizon; `scored` has shape `(n,)`."""
    for part in range(len(parts.borders_ns) + 1):
        inside = parts.code == part
        count = int(np.count_nonzero(inside & scored))
        if count < MIN_SCORED_ROWS:
            raise DataError(
                f"part {PART_NAMES[part]!r} has {count} scored rows at horizon {horizon}, at least {MIN_SCORED_ROWS} are "
                f"needed: {int(inside.sum())} rows are left of {len(scored)} eligible ones after embargoes of "
                f"{', '.join(f'{gap / NANOSECONDS_PER_DAY:.2f}' for gap in parts.embargo_ns)} days and the purge.",
                help="give more bars, a smaller horizon, or --embargo auto",
            )


def _border_positions(count: int, shares: PartShares) -> list[int]:
    if shares.train + shares.val > 1 + 1e-12:
        raise UsageError(
            f"parts.train + parts.val must be at most 1, got {shares.train} + {shares.val}.",
            where="parts",
            help="for example 0.7 and 0.15",
        )
    quantiles = [shares.train, shares.train + shares.val]
    positions = [round(quantile * count) for quantile in quantiles if quantile < 1 - 1e-12]
    if count < 3 or positions[0] < 1 or positions[-1] >= count:
        raise DataError(f"{count} eligible bars cannot be divided into parts.", help="give more bars")
    return positions


def _refuse_empty(code: np.ndarray, part: int, before: np.ndarray, border_ns: int, embargo_ns: int) -> None:
    if np.any(code == part):
        return
    raise DataError(
        f"the gap eats part {PART_NAMES[part]!r} whole: {int(before.sum())} rows before {time_text(border_ns)}, embargo "
        f"{embargo_ns / NANOSECONDS_PER_DAY:.2f} days and the purge by scheduled label end leave none.",
        where="embargo_days",
        help="give more bars, or --embargo auto",
    )
