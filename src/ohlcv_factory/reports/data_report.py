"""What a bar file holds against what its market's calendar expects: figures of every file, computed on all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.rolls import TO_SIGMA, detect_rolls, looks_back_adjusted, roll_account
from ohlcv_factory.bars.schedules import GAP_KINDS, Schedule, holiday_names
from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.runtime.clock import time_text

FORMAT = 1
LISTED = 20
"""How many gaps, jumps, stretches and candidates are listed; their numbers are always complete."""
LEAST_STRETCH = 5
"""Bars that one price must hold to be listed as a constant stretch."""
Facts = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """Bars beside their market's sessions."""

    bars: Bars
    calendar: SessionCalendar

    @cached_property
    def schedule(self) -> Schedule:
        """The sessions from a week before the bars to a week after."""
        return self.calendar.schedule_between(int(self.bars.time_ns[0]), int(self.bars.close_time_ns[-1]))

    @cached_property
    def sessions(self) -> Schedule:
        """The sessions between the first bar and the last, cut to them."""
        return self.schedule.clipped(int(self.bars.time_ns[0]), int(self.bars.close_time_ns[-1]))

    @cached_property
    def first_row(self) -> np.ndarray:
        """Row of the first bar of each session, `(sessions,)`: it reaches into it, and none before was still open."""
        before = np.append(np.iinfo(np.int64).min, self.sessions.close_ns)[: len(self.sessions)]
        reaching = np.searchsorted(self.bars.close_time_ns, self.sessions.open_ns, side="right")
        return np.maximum(reaching, np.searchsorted(self.bars.time_ns, before))

    @cached_property
    def present(self) -> np.ndarray:
        """Bars in each session, `(sessions,)`."""
        bars: np.ndarray = np.searchsorted(self.bars.time_ns, self.sessions.close_ns) - self.first_row
        return bars

    @cached_property
    def expected(self) -> np.ndarray:
        """Bars that each session would have with a trade in every one of them, `(sessions,)`."""
        return self.sessions.expected_bars(self.bars.bar_seconds)


def data_report(files: Sequence[BarFile], instruments: Mapping[str, Instrument]) -> Facts:
    """JSON-ready figures of every file; `instruments` by symbol give calendar and tick size."""
    return {"format": FORMAT, "files": [file_facts(file, instruments[file.bars.symbol]) for file in files]}


def file_facts(file: BarFile, instrument: Instrument) -> Facts:
    """Everything that is said about one file."""
    bars = file.bars
    judged = Judged(bars, instrument.sessions)
    return {
        "symbol": bars.symbol,
        "bar_seconds": bars.bar_seconds,
        "bars": len(bars),
        "first": time_text(bars.time_ns[0]),
        "last": time_text(bars.time_ns[-1]),
        "account": file.account.plain(),
        "calendar": instrument.calendar,
        "time_zone": instrument.sessions.time_zone,
        "calendar_is_generic": instrument.is_generic and instrument.hours is None,
        "calendar_notes": list(judged.schedule.notes),
        "sessions": session_facts(judged),
        "gaps": gap_facts(judged),
        "volume": volume_facts(judged),
        "jumps": jump_facts(bars),
        "constant": constant_facts(bars),
        "rolls": roll_facts(judged),
        "back_adjusted": looks_back_adjusted(bars, instrument.tick_size),
    }


def session_facts(judged: Judged) -> Facts:
    """Bars expected, present and absent in each session; holidays and early closes by date.

    `outside` counts bars in no session. Where the market's hours are unknown, nothing is expected.
    """
    sessions, present, expected = judged.sessions, judged.present, judged.expected
    absent = np.maximum(expected - present, 0)
    first, last = judged.calendar.session_day(judged.bars.time_ns[[0, -1]])
    holidays = sessions.holidays[(sessions.holidays >= first) & (sessions.holidays <= last)]
    return {
        "judged": sessions.is_judged,
        "count": len(sessions),
        "expected": int(expected.sum()),
        "present": int(present.sum()),
        "absent": int(absent.sum()),
        "outside": int(len(judged.bars) - present.sum()),
        "days": {
            "day": _dates(sessions.day),
            "expected": expected.tolist(),
            "present": present.tolist(),
            "absent": absent.tolist(),
        },
        "holidays": _holidays(judged, holidays),
        "early_closes": _early_closes(judged),
    }


def _holidays(judged: Judged, days: np.ndarray) -> list[Facts]:
    """Holidays by date and name, with the bars that came all the same."""
    exchange = judged.calendar.exchange
    names = holiday_names(exchange, days) if exchange else [""] * len(days)
    return [
        {"day": day, "name": name, "bars": bars}
        for day, name, bars in zip(_dates(days), names, _bars_on(judged, days), strict=True)
    ]


def _dates(days: np.ndarray) -> list[str]:
    return [str(day) for day in days.astype("datetime64[D]")]


def _bars_on(judged: Judged, days: np.ndarray) -> list[int]:
    """Bars on each session day, whatever the schedule says."""
    time_ns = judged.bars.time_ns
    starts, stops = judged.calendar.start_ns(days), judged.calendar.start_ns(days + 1)
    counts: list[int] = (np.searchsorted(time_ns, stops) - np.searchsorted(time_ns, starts)).tolist()
    return counts


def _early_closes(judged: Judged) -> list[Facts]:
    """Sessions that ended early, and the bars between that close and the usual one."""
    sessions, time_ns = judged.sessions, judged.bars.time_ns
    rows = np.flatnonzero(sessions.is_early)
    closes, usual = sessions.close_ns[rows], judged.calendar.close_ns(sessions.day[rows])
    later = np.searchsorted(time_ns, usual) - np.searchsorted(time_ns, closes)
    return [
        {"day": day, "close": time_text(close), "bars_after": int(bars)}
        for day, close, bars in zip(_dates(sessions.day[rows]), closes, later, strict=True)
    ]


