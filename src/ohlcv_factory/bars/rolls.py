"""Contract rolls of futures: where they are, and prices or stretches in which none shows.

A continuous series joins contracts whose prices differ; the step at a roll was no trade. Features read prices adjusted
**forward**: the first contract keeps its prices, so a new roll never changes the past. Labels and P&L read raw prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime.clock import time_text

ROBUST_SIGMAS = 5.0
"""A jump at a session break is a candidate from this many robust standard deviations of such jumps on."""
INSIDE_QUANTILE = 0.999
"""... and when it exceeds this quantile of the moves from bar to bar inside sessions."""
LEAST_BREAKS = 8
"""Fewer breaks do not tell how far prices jump there; then an hour's move inside sessions stands in."""
WEEKEND_SECONDS = 86_400
LEAST_OF_A_KIND = 30
"""Breaks of a day and more (weekends, holidays) have a scale of their own, as have shorter ones, from this many on."""
TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""

BLOCKS = 24
LEAST_BLOCK_BARS = 50
LEAST_LEVEL_RATIO = 2.0
LARGEST_SPREAD_RATIO = 0.5
LEAST_OFF_TICK = 0.05
LARGEST_OFF_TICK = 0.001


def _checked_moments(at: tuple[str, ...]) -> tuple[str, ...]:
    for text in at:
        _moment_ns(text)
    return at


class Rolls(Settings):
    """What is done about contract rolls."""

    handling: Literal["adjust", "cut"] = setting(
        "adjust", "Features on prices adjusted forward by ratio, or windows and labels cut at each roll."
    )
    at: Annotated[tuple[str, ...], AfterValidator(_checked_moments)] = setting(
        (), "Open times of the first bar of each new contract (ISO 8601 with zone), where no column names contracts."
    )
    detect: bool = setting(False, "List jumps at session breaks that may be rolls; none is taken for one.")


@dataclass(frozen=True)
class RollCandidate:
    """A jump at a session break that may be a roll; only the user can confirm it."""

    row: int
    time_ns: int
    jump: float
    """Log of the open over the close before."""
    sigmas: float
    """The jump in robust standard deviations of the jumps at breaks of its kind."""
    volume_ratio: float | None
    """Mean volume of a bar in the session that begins over that in the one before; None without volume."""
    why: str


def apply_rolls(bars: Bars, rolls: Rolls, calendar: SessionCalendar) -> tuple[Bars, tuple[str, ...]]:
    """The bars with the rolls that are named or confirmed, and what is to be said about them and about candidates.

    Raises UsageError (2) as `with_rolls` does.
    """
    rolled = with_rolls(bars, rolls.at)
    notes = [*unlikely_rolls(bars, rolls.at, calendar)]
    if rolls.handling == "adjust":
        notes += [f"{bars.symbol}: {line}" for line in roll_account(rolled)]
    if rolls.detect:
        found = detect_rolls(rolled, calendar)
        notes += [f"{bars.symbol}: perhaps a roll at {time_text(each.time_ns)}: {each.why}" for each in found]
    return rolled, tuple(notes)


def detect_rolls(bars: Bars, calendar: SessionCalendar) -> tuple[RollCandidate, ...]:
    """Jumps from one session to the next beyond what such breaks and the inside of sessions show, in order of time.

    Rolls that the contracts already name are left out. The scale is the median absolute deviation of the jumps at
    breaks of the same kind (under a day; a day and more) where they are many, else of all breaks.
    """
    if len(bars) < 3:
        return ()
    _, starts = calendar.session_runs(bars.time_ns)
    rows = np.setdiff1d(starts[1:], bars.roll_rows)
    inside = np.diff(np.log(bars.close))
    inside = np.delete(inside, np.union1d(starts[1:], bars.roll_rows) - 1)
    if not len(rows) or not len(inside):
        return ()
    jumps = np.log(bars.open[rows] / bars.close[rows - 1])
    sigma = _break_sigma(bars, rows, jumps, inside)
    largest_inside = float(np.quantile(np.abs(inside), INSIDE_QUANTILE))
    found = np.flatnonzero((np.abs(jumps) > ROBUST_SIGMAS * sigma) & (np.abs(jumps) > largest_inside))
    return tuple(
        _candidate(bars, starts, int(rows[at]), float(jumps[at]), float(sigma[at]), largest_inside) for at in found
    )


