from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import CALENDARS, CalendarHours, local_seconds, session_calendar, utc_ns, weekday
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


CHICAGO = [name for name in CALENDARS if name.startswith("cme_")]


def sessions(calendar: str, first: str, last: str) -> dict[str, tuple[str, str]]:
    """Open and close in UTC, to the minute, of every session, by its day."""
    schedule = session_calendar(calendar).schedule(*days(first, last))
    opens, closes = (moments.astype("datetime64[ns]") for moments in (schedule.open_ns, schedule.close_ns))
    return {
        str(np.datetime64(int(day), "D")): (minute(opened), minute(closed))
        for day, opened, closed in zip(schedule.day, opens, closes, strict=True)
    }


def minute(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[m]"))


@pytest.mark.parametrize("calendar", CHICAGO)
def test_chicago_futures_open_an_hour_earlier_in_utc_from_the_sunday_of_daylight_saving(calendar: str) -> None:
    spring = sessions(calendar, "2024-03-08", "2024-03-11")
    assert spring == {
        "2024-03-08": ("2024-03-07T23:00", "2024-03-08T22:00"),
        "2024-03-11": ("2024-03-10T22:00", "2024-03-11T21:00"),
    }
    autumn = sessions(calendar, "2024-11-01", "2024-11-04")
    assert autumn == {
        "2024-11-01": ("2024-10-31T22:00", "2024-11-01T21:00"),
        "2024-11-04": ("2024-11-03T23:00", "2024-11-04T22:00"),
    }


def test_new_york_follows_daylight_saving_in_2011() -> None:
    assert sessions("nyse", "2011-03-11", "2011-03-14") == {
        "2011-03-11": ("2011-03-11T14:30", "2011-03-11T21:00"),
        "2011-03-14": ("2011-03-14T13:30", "2011-03-14T20:00"),
    }
    assert sessions("nyse_extended", "2011-03-11", "2011-03-14") == {
        "2011-03-11": ("2011-03-11T09:00", "2011-03-12T01:00"),
        "2011-03-14": ("2011-03-14T08:00", "2011-03-15T00:00"),
    }


def test_the_day_after_thanksgiving_ends_early() -> None:
    # 12:15 Chicago, 12:45 Chicago, 13:00 New York, and 17:00 New York with the hours after the close
    assert sessions("cme_equity", "2024-11-29", "2024-11-29")["2024-11-29"][1] == "2024-11-29T18:15"
    assert sessions("cme_metals", "2024-11-29", "2024-11-29")["2024-11-29"][1] == "2024-11-29T18:45"
    assert sessions("nyse", "2024-11-28", "2024-11-29") == {"2024-11-29": ("2024-11-29T14:30", "2024-11-29T18:00")}
    assert sessions("nyse_extended", "2024-11-29", "2024-11-29")["2024-11-29"][1] == "2024-11-29T22:00"
    schedule = session_calendar("cme_equity").schedule(*days("2024-11-27", "2024-12-02"))
    assert schedule.is_early.tolist() == [False, True, True, False]


def test_good_friday_is_a_holiday_of_metals_and_a_short_day_of_rates() -> None:
    assert "2024-03-29" not in sessions("cme_metals", "2024-03-28", "2024-04-01")
    assert "2024-03-29" not in sessions("nyse", "2024-03-28", "2024-04-01")
    assert sessions("cme_rates", "2024-03-29", "2024-03-29")["2024-03-29"][1] == "2024-03-29T15:15"
    schedule = session_calendar("nyse").schedule(*days("2024-03-28", "2024-04-01"))
    assert schedule.holidays.tolist() == days("2024-03-29")


def test_currencies_trade_from_sunday_evening_to_friday_evening_in_new_york() -> None:
    assert sessions("fx_week", "2024-03-08", "2024-03-11") == {
        "2024-03-08": ("2024-03-07T22:00", "2024-03-08T22:00"),
        "2024-03-11": ("2024-03-10T21:00", "2024-03-11T21:00"),
    }
    assert sessions("spot_metals", "2024-03-11", "2024-03-11") == {
        "2024-03-11": ("2024-03-10T22:00", "2024-03-11T21:00")
    }


def test_a_market_that_never_closes_has_a_session_each_day() -> None:
    assert list(sessions("always_open", "2024-03-09", "2024-03-10")) == ["2024-03-09", "2024-03-10"]


def test_nothing_is_expected_of_a_market_without_known_hours() -> None:
    calendar = session_calendar("none")
    schedule, expected = calendar.expected_bars(*at("2024-01-06T00:00", "2024-01-08T00:00").tolist(), 60)
    assert not schedule.is_judged
    assert expected.tolist() == [0, 0]


def test_days_beyond_the_known_holidays_are_trading_days_and_the_schedule_says_so() -> None:
    # the first of January is a Friday in 2100 and a Monday in 2103
    assert "2100-01-01" not in sessions("cme_metals", "2099-12-28", "2100-01-05")
    schedule = session_calendar("cme_metals").schedule(*days("2102-12-29", "2103-01-01"))
    assert schedule.day.tolist() == days("2102-12-29", "2103-01-01")
    assert schedule.notes == ("holidays after 2100 are unknown: every trading day of the week is taken as one",)
    assert len(session_calendar("cme_metals").schedule(*days("2100-12-30", "2101-01-04"))) == 4
    past = session_calendar("cme_equity").schedule(*days("1990-01-02", "1990-01-05"))
    assert past.notes == ("hours are those since 2022; in the years before, pauses and closes differed",)
    assert len(past) == 4


def test_expected_bars_count_from_the_first_bar_to_the_last() -> None:
    # from Monday 12:00 to Wednesday 01:00 UTC: 10 hours of Monday's session, 23 of Tuesday's, 2 of Wednesday's
    first, last = at("2024-01-08T12:00", "2024-01-10T01:00").tolist()
    schedule, expected = session_calendar("cme_equity").expected_bars(first, last, 300)
    assert schedule.day.tolist() == days("2024-01-08", "2024-01-09", "2024-01-10")
    assert expected.tolist() == [10 * 12, 23 * 12, 2 * 12]


@pytest.mark.parametrize("calendar", ["cme_equity", "nyse", "fx_week", "always_open"])
def test_runs_of_a_session_are_its_bars_through_both_changes_of_the_clock(calendar: str) -> None:
    first, last = days("2024-03-01", "2024-11-10")
    time_ns = np.arange(first * 48, last * 48) * 1_800_000_000_000
    found, starts = session_calendar(calendar).session_runs(time_ns)
    by_bar = session_calendar(calendar).session_day(time_ns)
    assert np.repeat(found, np.diff(starts, append=len(time_ns))).tolist() == by_bar.tolist()


def test_wall_clock_seconds_come_back_to_the_same_moment() -> None:
    moments = at("2024-03-10T06:30", "2024-03-10T07:30", "2024-07-01T12:00", "2024-11-03T08:30")
    assert utc_ns(local_seconds(moments, "America/New_York"), "America/New_York").tolist() == moments.tolist()


def test_hours_of_ones_own_may_begin_the_evening_before() -> None:
    calendar = CalendarHours(time_zone="Asia/Tokyo", opens="16:30", closes="15:15").calendar("tokyo")
    day = np.array(days("2024-05-08"))
    assert calendar.open_ns(day).tolist() == at("2024-05-07T07:30").tolist()
    assert calendar.close_ns(day).tolist() == at("2024-05-08T06:15").tolist()
    assert calendar.session_day(at("2024-05-07T07:30", "2024-05-07T06:14")).tolist() == days("2024-05-08", "2024-05-07")


def test_hours_of_ones_own_may_last_all_day() -> None:
    calendar = CalendarHours(time_zone="UTC", opens="00:00", closes="00:00", days=(5, 6)).calendar("weekend")
    assert (calendar.session_start_hour, calendar.open_minute, calendar.close_minute) == (0, 0, 1440)
    assert calendar.schedule(*days("2024-01-01", "2024-01-07")).day.tolist() == days("2024-01-06", "2024-01-07")


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"])
def test_the_wall_clock_is_that_of_the_zone_on_every_day_of_two_years(zone: str) -> None:
    """Every 1,000 seconds of 2023 and 2024, with eight changes of the clocks, against the zone database of Python."""
    seconds = 1_672_531_200 + 1000 * np.arange(63_158)
    moments = [datetime.fromtimestamp(int(second), ZoneInfo(zone)) for second in seconds]
    expected = [int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments]
    assert local_seconds(seconds * 10**9, zone).tolist() == expected