def gap_facts(judged: Judged) -> Facts:
    """Gaps by kind with the bars that are missing in them, and the longest ones that no closed market explains.

    `missing_bars` counts bars that the schedule expects between the two bars around a gap.
    """
    bars = judged.bars
    rows = np.flatnonzero(bars.time_ns[1:] > bars.close_time_ns[:-1])
    begin, end = bars.close_time_ns[rows], bars.time_ns[rows + 1]
    kind = judged.schedule.gap_kind(begin, end)
    open_ns = judged.schedule.open_before(end) - judged.schedule.open_before(begin)
    missing = open_ns // (bars.bar_seconds * NANOSECONDS) * int(judged.sessions.is_judged)
    kinds = {
        name: {"gaps": int((kind == code).sum()), "missing_bars": int(missing[kind == code].sum())}
        for code, name in enumerate(GAP_KINDS)
        if (kind == code).any()
    }
    by_missing = np.argsort(-missing, kind="stable")[:LISTED]
    by_length = np.argsort(begin - end, kind="stable")[:LISTED]

    def listed(order: np.ndarray) -> list[Facts]:
        return [
            {
                "begin": time_text(begin[at]),
                "end": time_text(end[at]),
                "seconds": int(end[at] - begin[at]) // NANOSECONDS,
                "kind": GAP_KINDS[kind[at]],
                "missing_bars": int(missing[at]),
            }
            for at in order
        ]

    return {
        "count": len(rows),
        "kinds": kinds,
        "most_missing": listed(by_missing[missing[by_missing] > 0]),
        "longest": listed(by_length),
    }


def volume_facts(judged: Judged) -> Facts:
    """Bars without volume: how many, the longest run, and the sessions with the largest share of them."""
    bars = judged.bars
    zero = bars.volume == 0
    before = np.append(0, np.cumsum(zero))
    stop = judged.first_row + judged.present
    share = (before[stop] - before[judged.first_row]) / np.maximum(judged.present, 1)
    order = np.argsort(-share, kind="stable")[:LISTED]
    return {
        "has_volume": bars.has_volume,
        "zero_bars": int(zero.sum()),
        "longest": _longest_runs(bars, zero, 1, 1),
        "sessions": [
            {"day": day, "zero_share": round(float(part), 4), "bars": int(present)}
            for day, part, present in zip(
                _dates(judged.sessions.day[order]), share[order], judged.present[order], strict=True
            )
            if part > 0 and bars.has_volume
        ],
    }


def jump_facts(bars: Bars) -> Facts:
    """The largest moves from close to close in robust standard deviations of such moves, largest first."""
    moves = np.diff(np.log(bars.close))
    sigma = _robust_sigma(moves)
    order = np.argsort(-np.abs(moves), kind="stable")[:LISTED] if len(moves) else np.empty(0, np.int64)
    gap = (bars.time_ns[1:] - bars.close_time_ns[:-1]) // NANOSECONDS
    return {
        "robust_sigma": sigma,
        "largest": [
            {
                "time": time_text(bars.time_ns[at + 1]),
                "log_return": float(moves[at]),
                "sigmas": float(abs(moves[at]) / sigma) if sigma else None,
                "after_gap_seconds": int(gap[at]),
            }
            for at in order
        ],
    }


def _robust_sigma(moves: np.ndarray) -> float:
    """From the median absolute move; where most bars do not move, from those that do."""
    sizes = np.abs(moves)
    sigma = TO_SIGMA * float(np.median(sizes)) if len(sizes) else 0.0
    moving = sizes[sizes > 0]
    return sigma or (TO_SIGMA * float(np.median(moving)) if len(moving) else 0.0)


def constant_facts(bars: Bars) -> Facts:
    """Bars without a range, and stretches in which no price moved at all."""
    flat = bars.high == bars.low
    held = np.append(False, flat[1:] & flat[:-1] & (bars.close[1:] == bars.close[:-1]))
    return {"flat_bars": int(flat.sum()), "longest": _longest_runs(bars, held, LEAST_STRETCH - 1, LISTED, lead=1)}


def _longest_runs(bars: Bars, marked: np.ndarray, least: int, most: int, lead: int = 0) -> list[Facts]:
    """The longest runs of marked bars, longest first; `lead` bars before a run belong to it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    order = np.argsort(starts - stops, kind="stable")[:most]
    return [
        {
            "first": time_text(bars.time_ns[starts[at] - lead]),
            "last": time_text(bars.time_ns[stops[at] - 1]),
            "bars": int(stops[at] - starts[at] + lead),
        }
        for at in order
        if stops[at] - starts[at] >= least
    ]


def roll_facts(judged: Judged) -> Facts:
    """Rolls that the file names, and jumps at session breaks that may be others."""
    bars = judged.bars
    candidates = detect_rolls(bars, judged.calendar) if judged.sessions.is_judged else ()
    strongest = sorted(candidates, key=lambda candidate: -candidate.sigmas)[:LISTED]
    return {
        "known": list(roll_account(bars)),
        "candidates": len(candidates),
        "strongest": [
            {
                "time": time_text(candidate.time_ns),
                "jump": candidate.jump,
                "sigmas": candidate.sigmas,
                "volume_ratio": candidate.volume_ratio,
                "why": candidate.why,
            }
            for candidate in strongest
        ],
    }
