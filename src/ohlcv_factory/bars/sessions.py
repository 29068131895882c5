"""Trading sessions: which day a bar belongs to, how far into the day it is, and when the market was open at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

import numpy as np
from pydantic import AfterValidator

from ohlcv_factory.bars.schedules import HOLIDAYS_UNTIL, STALE, Schedule, exchange_sessions, what_is_unknown
from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import unknown_name

SECONDS_PER_DAY = 86_400
QUARTER_HOUR_SECONDS = 900
CACHED_DAYS = 256
WEEKDAYS = (0, 1, 2, 3, 4)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class SessionCalendar:
    """One market's trading day.

    A session is named by its date in `time_zone`; it begins at `session_start_hour` of the evening before where that is
    not 0 (17 for Chicago futures: the bar of Sunday 17:05 belongs to Monday). Regular hours are minutes of the local day.
    Trading runs from `open_minute` to `close_minute` of the session. Those are arithmetic and known in advance; holidays
    and early closes are in the `schedule`, from the calendar `exchange` of pandas_market_calendars where there is one.
    """

    name: str
    time_zone: str
    session_start_hour: int
    regular_open_minute: int
    regular_close_minute: int
    sessions_per_year: float
    open_minute: int = 0
    close_minute: int = 1440
    days: tuple[int, ...] = WEEKDAYS
    """Days of the week that have a session, Monday 0."""
    exchange: str | None = None
    extended: bool = False
    """Whether the exchange's hours before and after the regular ones belong to the session."""
    is_judged: bool = True
    """False where nothing is known of the market's hours."""

    def session_day(self, time_ns: np.ndarray) -> np.ndarray:
        """Session of each bar as int64 days since 1970-01-01 in exchange time, shape `(n,)`."""
        shift = (24 - self.session_start_hour) % 24 * 3600
        return (local_seconds(time_ns, self.time_zone) + shift) // SECONDS_PER_DAY

    def minute_of_session(self, time_ns: np.ndarray) -> np.ndarray:
        """Minutes from the session's opening hour to each bar's open, 0 to 1439, shape `(n,)`."""
        shift = (24 - self.session_start_hour) % 24 * 3600
        return (local_seconds(time_ns, self.time_zone) + shift) % SECONDS_PER_DAY // 60

    def is_regular(self, time_ns: np.ndarray) -> np.ndarray:
        """Whether each bar opens inside the regular hours of a weekday (every day for 24/7 markets)."""
        local = local_seconds(time_ns, self.time_zone)
        minute = local % SECONDS_PER_DAY // 60
        inside = (minute >= self.regular_open_minute) & (minute < self.regular_close_minute)
        return inside & ((weekday(local) < 5) | (self.sessions_per_year > 300))

    def start_ns(self, day: np.ndarray) -> np.ndarray:
        """When each session day begins, in nanoseconds since 1970 UTC: the border between it and the day before."""
        return self._moment(day, 0)

    def open_ns(self, day: np.ndarray) -> np.ndarray:
        """When trading begins on each session day, by the usual hours, nanoseconds since 1970 UTC."""
        return self._moment(day, self.open_minute)

    def close_ns(self, day: np.ndarray) -> np.ndarray:
        """When trading ends on each session day, by the usual hours: an early close is not known here."""
        return self._moment(day, self.close_minute)

    def session_runs(self, time_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The days on which there are bars, and the position of the first bar of each; times ascend, one at least."""
        first, last = self.session_day(time_ns[[0, -1]])
        days = np.arange(first - 1, last + 2)  # a day more at either end, for zones that skip the hour of the border
        starts = np.searchsorted(time_ns, self.start_ns(days))
        kept = np.diff(starts, append=len(time_ns)) > 0
        return days[kept], starts[kept]

    def schedule(self, first_day: int, last_day: int) -> Schedule:
        """The sessions from `first_day` to `last_day` (days since 1970-01-01), holidays absent, early closes right.

        Where holidays are not known, after 2100, every trading day of the week has one and the notes say so.
        """
        day = np.arange(first_day, last_day + 1)
        usual = day[np.isin(weekday(day * SECONDS_PER_DAY), self.days)]
        if self.exchange is None:
            held, opens, closes = usual, self.open_ns(usual), self.close_ns(usual)
        else:
            held, opens, closes = self._exchange_sessions(self.exchange, usual, first_day, last_day)
        notes = what_is_unknown(self.time_zone, first_day, last_day) if self.exchange else ()
        early, holidays = closes < self.close_ns(held), np.setdiff1d(usual, held)
        return Schedule(first_day, last_day, held, opens, closes, early, holidays, notes, self.is_judged)

    def _exchange_sessions(self, exchange: str, usual: np.ndarray, first_day: int, last_day: int) -> list[np.ndarray]:
        """Day, open and close of each session: by the exchange's calendar, and by the usual hours beyond its last year."""
        known_until = int(np.datetime64(f"{HOLIDAYS_UNTIL}-12-31", "D").astype(np.int64))
        found = exchange_sessions(exchange, self.extended, first_day, min(last_day, known_until))
        beyond = usual[usual > known_until]
        rules = (beyond, self.open_ns(beyond), self.close_ns(beyond))
        return [np.append(known, rule) for known, rule in zip(found, rules, strict=True)]

    def schedule_between(self, first_ns: int, last_ns: int) -> Schedule:
        """The schedule of the sessions around two times, a week more at either end."""
        first, last = self.session_day(np.array([first_ns, last_ns]))
        return self.schedule(int(first) - 7, int(last) + 7)

    def expected_bars(self, first_ns: int, last_ns: int, bar_seconds: int) -> tuple[Schedule, np.ndarray]:
        """The sessions between two times, cut to them, and the bars that each would hold without a gap."""
        schedule = self.schedule_between(first_ns, last_ns).clipped(first_ns, last_ns)
        return schedule, schedule.expected_bars(bar_seconds)

    def gap_kind(self, begin_ns: np.ndarray, end_ns: np.ndarray) -> np.ndarray:
        """Codes of `schedules.GAP_KINDS` for gaps from a bar's close to the next one's open, int8 `(gaps,)`."""
        if not len(begin_ns):
            return np.empty(0, np.int8)
        return self.schedule_between(int(begin_ns[0]), int(end_ns[-1])).gap_kind(begin_ns, end_ns)

    def _moment(self, day: np.ndarray, minute: int) -> np.ndarray:
        """A minute of each session, as nanoseconds since 1970 UTC."""
        shift = (24 - self.session_start_hour) % 24 * 3600
        return utc_ns(day * SECONDS_PER_DAY - shift + minute * 60, self.time_zone)


def local_seconds(time_ns: np.ndarray, time_zone: str) -> np.ndarray:
    """Seconds since 1970 on the wall clock of `time_zone`, daylight saving included, shape `(n,)` int64.

    The offset of each UTC day is looked up once; on the days on which the zone changes it, once per quarter hour.
    """
    seconds: np.ndarray = time_ns // NANOSECONDS
    day = seconds // SECONDS_PER_DAY
    if len(day) == 1:
        return seconds + _offset_of_day(int(day[0]), time_zone, int(seconds[0]) // QUARTER_HOUR_SECONDS)
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    lengths = np.diff(starts, append=len(time_ns))
    offset, changes = _day_offsets(day[starts], time_zone)
    local: np.ndarray = seconds + np.repeat(offset, lengths)
    for start, length in zip(starts[changes], lengths[changes], strict=True):
        rows = slice(start, start + length)
        local[rows] = seconds[rows] + _quarter_offsets(seconds[rows], time_zone)
    return local


def _day_offsets(day: np.ndarray, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from UTC to the wall clock at the start of each UTC day, and whether they change before the next."""
    if not len(day):
        return day, day.astype(bool)
    first, last = int(day.min()) // CACHED_DAYS, int(day.max()) // CACHED_DAYS
    known = np.concatenate([_cached_offsets(chunk, time_zone)[:-1] for chunk in range(first, last + 1)])
    after = np.append(known[1:], _cached_offsets(last, time_zone)[-1])
    place = day - first * CACHED_DAYS
    return known[place], after[place] != known[place]


@lru_cache(maxsize=1024)
def _offset_of_day(day: int, time_zone: str, quarter: int) -> int:
    """Seconds from UTC to the wall clock in a quarter hour of a UTC day: for the newest bar alone, as a live session asks."""
    offset, changes = _day_offsets(np.array([day]), time_zone)
    if not changes[0]:
        return int(offset[0])
    return int(_utc_offset(np.array([quarter * QUARTER_HOUR_SECONDS]), time_zone)[0])


@lru_cache(maxsize=1024)
def _cached_offsets(chunk: int, time_zone: str) -> np.ndarray:
    """Offsets at the starts of `CACHED_DAYS` UTC days and of the day after them."""
    days = np.arange(chunk * CACHED_DAYS, (chunk + 1) * CACHED_DAYS + 1)
    return _utc_offset(days * SECONDS_PER_DAY, time_zone)


def _quarter_offsets(seconds: np.ndarray, time_zone: str) -> np.ndarray:
    """Seconds from UTC to the wall clock, one conversion per quarter hour: zones change their offset on those."""
    quarter = seconds // QUARTER_HOUR_SECONDS
    starts = np.flatnonzero(np.diff(quarter, prepend=quarter[:1] - 1))
    return np.repeat(_utc_offset(seconds[starts], time_zone), np.diff(starts, append=len(seconds)))


def _utc_offset(seconds: np.ndarray, time_zone: str) -> np.ndarray:
    """Seconds from UTC to the wall clock at each moment, int64 `(n,)`."""
    import polars as pl

    moments = pl.Series(seconds * 1000).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(time_zone)
    local: np.ndarray = moments.dt.replace_time_zone(None).dt.timestamp("ms").to_numpy() // 1000
    offset: np.ndarray = local - seconds
    return offset


def weekday(seconds: np.ndarray) -> np.ndarray:
    """Day of the week of wall-clock seconds: 0 Monday to 6 Sunday."""
    return (seconds // SECONDS_PER_DAY + 3) % 7


def utc_ns(local: np.ndarray, time_zone: str) -> np.ndarray:
    """Nanoseconds since 1970 UTC of wall-clock seconds in `time_zone`, shape `(n,)` int64; inverse of `local_seconds`.

    Of an hour that comes twice, one pass is taken; an hour that daylight saving skips is read as the one after it.
    """
    utc = local
    for _ in range(2):  # the offset at the first guess may be that of the other side of a change
        offset = local_seconds(utc * NANOSECONDS, time_zone) - utc
        utc = local - offset
    return utc * NANOSECONDS


def _cme(name: str, regular_open_minute: int, regular_close_minute: int, exchange: str) -> SessionCalendar:
    """A market on Globex: from 17:00 of the evening before to 16:00, Chicago time."""
    return SessionCalendar(
        name, "America/Chicago", 17, regular_open_minute, regular_close_minute, 252.0,
        close_minute=23 * 60, exchange=exchange,
    )  # fmt: skip


def _nyse(name: str, open_minute: int, close_minute: int, extended: bool) -> SessionCalendar:
    return SessionCalendar(
        name, "America/New_York", 0, 9 * 60 + 30, 16 * 60, 252.0,
        open_minute=open_minute, close_minute=close_minute, exchange="NYSE", extended=extended,
    )  # fmt: skip


CALENDARS = {
    calendar.name: calendar
    for calendar in (
        SessionCalendar("always_open", "UTC", 0, 0, 1440, 365.0, days=EVERY_DAY),
        SessionCalendar("none", "UTC", 0, 0, 1440, 365.0, days=EVERY_DAY, is_judged=False),
        SessionCalendar("fx_week", "America/New_York", 17, 8 * 60, 17 * 60, 260.0),
        SessionCalendar("spot_metals", "America/New_York", 17, 8 * 60, 17 * 60, 260.0, open_minute=60),
        _nyse("nyse", 9 * 60 + 30, 16 * 60, extended=False),
        _nyse("nyse_extended", 4 * 60, 20 * 60, extended=True),
        _cme("cme_equity", 8 * 60 + 30, 15 * 60, "CME Globex Equity"),
        _cme("cme_metals", 7 * 60 + 20, 12 * 60 + 30, "CMEGlobex_Metals"),
        _cme("cme_energy", 8 * 60, 13 * 60 + 30, "CMEGlobex_Energy"),
        _cme("cme_rates", 7 * 60 + 20, 14 * 60, "CME Globex Interest Rate Products"),
        _cme("cme_currency", 7 * 60 + 20, 14 * 60, "CMEGlobex_FX"),
    )
}
"""Calendars by name. `none` knows no hours: a session is a UTC day, no bar is expected and no gap judged."""


def session_calendar(name: str) -> SessionCalendar:
    """The calendar of that name. Raises UnknownNameError (2)."""
    if name not in CALENDARS:
        raise unknown_name("session calendar", name, CALENDARS)
    return CALENDARS[name]


def _checked_clock(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f"a time of day is written 08:30, got {text!r}")
    return text


def _checked_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError(f"unknown time zone {zone!r}; an IANA name such as Europe/Berlin is needed")
    return zone


def _checked_days(days: tuple[int, ...]) -> tuple[int, ...]:
    if not days or not set(days) <= set(EVERY_DAY):
        raise ValueError(f"days of the week are numbers from 0 Monday to 6 Sunday, got {list(days)}")
    return tuple(sorted(set(days)))


def _checked_exchange(exchange: str | None) -> str | None:
    if exchange in STALE:
        raise ValueError(f"{exchange!r} has the hours of the closed trading pit; take {STALE[exchange]!r}")
    return exchange


ClockTime = Annotated[str, AfterValidator(_checked_clock)]


class CalendarHours(Settings):
    """A session calendar of your own, as the table `calendars` of an instrument file defines it."""

    time_zone: Annotated[str, AfterValidator(_checked_zone)] = setting(..., "IANA zone of the hours.")
    opens: ClockTime = setting(..., "Usual begin of trading; where it is not before `closes`, the evening before.")
    closes: ClockTime = setting(..., "Usual end of trading; the same as `opens` for a whole day.")
    regular_opens: ClockTime | None = setting(None, "Begin of the regular hours; none: that of trading.")
    regular_closes: ClockTime | None = setting(None, "End of the regular hours; none: that of trading.")
    days: Annotated[tuple[int, ...], AfterValidator(_checked_days)] = setting(
        WEEKDAYS, "Days of the week that name a session, 0 Monday to 6 Sunday."
    )
    sessions_per_year: float = setting(252.0, "For annual figures.", gt=0, le=366)
    exchange: Annotated[str | None, AfterValidator(_checked_exchange)] = setting(
        None, "Calendar of pandas_market_calendars for holidays and early closes, for example XEUR."
    )

    def calendar(self, name: str) -> SessionCalendar:
        """The calendar of these hours."""
        opens, closes = _minutes(self.opens), _minutes(self.closes)
        minutes = (closes - opens) % 1440 or 1440
        start_hour = opens // 60 if opens + minutes > 1440 else 0
        open_minute = opens - start_hour * 60
        regular_close = _minutes(self.regular_closes or self.closes)
        return SessionCalendar(
            name, self.time_zone, start_hour, _minutes(self.regular_opens or self.opens), regular_close or 1440,
            self.sessions_per_year, open_minute, min(open_minute + minutes, 1440), self.days, self.exchange,
        )  # fmt: skip


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
