"""The rules that bars keep before anything is computed from them: those of one file, then those of a whole series.

Each rule is one function. An error names the first three rows that break it; what may pass is a warning. Nothing is
repaired silently: rows go only when they are asked to (equal repeats) or are not finished, and that is said.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from ohlcv_factory.bars.placed import SHOWN, Placed
from ohlcv_factory.bars.schema import COLUMNS, NANOSECONDS, Bars
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.errors import DataError
from ohlcv_factory.runtime.clock import time_text

PRICES = COLUMNS[:4]
WEEK_NS = 7 * 86_400 * NANOSECONDS
ROUNDING = 1e-9
FIRST_PLAUSIBLE_NS = 366 * 86_400 * NANOSECONDS
"""Nobody has intraday bars of 1970; times in seconds or milliseconds that are read in a wrong unit land there."""
OFF_GRID_SHARE = 0.01
"""Share of steps that may be no multiple of the bar size: days that daylight saving shortens, late openings."""
ZERO_VOLUME_SHARE = 0.05
"""Share of bars without volume from which on a warning is due."""
FEWEST_IN_MONTH = 20
"""Bars of a month from which on a close that never moves is said."""
USUAL_BREAKS = 5
"""A gap is listed beyond this many times the usual longest break of a week."""
LISTED_GAPS = 5


def check_part(placed: Placed, *, sort: bool, on_duplicate: Literal["error", "last"]) -> tuple[Placed, tuple[str, ...]]:
    """The bars of one file in order of time, each plausible and of one contract, and a warning for what was done."""
    refuse_bad_values(placed)
    placed, disorder = in_order(placed, sort)
    refuse_two_contracts(placed)
    placed, repeats = without_repeats(placed, on_duplicate)
    return placed, (*disorder, *repeats)


def check_series(placed: Placed, *, now: datetime, max_jump: float | None) -> tuple[Placed, tuple[str, ...]]:
    """The finished bars of a whole series, and a warning for what was dropped or looks odd."""
    refuse_two_contracts(placed)
    refuse_future(placed, now)
    placed, unfinished = without_unfinished(placed, now)
    refuse_empty(placed)
    off_grid = off_grid_warnings(placed)
    refuse_constant(placed)
    bars = placed.bars
    oddities = gap_warnings(bars) + month_warnings(bars) + volume_warnings(bars) + jump_warnings(placed, max_jump)
    return placed, (*unfinished, *off_grid, *oddities)


def refuse_wrong_epoch(time_ns: np.ndarray, source: str) -> None:
    """Times that all lie in 1970 were read in a wrong unit."""
    if len(time_ns) and time_ns.min() >= 0 and time_ns.max() < FIRST_PLAUSIBLE_NS:
        raise DataError(
            f"all {len(time_ns)} bars lie in 1970 (the last at {time_text(time_ns.max())}): wrong unit of time?",
            where=source,
            help="--time-unit s, ms, us or ns",
        )


def refuse_bad_values(placed: Placed) -> None:
    """Finite positive prices, high above and low below everything else, volume finite and not negative."""
    bars = placed.bars
    drop = "or --clean drop_bad_rows"
    for name in COLUMNS:
        help = f"mend or remove the {name}, {drop}"
        placed.refuse(~np.isfinite(getattr(bars, name)), f"{name} is not finite", help, (name,))
    for name in PRICES:
        help = f"returns need positive prices; remove these rows, {drop}"
        placed.refuse(getattr(bars, name) <= 0, f"{name} is not above 0", help, (name,))
    help = f"are the columns swapped? --map high=..., {drop}"
    placed.refuse(bars.high < bars.low, "high is below low", help, ("high", "low"))
    for name in ("open", "close"):
        price = getattr(bars, name)
        outside = (price > bars.high) | (price < bars.low)
        placed.refuse(
            outside,
            f"{name} lies outside low to high",
            f"are the columns in another order? --map, {drop}",
            (name, "low", "high"),
        )
    placed.refuse(
        bars.volume < 0,
        "volume is negative",
        "--clean drop_negative_volume or zero_negative_volume",
        ("volume",),
    )


def in_order(placed: Placed, sort: bool) -> tuple[Placed, list[str]]:
    """The bars by ascending time; refused when they are not and `sort` does not allow it."""
    time_ns = placed.bars.time_ns
    back = np.flatnonzero(np.diff(time_ns) < 0) + 1
    if not len(back):
        return placed, []
    if not sort:
        first = back[0]
        distance = timedelta(seconds=int(time_ns[first - 1] - time_ns[first]) / NANOSECONDS)
        raise DataError(
            f"row {placed.rows[first]} goes back {distance} to {time_text(time_ns[first])} ({len(back)} such rows).",
            where=placed.at(first),
            help="--sort",
        )
    return placed.take(np.argsort(time_ns, kind="stable")), [f"{len(back)} rows went back in time: sorted"]


def refuse_two_contracts(placed: Placed) -> None:
    """One contract at any time; which of several to follow is not guessed."""
    bars = placed.bars
    if bars.contract is None or len(bars) < 2:
        return
    both = (np.diff(bars.time_ns) == 0) & (np.diff(bars.contract) != 0)
    found = np.flatnonzero(both)
    if len(found):
        first, second = (bars.contract_names[bars.contract[place]] for place in (found[0], found[0] + 1))
        raise DataError(
            f"two contracts at one time: {first} {placed.bar_text(found[0])}, {second} {placed.bar_text(found[0] + 1)} "
            f"({len(found)} such rows).",
            where=placed.at(found[0] + 1),
            help=f"--contract {first} for that one, or give a file in which one contract follows the other",
        )


def without_repeats(placed: Placed, on_duplicate: Literal["error", "last"]) -> tuple[Placed, list[str]]:
    """One bar per time. Repeats with other values are always refused; equal ones unless `on_duplicate` is "last"."""
    bars = placed.bars
    repeated = np.diff(bars.time_ns, prepend=bars.time_ns[:1] - 1) == 0
    if not repeated.any():
        return placed, []
    differs = repeated & np.any([getattr(bars, name) != np.roll(getattr(bars, name), 1) for name in COLUMNS], axis=0)
    placed.refuse(differs, "a time comes again with other values", "remove the wrong rows; more than one symbol?")
    if on_duplicate == "error":
        help = "--on-duplicate last, or --clean drop_duplicates"
        placed.refuse(repeated, "a time comes again with the same values", help)
    return placed.take(~np.append(repeated[1:], False)), [
        f"{int(repeated.sum())} repeated rows with equal values dropped"
    ]


def refuse_future(placed: Placed, now: datetime) -> None:
    """No bar opens later than one bar after now."""
    bars = placed.bars
    latest = _nanoseconds(now) + bars.bar_seconds * NANOSECONDS
    rule = f"bars from the future (now is {time_text(_nanoseconds(now))})"
    placed.refuse(bars.time_ns > latest, rule, "check --tz, --stamp, --time-unit and this machine's clock")


def without_unfinished(placed: Placed, now: datetime) -> tuple[Placed, list[str]]:
    """Only bars that are complete by now."""
    finished = placed.bars.close_time_ns <= _nanoseconds(now)
    if finished.all():
        return placed, []
    first = placed.bars.time_ns[int(np.argmin(finished))]
    return placed.take(finished), [f"the last bar ({time_text(first)}) is still open: dropped"]


def refuse_empty(placed: Placed) -> None:
    """At least one bar."""
    if not len(placed.bars):
        raise DataError(f"{placed.source} holds no finished bar.", where=placed.source, help="export a longer period")


def common_step(time_ns: np.ndarray, source: str) -> int:
    """Seconds of the most frequent step between neighbouring times; the shortest where several are equally frequent.

    Times may be unsorted and repeated. Raises DataError (65) when there is none or it is no whole second.
    """
    steps = np.diff(np.sort(time_ns))
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    if not len(values):
        raise DataError(
            "one time alone does not tell the bar size.", where=source, help="--source-size, for example 5min"
        )
    step = int(values[np.argmax(counts)])
    if step % NANOSECONDS:
        raise DataError(
            f"the most common step is {step / NANOSECONDS:g} s; bars last whole seconds.",
            where=source,
            help="ticks? resample them first; wrong unit? --time-unit",
        )
    return step // NANOSECONDS


def off_grid_warnings(placed: Placed) -> list[str]:
    """Steps must be multiples of the bar size, and of nothing longer; a small share may be off.

    Absent bars are fine.
    """
    bars = placed.bars
    steps = np.diff(bars.time_ns)
    on_grid = steps % (bars.bar_seconds * NANOSECONDS) == 0
    shared = np.gcd.reduce(steps[on_grid]) // NANOSECONDS if on_grid.any() else bars.bar_seconds
    off = int(len(steps) - on_grid.sum())
    if off > OFF_GRID_SHARE * len(steps) or shared != bars.bar_seconds:
        raise DataError(
            f"steps do not fit bars of {size_text(bars.bar_seconds)}: {_step_histogram(steps)}.",
            where=placed.source if shared != bars.bar_seconds else placed.at(int(np.argmin(on_grid)) + 1),
            help="declare the bar size (--source-size); one file holds bars of one size",
        )
    return [f"{off} steps are no multiple of {size_text(bars.bar_seconds)}: {_step_histogram(steps)}"] if off else []


def _step_histogram(steps: np.ndarray) -> str:
    """The five most frequent steps: `5min 980 times, 3min 12 times`."""
    values, counts = np.unique(steps, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    return ", ".join(f"{_step_text(int(values[index]))} {counts[index]} times" for index in most)


def _step_text(step_ns: int) -> str:
    whole = step_ns % NANOSECONDS == 0
    return size_text(step_ns // NANOSECONDS) if whole else f"{step_ns / NANOSECONDS:g}s"


def refuse_constant(placed: Placed) -> None:
    """A price that never moves makes every z-score 0 / 0 and every label neutral."""
    close = placed.bars.close
    if len(close) > 1 and (close == close[0]).all():
        span = f"{time_text(placed.bars.time_ns[0])} to {time_text(placed.bars.time_ns[-1])}"
        raise DataError(
            f"{placed.bars.symbol}: close is {close[0]:g} in all {len(close)} bars ({span}, std = 0): labels would be "
            "one class.",
            where=placed.source,
            help="is this the right column? --map close=...",
        )


def gap_warnings(bars: Bars) -> list[str]:
    """The largest gaps, where they are far beyond the longest break of a usual week."""
    steps = np.diff(bars.time_ns)
    if not len(steps):
        return []
    weeks = bars.time_ns[:-1] // WEEK_NS
    begins = np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1))
    usual = max(float(np.median(np.maximum.reduceat(steps, begins))), bars.bar_seconds * NANOSECONDS)
    huge = np.flatnonzero(steps > USUAL_BREAKS * usual)
    largest = np.sort(huge[np.argsort(-steps[huge], kind="stable")[:LISTED_GAPS]])
    listed = "; ".join(
        f"{time_text(bars.time_ns[place])} to {time_text(bars.time_ns[place + 1])} "
        f"({timedelta(seconds=int(steps[place] // NANOSECONDS))})"
        for place in largest
    )
    return [f"{len(huge)} gaps beyond {USUAL_BREAKS} times the usual break: {listed}"] if len(huge) else []


def month_warnings(bars: Bars) -> list[str]:
    """Months in which the close never moves."""
    months = bars.time_ns.view("M8[ns]").astype("M8[M]")
    begins = np.flatnonzero(np.diff(months.astype(np.int64), prepend=-1))
    ends = np.append(begins[1:], len(bars))
    highest, lowest = np.maximum.reduceat(bars.close, begins), np.minimum.reduceat(bars.close, begins)
    still = (highest == lowest) & (ends - begins >= FEWEST_IN_MONTH)
    named = ", ".join(str(months[begin]) for begin in begins[still])
    return [f"close never moves (std = 0) in {named}"] if named else []


def volume_warnings(bars: Bars) -> list[str]:
    """Bars without volume, where they are many."""
    if not bars.has_volume:
        return ["volume is 0 in every bar: volume features are left out"]
    share = float(np.mean(bars.volume == 0))
    return [f"volume is 0 in {share:.1%} of the bars"] if share > ZERO_VOLUME_SHARE else []


def jump_warnings(placed: Placed, max_jump: float | None) -> list[str]:
    """Bars whose close is `max_jump` times the close before or more, or its `max_jump`-th part or less."""
    if max_jump is None:
        return []
    close = placed.bars.close
    factor = np.maximum(close[1:] / close[:-1], close[:-1] / close[1:])
    jumps = np.flatnonzero(factor >= max_jump * (1 - ROUNDING)) + 1
    listed = ", ".join(_jump_text(placed, position) for position in jumps[:SHOWN])
    return [f"{len(jumps)} closes jump by a factor of {max_jump:g} or more: {listed}"] if len(jumps) else []


def _jump_text(placed: Placed, position: int) -> str:
    factor = placed.bars.close[position] / placed.bars.close[position - 1]
    return f"{placed.bar_text(position)} x{factor:.3g}"


def _nanoseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NANOSECONDS + since.microseconds * 1000
