"""When an exchange was open: its sessions with holidays and early closes, and what a gap between two bars is.

Dates and hours of exchanges come from pandas_market_calendars, which is imported only when one is asked for.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.errors import UsageError, unknown_name

DAY_NS = 86_400 * NANOSECONDS
STALE = {"CME_Equity": "CME Globex Equity", "CBOT_Equity": "CME Globex Equity"}
"""Calendars of the package with pit hours that ended long ago (12:00 close, a break at 15:15), and what to take."""
HOLIDAYS_UNTIL = 2100
"""Last year of the package's holiday rules."""
HOURS_OF_TODAY_SINCE = {"America/Chicago": 2022}
"""First whole year in which the package's hours are right: it knows one set of hours for all years.

CME's equity index futures paused from 15:15 to 15:30 Chicago until June 2021, and days ended at other times before 2015.
"""

RULE_YEARS = re.compile(r"\s+(\d{4}\+|Starting at \d{4})$")
"""What the package writes behind the name of a holiday whose rule began some year."""

SESSION_BREAK, WEEKEND, HOLIDAY, EARLY_CLOSE, MISSING, MISSING_SESSIONS, NOT_JUDGED = range(7)
GAP_KINDS = (
    "break between sessions",
    "weekend",
    "holiday",
    "early close",
    "missing inside a session",
    "missing sessions",
    "not judged",
)
"""Names of the gap codes, by code."""


