from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import local_seconds, session_calendar, weekday
from ohlcv_factory.errors import UnknownNameError


def at(*moments: str) -> np.ndarray:
    """Nanoseconds of UTC moments."""
    return np.array(moments, dtype="datetime64[ns]").astype(np.int64)


def days(*dates: str) -> list[int]:
    return np.array(dates, dtype="datetime64[D]").astype(np.int64).tolist()


def test_a_chicago_future_begins_its_day_the_evening_before() -> None:
    # Sunday 2024-01-07 17:05 Chicago = 23:05 UTC belongs to Monday; 16:55 is still Sunday's own date
    calendar = session_calendar("cme_equity")
    moments = at("2024-01-07T22:55", "2024-01-07T23:00", "2024-01-07T23:05", "2024-01-08T22:59")
    assert calendar.session_day(moments).tolist() == days("2024-01-07", "2024-01-08", "2024-01-08", "2024-01-08")
    assert calendar.minute_of_session(moments).tolist() == [1435, 0, 5, 1439]


@pytest.mark.parametrize("utc_open", ["2024-03-08T14:30", "2024-03-11T13:30"])
def test_new_york_opens_at_half_past_nine_on_both_sides_of_daylight_saving(utc_open: str) -> None:
    before = at(utc_open) - 60_000_000_000
    calendar = session_calendar("nyse")
    assert calendar.is_regular(np.append(before, at(utc_open))).tolist() == [False, True]


def test_regular_hours_end_before_the_close_and_leave_weekends_out() -> None:
    calendar = session_calendar("nyse")
    friday_last, friday_close, saturday = "2024-01-05T20:59", "2024-01-05T21:00", "2024-01-06T16:00"
    assert calendar.is_regular(at(friday_last, friday_close, saturday)).tolist() == [True, False, False]


def test_a_market_that_never_closes_is_always_regular() -> None:
    assert session_calendar("always_open").is_regular(at("2024-01-06T00:00", "2024-01-07T23:59")).all()


def test_wall_clock_seconds_follow_daylight_saving() -> None:
    utc = at("2024-07-01T12:00:30", "2024-01-01T12:00:30")
    assert ((utc // 10**9 - local_seconds(utc, "America/New_York")) // 3600).tolist() == [4, 5]
    assert local_seconds(utc, "UTC").tolist() == (utc // 10**9).tolist()


def test_weekdays_count_from_monday() -> None:
    assert weekday(at("1970-01-01", "2024-01-01", "2024-01-07") // 10**9).tolist() == [3, 0, 6]


def test_an_unknown_calendar_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cme_equity'"):
        session_calendar("cme_equty")


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"])
def test_the_wall_clock_is_that_of_the_zone_on_every_day_of_two_years(zone: str) -> None:
    """Every 1,000 seconds of 2023 and 2024, with eight changes of the clocks, against the zone database of Python."""
    seconds = 1_672_531_200 + 1000 * np.arange(63_158)
    moments = [datetime.fromtimestamp(int(second), ZoneInfo(zone)) for second in seconds]
    expected = [int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments]
    assert local_seconds(seconds * 10**9, zone).tolist() == expected
