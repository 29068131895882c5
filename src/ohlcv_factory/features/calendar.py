"""What the clock says: known in advance, on the exchange's wall clock, daylight saving included."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.sessions import SECONDS_PER_DAY, local_seconds, weekday
from ohlcv_factory.features.feature import Category, FeatureInputs, shared
from ohlcv_factory.features.kernels import Floats, Integers

CALENDAR = Category("calendar", windowed=True)
HALVES = ("sin", "cos")
CENTRES = {
    "asia": ("Asia/Tokyo", 9 * 60, 15 * 60),
    "london": ("Europe/London", 8 * 60, 16 * 60 + 30),
    "ny": ("America/New_York", 9 * 60 + 30, 16 * 60),
}
"""Trading centres: time zone, first and last minute of the local day."""


@CALENDAR.feature("hour_{}", over=HALVES, formula="{}(2 pi hour / 24), exchange time", unit="-1 to 1", role="known")
def hour(inputs: FeatureInputs, half: str) -> Floats:
    """Hour of the exchange's day on a circle."""
    return circle(second_of_day(exchange_seconds(inputs)) // 3600, 24, half)


@CALENDAR.feature("minute_{}", over=HALVES, formula="{}(2 pi minute / 60)", unit="-1 to 1", role="known")
def minute(inputs: FeatureInputs, half: str) -> Floats:
    """Minute of the hour on a circle."""
    return circle(minute_of_hour(exchange_seconds(inputs)), 60, half)


@CALENDAR.feature(
    "dayofweek_{}", over=HALVES, formula="{}(2 pi weekday / 7), Monday 0, exchange time", unit="-1 to 1", role="known"
)
def day_of_week(inputs: FeatureInputs, half: str) -> Floats:
    """Day of the week on a circle."""
    return circle(weekday(exchange_seconds(inputs)), 7, half)


@CALENDAR.feature(
    "session_{}",
    over=tuple(CENTRES),
    formula="1 on weekdays in the {} stock market's hours, else 0",
    unit="flag",
    role="known",
)
def trading_centre(inputs: FeatureInputs, centre: str) -> Floats:
    """Whether the bar opens in a trading centre's hours on a weekday."""
    return in_hours(inputs.bars.time_ns, centre).astype(np.float64)


def in_hours(time_ns: np.ndarray, centre: str) -> np.ndarray:
    """Whether each moment lies in a trading centre's hours on a weekday, bool `(n,)`."""
    time_zone, opens, closes = CENTRES[centre]
    local = local_seconds(time_ns, time_zone)
    minutes = second_of_day(local) // 60
    return np.asarray((minutes >= opens) & (minutes < closes) & (weekday(local) < 5))


@CALENDAR.feature("is_rth", formula="1 in the regular hours of the calendar, else 0", unit="flag", role="known")
def regular_hours(inputs: FeatureInputs) -> Floats:
    """Whether the bar opens in regular trading hours."""
    return inputs.calendar.is_regular(inputs.bars.time_ns).astype(np.float64)


@CALENDAR.feature(
    "minutes_since_open",
    formula="minutes since the session's scheduled opening hour (since midnight where the session is the calendar day)",
    unit="minutes",
    role="known",
)
def minutes_since_open(inputs: FeatureInputs) -> Floats:
    """How far the session has gone."""
    return inputs.calendar.minute_of_session(inputs.bars.time_ns).astype(np.float64)


@shared
def exchange_seconds(inputs: FeatureInputs) -> Integers:
    """Wall-clock seconds at the exchange, int64 `(n,)`."""
    return local_seconds(inputs.bars.time_ns, inputs.calendar.time_zone)


def second_of_day(seconds: Integers) -> Integers:
    """Seconds since midnight; a quotient and a product cost half of a remainder."""
    return seconds - seconds // SECONDS_PER_DAY * SECONDS_PER_DAY


def minute_of_hour(seconds: Integers) -> Integers:
    """Minutes since the full hour."""
    return (seconds - seconds // 3600 * 3600) // 60


def circle(step: Integers, steps: int, half: str) -> Floats:
    """Sine or cosine of `step` out of `steps`, read from a table so that equal steps have equal bits."""
    angle = 2.0 * np.pi * np.arange(steps) / steps
    table = np.sin(angle) if half == "sin" else np.cos(angle)
    return np.asarray(table[step], dtype=np.float64)
