from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import CALENDARS

CHICAGO = CALENDARS["cme_equity"]


def at(*moments: str) -> Bars:
    seconds = [int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) for moment in moments]
    ones = np.ones(len(moments))
    return Bars("CLOCK", np.array(seconds) * 1_000_000_000, ones, ones, ones, ones, ones, 300)


def test_hours_are_those_of_the_exchange_in_winter_and_in_summer(column):
    bars = at("2024-01-03T12:00", "2024-07-03T11:00")  # 06:00 in Chicago, both
    np.testing.assert_allclose(column("hour_sin", bars, CHICAGO), [1.0, 1.0])
    np.testing.assert_allclose(column("hour_cos", bars, CHICAGO), [0.0, 0.0], atol=1e-15)


def test_minutes_go_round_the_hour(column):
    np.testing.assert_allclose(column("minute_sin", at("2024-01-03T12:15", "2024-01-03T12:45"), CHICAGO), [1.0, -1.0])


def test_monday_is_the_start_of_the_week(column):
    bars = at("2024-01-01T12:00", "2024-01-02T12:00")
    np.testing.assert_allclose(column("dayofweek_sin", bars, CHICAGO), [0.0, 0.7818315], atol=1e-7)
    np.testing.assert_allclose(column("dayofweek_cos", bars, CHICAGO), [1.0, 0.6234898], atol=1e-7)


@pytest.mark.parametrize(
    ("centre", "inside", "outside"),
    [
        ("asia", "2024-01-03T00:00", "2024-01-03T06:00"),
        ("london", "2024-07-03T07:00", "2024-01-03T07:00"),
        ("ny", "2024-07-03T13:30", "2024-01-03T13:30"),
        ("london", "2024-01-05T12:00", "2024-01-06T12:00"),
    ],
)
def test_trading_centres_open_by_their_own_clock_on_weekdays(column, centre, inside, outside):
    assert column(f"session_{centre}", at(inside, outside), CHICAGO).tolist() == [1.0, 0.0]


def test_regular_hours_and_minutes_since_the_evening_open(column):
    bars = at("2024-01-02T23:00", "2024-01-03T14:29", "2024-01-03T14:30")  # 17:00, 08:29, 08:30 in Chicago
    assert column("is_rth", bars, CHICAGO).tolist() == [0.0, 0.0, 1.0]
    assert column("minutes_since_open", bars, CHICAGO).tolist() == [0.0, 929.0, 930.0]