@dataclass(frozen=True)
class Schedule:
    """The sessions of some days, in order: arrays of shape `(sessions,)`; a holiday has none."""

    first_day: int
    """First and last day asked for, as days since 1970-01-01."""
    last_day: int
    day: np.ndarray
    """int64, the day that names each session, as days since 1970-01-01."""
    open_ns: np.ndarray
    """int64, nanoseconds since 1970 UTC: the session is open from `open_ns` up to, not including, `close_ns`."""
    close_ns: np.ndarray
    is_early: np.ndarray
    """Whether the session closes before its usual hour."""
    holidays: np.ndarray
    """int64, days of the week's trading days on which there is no session."""
    notes: tuple[str, ...] = ()
    """What the calendar does not know about these days."""
    is_judged: bool = True
    """False where nothing is known of the market's hours: no bar is expected, no gap judged."""

    def __len__(self) -> int:
        return len(self.day)

    def clipped(self, first_ns: int, last_ns: int) -> Schedule:
        """The sessions between two times, the first and last cut to them."""
        kept = (self.close_ns > first_ns) & (self.open_ns < last_ns)
        opens, closes = np.maximum(self.open_ns[kept], first_ns), np.minimum(self.close_ns[kept], last_ns)
        return Schedule(
            self.first_day, self.last_day, self.day[kept], opens, closes, self.is_early[kept], self.holidays,
            self.notes, self.is_judged,
        )  # fmt: skip

    def expected_bars(self, bar_seconds: int) -> np.ndarray:
        """Bars of a session that has a trade in each of them, int64 `(sessions,)`; 0 where nothing is judged."""
        bar_ns = bar_seconds * NANOSECONDS
        bars: np.ndarray = -(-(self.close_ns - self.open_ns) // bar_ns) * int(self.is_judged)
        return bars

    def open_before(self, time_ns: np.ndarray) -> np.ndarray:
        """Nanoseconds for which the market was open from the schedule's begin up to each time, int64 `(n,)`."""
        lengths = self.close_ns - self.open_ns
        before = np.append(0, np.cumsum(lengths))
        position = np.searchsorted(self.open_ns, time_ns, side="right") - 1
        known = np.maximum(position, 0)
        if not len(self):
            return np.zeros(len(time_ns), np.int64)
        reached = np.minimum(time_ns - self.open_ns[known], lengths[known])
        return np.where(position >= 0, before[known] + reached, 0)

    def gap_kind(self, begin_ns: np.ndarray, end_ns: np.ndarray) -> np.ndarray:
        """What each gap from one bar's close to the next one's open is: a code of GAP_KINDS, int8 `(gaps,)`.

        A gap that skips whole sessions is *missing sessions*, one without closed time in it *missing inside a session*.
        Of the others, which may lack bars at either edge, a holiday wins over an early close, that over a weekend.
        """
        if not self.is_judged:
            return np.full(len(begin_ns), NOT_JUDGED, np.int8)
        first, last = np.searchsorted(self.close_ns, begin_ns), np.searchsorted(self.open_ns, end_ns, side="right")
        whole = np.searchsorted(self.close_ns, end_ns, side="right") - np.searchsorted(self.open_ns, begin_ns)
        closed = end_ns - begin_ns > self.open_before(end_ns) - self.open_before(begin_ns)
        conditions = [
            (whole > 0) & closed,
            ~closed,
            self._has_holiday(begin_ns, end_ns),
            self._ends_early(begin_ns, first),
            self._skips_a_day(first, last),
        ]
        codes = [MISSING_SESSIONS, MISSING, HOLIDAY, EARLY_CLOSE, WEEKEND]
        return np.select(conditions, codes, SESSION_BREAK).astype(np.int8)

    def _has_holiday(self, begin_ns: np.ndarray, end_ns: np.ndarray) -> np.ndarray:
        """Whether the noon UTC of a holiday lies in the gap; every market is open or closed at noon of its day."""
        noon = self.holidays * DAY_NS + DAY_NS // 2
        return np.searchsorted(noon, end_ns) > np.searchsorted(noon, begin_ns)

    def _ends_early(self, begin_ns: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Whether the session that the gap begins in, or comes after, closed early."""
        ending = np.clip(np.where(self._at_close(begin_ns, first), first, first - 1), 0, max(0, len(self) - 1))
        early: np.ndarray = self.is_early[ending] if len(self) else np.zeros(len(begin_ns), bool)
        return early

    def _at_close(self, begin_ns: np.ndarray, first: np.ndarray) -> np.ndarray:
        opens = np.append(self.open_ns, np.iinfo(np.int64).max)
        reached: np.ndarray = opens[first] < begin_ns
        return reached

    def _skips_a_day(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Whether there are days without a session between the sessions around the gap."""
        if len(self) < 2:
            return np.zeros(len(first), bool)
        after = np.clip(last - 1, 0, len(self) - 1)
        skips: np.ndarray = np.diff(self.day, prepend=self.day[:1])[after] > 1
        return skips


@lru_cache(maxsize=64)
def exchange_sessions(
    exchange: str, extended: bool, first_day: int, last_day: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day, open and close of every session of an exchange from `first_day` to `last_day`, int64 `(sessions,)` each.

    `extended` takes the hours before and after the regular ones in. Raises UsageError (2) for a name that the package
    does not have, or that is stale.
    """
    import pandas_market_calendars as package

    if first_day > last_day:
        return (np.empty(0, np.int64),) * 3
    refuse_stale(exchange)
    if exchange not in package.get_calendar_names():
        raise unknown_name("exchange of pandas_market_calendars", exchange, package.get_calendar_names())
    market = package.get_calendar(exchange)
    first, last = (np.datetime64(day, "D").astype(str) for day in (first_day, last_day))
    ends = {"start": "pre", "end": "post"} if extended else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls what pandas 3 deprecates; its figures are right
        table = market.schedule(first, last, tz="UTC", **ends)
    opened, closed = table[ends.get("start", "market_open")], table[ends.get("end", "market_close")]
    columns = (table.index.values.astype("datetime64[D]"), *(_moments(column) for column in (opened, closed)))
    return columns[0].astype(np.int64), columns[1], columns[2]


def holiday_names(exchange: str, days: np.ndarray) -> list[str]:
    """What the package calls each of some holidays of an exchange; empty for a closing that follows no rule."""
    import pandas_market_calendars as package

    rules = package.get_calendar(exchange).regular_holidays
    if rules is None or not len(days):
        return [""] * len(days)
    first, last = (str(np.datetime64(int(day), "D")) for day in days[[0, -1]])
    found = rules.holidays(first, last, return_name=True)
    names = {str(moment)[:10]: RULE_YEARS.sub("", name) for moment, name in found.items()}
    return [names.get(str(np.datetime64(int(day), "D")), "") for day in days]


def _moments(column: object) -> np.ndarray:
    """Nanoseconds since 1970 of a pandas column of UTC moments, whatever its unit."""
    values = column.dt.tz_localize(None).to_numpy()  # type: ignore[attr-defined]
    nanoseconds: np.ndarray = values.astype("datetime64[ns]").astype(np.int64)
    return nanoseconds


def refuse_stale(exchange: str) -> None:
    """Raise UsageError (2) for a calendar of the package whose hours ended long ago."""
    if exchange in STALE:
        raise UsageError(
            f"the calendar {exchange!r} of pandas_market_calendars has the hours of the closed trading pit.",
            where="exchange",
            help=f"take {STALE[exchange]!r}",
        )


def what_is_unknown(time_zone: str, first_day: int, last_day: int) -> tuple[str, ...]:
    """Notes on days of which the package knows less than it says."""
    first, last = (int(str(np.datetime64(day, "D"))[:4]) for day in (first_day, last_day))
    notes = []
    if last > HOLIDAYS_UNTIL:
        notes.append(f"holidays after {HOLIDAYS_UNTIL} are unknown: every trading day of the week is taken as one")
    since = HOURS_OF_TODAY_SINCE.get(time_zone)
    if since is not None and first < since:
        notes.append(f"hours are those since {since}; in the years before, pauses and closes differed")
    return tuple(notes)