def _break_sigma(bars: Bars, rows: np.ndarray, jumps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Robust standard deviation of the jumps at breaks of the same kind, `(breaks,)`; above 0."""
    long = bars.time_ns[rows] - bars.close_time_ns[rows - 1] >= WEEKEND_SECONDS * NANOSECONDS
    hourly = max(1e-12, _robust_sigma(inside) * (3600 / min(bars.bar_seconds, 3600)) ** 0.5)
    pooled = _robust_sigma(jumps) if len(jumps) >= LEAST_BREAKS else 0.0
    sigma = np.full(len(jumps), pooled or hourly)
    for kind in (long, ~long):
        if kind.sum() >= LEAST_OF_A_KIND:
            sigma[kind] = _robust_sigma(jumps[kind]) or sigma[kind]
    return sigma


def _robust_sigma(values: np.ndarray) -> float:
    return TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def _candidate(
    bars: Bars, starts: np.ndarray, row: int, jump: float, sigma: float, largest_inside: float
) -> RollCandidate:
    volume_ratio = _volume_ratio(bars, starts, row)
    why = f"{jump:+.2%} is {abs(jump) / sigma:.1f} robust sigmas of such breaks; inside sessions 1 bar in 1000 moves "
    why += f"more than {largest_inside:.2%}"
    if volume_ratio is not None:
        why += f"; volume per bar x{volume_ratio:.2g} from the session before"
    return RollCandidate(row, int(bars.time_ns[row]), jump, abs(jump) / sigma, volume_ratio, why)


def _volume_ratio(bars: Bars, starts: np.ndarray, row: int) -> float | None:
    """Mean volume of the session that begins at `row` over that of the one before."""
    place = int(np.searchsorted(starts, row))
    stop = starts[place + 1] if place + 1 < len(starts) else len(bars)
    before = float(bars.volume[starts[place - 1] : row].mean())
    return float(bars.volume[row:stop].mean()) / before if before > 0 else None


def with_rolls(bars: Bars, at: Sequence[str]) -> Bars:
    """The bars with contracts that change at confirmed times: each the open time of a new contract's first bar.

    Raises UsageError (2) where contracts are known already, and for a time that begins no bar, with the bars around it.
    """
    if bars.contract is not None and at:
        raise UsageError(
            f"the bars of {bars.symbol} name their contracts already.", where="rolls.at", help="leave rolls.at out"
        )
    if not at:
        return bars
    rows = sorted({_row_at(bars, text) for text in at})
    contract = np.searchsorted(np.array(rows), np.arange(len(bars)), side="right").astype(np.int32)
    return replace(bars, contract=contract, contract_names=tuple(f"contract {n + 1}" for n in range(len(rows) + 1)))


def rolls_within(bars: Bars, at: Sequence[str]) -> tuple[str, ...]:
    """Those of some confirmed rolls that fall between the first bar and the last; none where contracts are known."""
    if bars.contract is not None or not len(bars):
        return ()
    return tuple(text for text in at if bars.time_ns[0] < _moment_ns(text) <= bars.time_ns[-1])


def unlikely_rolls(bars: Bars, at: Sequence[str], calendar: SessionCalendar) -> tuple[str, ...]:
    """A warning for each confirmed time at which prices do not jump as at a roll. `bars` are those before `with_rolls`."""
    likely = {candidate.row for candidate in detect_rolls(bars, calendar)}
    rows = [(text, _row_at(bars, text)) for text in at]
    return tuple(
        f"{bars.symbol}: roll at {text}: the price moves by {bars.open[row] / bars.close[row - 1] - 1:+.2%} there, "
        "no more than at other session breaks"
        for text, row in rows
        if row not in likely
    )


def _row_at(bars: Bars, text: str) -> int:
    """Row of the bar that opens at a time. Raises UsageError (2) with its neighbours."""
    try:
        moment = _moment_ns(text)
    except ValueError as error:
        raise UsageError(f"{error}.", where="rolls.at", help="the open time of the new contract's first bar") from None
    row = int(np.searchsorted(bars.time_ns, moment))
    if 0 < row < len(bars) and bars.time_ns[row] == moment:
        return row
    around = ", ".join(time_text(bars.time_ns[near]) for near in (row - 1, row) if 0 <= near < len(bars))
    reason = "is the first bar, before which there is no contract" if row == 0 and len(bars) else "begins no bar"
    raise UsageError(f"{bars.symbol}: the roll at {text} {reason}.", where="rolls.at", help=f"nearest bars: {around}")


def _moment_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"a roll's time is ISO 8601, for example 2024-03-14T22:00:00Z, got {text!r}") from None
    if moment.tzinfo is None:
        raise ValueError(f"a roll's time needs its zone, for example 2024-03-14T22:00:00Z, got {text!r}")
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00Z")
    return since // timedelta(microseconds=1) * 1000


def forward_adjusted(bars: Bars, overlaps: Mapping[str, Bars] | None = None) -> Bars:
    """Prices times a cumulative ratio, so that no roll shows and the first contract keeps its prices; one contract.

    A roll's ratio is the old contract's close over the new one's at the last time for which `overlaps`, bars by contract
    name, has the new contract; without such a bar it is the last close before over the first open after the roll, as
    if nothing had moved in between. Appending bars and rolls changes no earlier bit. Volume stays.
    """
    ratios = roll_ratios(bars, overlaps)
    factor = np.repeat(np.append(1.0, np.cumprod(ratios)), np.diff([0, *bars.roll_rows, len(bars)]))
    return _adjusted(bars, {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")})


def forward_factor(bars: Bars) -> float:
    """What `forward_adjusted` multiplies the last contract's prices by."""
    return float(np.append(1.0, np.cumprod(roll_ratios(bars)))[-1])


def forward_adjusted_by_difference(bars: Bars, overlaps: Mapping[str, Bars] | None = None) -> Bars:
    """Prices plus a cumulative difference, for charts only: levels stay near quotes, but returns are distorted.

    Prices may fall to 0 and below. Otherwise as `forward_adjusted`.
    """
    old, new = _roll_prices(bars, overlaps)
    shift = np.repeat(np.append(0.0, np.cumsum(old - new)), np.diff([0, *bars.roll_rows, len(bars)]))
    return _adjusted(bars, {name: getattr(bars, name) + shift for name in ("open", "high", "low", "close")})


def roll_ratios(bars: Bars, overlaps: Mapping[str, Bars] | None = None) -> np.ndarray:
    """Old price over new price at every roll, `(rolls,)`; see `forward_adjusted`."""
    old, new = _roll_prices(bars, overlaps)
    ratios: np.ndarray = old / new
    return ratios


def roll_account(bars: Bars, overlaps: Mapping[str, Bars] | None = None) -> tuple[str, ...]:
    """One line per roll: when, from which contract to which, the ratio, and what it assumes."""
    measured = _measured_rows(bars, overlaps)
    return tuple(
        f"roll at {time_text(bars.time_ns[row])} from {_name(bars, row - 1)} to {_name(bars, row)}: ratio {ratio:.6f}, "
        + (
            "measured on bars of both contracts"
            if both >= 0
            else "last close before over first open after: no move assumed"
        )
        for row, ratio, both in zip(bars.roll_rows, roll_ratios(bars, overlaps), measured, strict=True)
    )


def segments(bars: Bars) -> tuple[slice, ...]:
    """The rows of each contract in turn: what a window or label may not leave when rolls are cut."""
    borders = [0, *bars.roll_rows.tolist(), len(bars)]
    return tuple(slice(start, stop) for start, stop in pairwise(borders))


def _adjusted(bars: Bars, prices: Mapping[str, Any]) -> Bars:
    return replace(bars, **prices, contract=None, contract_names=())


def _roll_prices(bars: Bars, overlaps: Mapping[str, Bars] | None) -> tuple[np.ndarray, np.ndarray]:
    """Price of the old and of the new contract at each roll, `(rolls,)` each."""
    rows = bars.roll_rows
    old, new = bars.close[rows - 1].copy(), bars.open[rows].copy()
    for position, both in enumerate(_measured_rows(bars, overlaps)):
        if both >= 0:
            other = (overlaps or {})[_name(bars, rows[position])]
            old[position] = bars.close[both]
            new[position] = other.close[np.searchsorted(other.time_ns, bars.time_ns[both])]
    return old, new


def _measured_rows(bars: Bars, overlaps: Mapping[str, Bars] | None) -> list[int]:
    """For each roll the last row of the old contract at whose time the new one traded too; -1 where there is none."""
    found = []
    for start, row in pairwise([0, *bars.roll_rows.tolist()]):
        other = (overlaps or {}).get(_name(bars, row))
        both = np.flatnonzero(np.isin(bars.time_ns[start:row], other.time_ns)) if other is not None else np.empty(0)
        found.append(start + int(both[-1]) if len(both) else -1)
    return found


def _name(bars: Bars, row: int) -> str:
    assert bars.contract is not None  # a row of a roll
    return bars.contract_names[int(bars.contract[row])]


def looks_back_adjusted(bars: Bars, tick_size: float = 0.0) -> str | None:
    """Why the prices look adjusted backward, or None. Back-adjusted prices were never quoted and distort returns.

    By difference: prices at or below 0; or, in 24 blocks of equal length, the price level differs by a factor of 2 and
    more while moves in points are under half as diverse as moves in per cent (standard deviation of their logarithms).
    By ratio: early prices are off the tick and late ones are not.
    """
    if (bars.low <= 0).any():
        return "prices at or below 0: adjusted backward by difference?"
    return _constant_in_points(bars) or _early_off_tick(bars, tick_size)


def _constant_in_points(bars: Bars) -> str | None:
    size = len(bars) // BLOCKS
    if size < LEAST_BLOCK_BARS:
        return None
    close = bars.close[: size * BLOCKS].reshape(BLOCKS, size)
    level = np.median(close, axis=1)
    points = np.abs(np.diff(close, axis=1)).mean(axis=1)
    if not points.all() or level.max() < LEAST_LEVEL_RATIO * level.min():
        return None
    in_points, in_percent = float(np.log(points).std()), float(np.log(points / level).std())
    if in_points > LARGEST_SPREAD_RATIO * in_percent:
        return None
    return (
        f"moves are alike in points (spread {in_points:.2f}) and not in per cent ({in_percent:.2f}) while the level goes "
        f"from {level.min():g} to {level.max():g}: adjusted backward by difference?"
    )


def _early_off_tick(bars: Bars, tick_size: float) -> str | None:
    third = len(bars) // 3
    if tick_size <= 0 or not third:
        return None
    early, late = (_off_tick(close, tick_size) for close in (bars.close[:third], bars.close[-third:]))
    if early < LEAST_OFF_TICK or late > LARGEST_OFF_TICK:
        return None
    return f"{early:.0%} of the early closes are off the tick of {tick_size:g}, late ones are on it: adjusted by ratio?"


def _off_tick(prices: np.ndarray, tick_size: float) -> float:
    steps = prices / tick_size
    return float(np.mean(np.abs(steps - np.rint(steps)) > 1e-4))
