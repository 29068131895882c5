from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.schedules import GAP_KINDS, exchange_sessions, holiday_names
from ohlcv_factory.bars.sessions import session_calendar
from ohlcv_factory.errors import UnknownNameError, UsageError


def at(*moments: str) -> np.ndarray:
    return np.array(moments, dtype="datetime64[ns]").astype(np.int64)


@pytest.mark.parametrize(
    ("calendar", "begin", "end", "kind"),
    [
        ("cme_equity", "2024-01-09T22:00", "2024-01-09T23:00", "break between sessions"),
        ("cme_equity", "2024-01-09T21:30", "2024-01-09T23:10", "break between sessions"),
        ("cme_equity", "2024-01-09T12:00", "2024-01-09T12:05", "missing inside a session"),
        ("cme_equity", "2024-01-09T21:00", "2024-01-11T00:00", "missing sessions"),
        ("cme_equity", "2024-01-05T22:00", "2024-01-07T23:00", "weekend"),
        ("cme_equity", "2024-03-08T22:00", "2024-03-10T22:00", "weekend"),
        ("cme_equity", "2024-11-28T18:00", "2024-11-28T23:00", "early close"),
        ("cme_equity", "2024-11-29T18:15", "2024-12-01T23:00", "early close"),
        ("cme_metals", "2024-03-28T21:00", "2024-03-31T22:00", "holiday"),
        ("nyse", "2024-03-28T20:00", "2024-04-01T13:30", "holiday"),
        ("nyse", "2024-07-03T17:00", "2024-07-05T13:30", "holiday"),
        ("nyse_extended", "2011-03-12T00:58", "2011-03-14T08:03", "weekend"),
        ("always_open", "2018-02-08T00:00", "2018-02-09T10:00", "missing inside a session"),
        ("fx_week", "2024-01-05T22:00", "2024-01-07T22:00", "weekend"),
        ("fx_week", "2024-01-09T21:00", "2024-01-09T23:00", "missing inside a session"),
        ("spot_metals", "2024-01-09T22:00", "2024-01-09T23:00", "break between sessions"),
        ("none", "2024-01-05T22:00", "2024-01-07T23:00", "not judged"),
    ],
)
def test_a_gap_is_named_by_what_the_exchange_did(calendar: str, begin: str, end: str, kind: str) -> None:
    found = session_calendar(calendar).gap_kind(at(begin), at(end))
    assert [GAP_KINDS[code] for code in found] == [kind]


def test_no_gaps_have_no_kind() -> None:
    assert session_calendar("cme_equity").gap_kind(at()[:0], at()[:0]).tolist() == []


def test_a_time_in_the_daily_break_lies_in_no_session() -> None:
    schedule = session_calendar("cme_equity").schedule(*(at("2024-01-08", "2024-01-09") // 86_400_000_000_000).tolist())
    moments = at("2024-01-07T22:59", "2024-01-07T23:00", "2024-01-08T21:59", "2024-01-08T22:00", "2024-01-08T23:00")
    inside = [(schedule.open_ns <= moment) & (moment < schedule.close_ns) for moment in moments]
    assert [np.flatnonzero(each).tolist() for each in inside] == [[], [0], [0], [], [1]]


def test_open_time_counts_no_break() -> None:
    schedule = session_calendar("cme_equity").schedule(*(at("2024-01-08", "2024-01-09") // 86_400_000_000_000).tolist())
    hours = schedule.open_before(at("2024-01-07T00:00", "2024-01-08T00:00", "2024-01-08T22:30", "2024-01-09T00:00"))
    assert (hours // 3_600_000_000_000).tolist() == [0, 1, 23, 24]


def test_the_calendar_of_the_closed_pit_is_refused() -> None:
    with pytest.raises(UsageError, match="hours of the closed trading pit") as caught:
        exchange_sessions("CME_Equity", False, 19_700, 19_710)
    assert caught.value.help == "take 'CME Globex Equity'"


def test_an_unknown_exchange_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'CME Globex Equity'"):
        exchange_sessions("CME Globex Equty", False, 19_700, 19_710)


def test_holidays_have_the_names_of_the_package_and_a_storm_has_none() -> None:
    days = at("2012-09-03", "2012-10-29", "2024-03-29", "2024-06-19") // 86_400_000_000_000
    assert holiday_names("NYSE", days) == ["Labor Day", "", "Good Friday", "Juneteenth"]
    assert holiday_names("NYSE", days[:0]) == []
