"""Two small markets: one without pauses or ticks, one with sessions, weekends, absent minutes, ticks and dead bars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import CALENDARS, SessionCalendar
from ohlcv_factory.features.catalogue import find
from ohlcv_factory.features.feature import FeatureInputs

MONDAY_2024_01_01 = 1_704_067_200
FIVE_MINUTES = 300


def walk(times: np.ndarray, seed: int, tick: float, bar_seconds: int = FIVE_MINUTES) -> Bars:
    """A random walk from 4000 at those times (seconds), in ticks where `tick` is not 0."""
    draw = np.random.default_rng(seed)
    count = len(times)
    path = np.cumsum(draw.standard_normal((count, 4)) * 4e-4, axis=1)
    start = np.concatenate(([0.0], np.cumsum(path[:-1, -1])))[:, None]
    gap = 5e-5 * np.random.default_rng(seed + 100).standard_normal((count, 1))
    prices = 4000.0 * np.exp(np.column_stack((start + gap, start + path)))
    prices = np.round(prices / tick) * tick if tick else prices
    return Bars(
        symbol="WALK",
        time_ns=times * NANOSECONDS,
        open=prices[:, 0].copy(),
        high=prices.max(axis=1),
        low=prices.min(axis=1),
        close=prices[:, -1].copy(),
        volume=np.round(np.exp(5.0 + 0.6 * draw.standard_normal(count))),
        bar_seconds=bar_seconds,
    )


@pytest.fixture(scope="session")
def plain() -> tuple[Bars, SessionCalendar]:
    times = MONDAY_2024_01_01 + FIVE_MINUTES * np.arange(3000)
    return walk(times, seed=1, tick=0.0), CALENDARS["always_open"]


@pytest.fixture(scope="session")
def rough() -> tuple[Bars, SessionCalendar]:
    """Chicago futures: closed 22:00 to 23:00 UTC and at weekends, 3 % of bars absent, quarter ticks, dead bars."""
    times = MONDAY_2024_01_01 + FIVE_MINUTES * np.arange(5000)
    open_hours = (times // 3600 % 24 != 22) & ((times // 86_400 + 3) % 7 < 5)
    present = np.random.default_rng(3).random(len(times)) > 0.03
    bars = walk(times[open_hours & present], seed=2, tick=0.25)
    for column in (bars.open, bars.high, bars.low):
        column[1000:1030] = bars.close[999]
    bars.close[1000:1030] = bars.close[999]
    bars.volume[1000:1030] = 0.0
    return bars, CALENDARS["cme_equity"]


@pytest.fixture(scope="session")
def hourly() -> tuple[Bars, SessionCalendar]:
    """Long enough for features of daily bars."""
    return walk(MONDAY_2024_01_01 + 3600 * np.arange(5200), 4, 0.0, bar_seconds=3600), CALENDARS["always_open"]


@pytest.fixture(scope="session")
def month() -> tuple[Bars, SessionCalendar]:
    """31 days of five-minute bars: daily bars too have a usual volume."""
    return walk(MONDAY_2024_01_01 + FIVE_MINUTES * np.arange(31 * 288), 5, 0.0), CALENDARS["always_open"]


def bars_of(
    close: list[float],
    *,
    open: list[float] | None = None,
    high: list[float] | None = None,
    low: list[float] | None = None,
    volume: list[float] | None = None,
    bar_seconds: int = FIVE_MINUTES,
) -> Bars:
    """Bars that a test writes out; prices that it does not name equal the close, volume is 1."""
    columns = [np.array(own or close, dtype=np.float64) for own in (open, high, low, close)]
    times = (MONDAY_2024_01_01 + bar_seconds * np.arange(len(close))) * NANOSECONDS
    traded = np.array(volume if volume is not None else [1.0] * len(close), dtype=np.float64)
    return Bars("HAND", times, *columns, traded, bar_seconds)


@pytest.fixture(scope="session")
def hand() -> Callable[..., Bars]:
    return bars_of


@pytest.fixture(scope="session")
def column() -> Callable[..., np.ndarray]:
    """One column of the catalogue by name."""

    def compute(name: str, bars: Bars, calendar: SessionCalendar = CALENDARS["always_open"]) -> np.ndarray:
        return find(name).column(FeatureInputs(bars, calendar))

    return compute


@pytest.fixture(scope="session")
def agrees() -> Callable[[np.ndarray, np.ndarray], None]:
    """Equal to 1e-6 of the column's deviation, wherever the oracle has a value."""

    def check(got: np.ndarray, expected: np.ndarray) -> None:
        known = np.isfinite(expected)
        assert known.sum() > 1000
        np.testing.assert_allclose(got[known], expected[known], rtol=0, atol=1e-6 * np.std(expected[known]))

    return check
