"""Trading sessions: which day a bar belongs to, and how far into the day it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.errors import unknown_name

SECONDS_PER_DAY = 86_400
QUARTER_HOUR_SECONDS = 900
CACHED_DAYS = 256


@dataclass(frozen=True)
class SessionCalendar:
    """One market's trading day.

    A session is named by its date in `time_zone`; it begins at `session_start_hour` of the evening before where that is
    not 0 (17 for Chicago futures: the bar of Sunday 17:05 belongs to Monday). Regular hours are minutes of the local day.
    Holidays are the days on which no bar came.
    """

    name: str
    time_zone: str
    session_start_hour: int
    regular_open_minute: int
    regular_close_minute: int
    sessions_per_year: float

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


def local_seconds(time_ns: np.ndarray, time_zone: str) -> np.ndarray:
    """Seconds since 1970 on the wall clock of `time_zone`, daylight saving included, shape `(n,)` int64.

    The offset of each UTC day is looked up once; on the days on which the zone changes it, once per quarter hour.
    """
    seconds: np.ndarray = time_ns // NANOSECONDS
    day = seconds // SECONDS_PER_DAY
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


CALENDARS = {
    calendar.name: calendar
    for calendar in (
        SessionCalendar("always_open", "UTC", 0, 0, 1440, 365.0),
        SessionCalendar("fx_week", "America/New_York", 17, 8 * 60, 17 * 60, 260.0),
        SessionCalendar("nyse", "America/New_York", 0, 9 * 60 + 30, 16 * 60, 252.0),
        SessionCalendar("cme_equity", "America/Chicago", 17, 8 * 60 + 30, 15 * 60, 252.0),
        SessionCalendar("cme_metals", "America/Chicago", 17, 7 * 60 + 20, 12 * 60 + 30, 252.0),
        SessionCalendar("cme_energy", "America/Chicago", 17, 8 * 60, 13 * 60 + 30, 252.0),
        SessionCalendar("cme_rates", "America/Chicago", 17, 7 * 60 + 20, 14 * 60, 252.0),
        SessionCalendar("cme_currency", "America/Chicago", 17, 7 * 60 + 20, 14 * 60, 252.0),
    )
}


def session_calendar(name: str) -> SessionCalendar:
    """The calendar of that name. Raises UnknownNameError (2)."""
    if name not in CALENDARS:
        raise unknown_name("session calendar", name, CALENDARS)
    return CALENDARS[name]
