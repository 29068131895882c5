"""Markets that break indicators: no volume, one price, thin sessions, the week in which the clocks change; real bars too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.features.catalogue import available, compute, find
from ohlcv_factory.features.feature import FeatureInputs

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_bars = pytest.mark.skipif(not REAL.is_dir(), reason="the real bars of ../shared/data are not here")
CLOCKS_CHANGE = 1_709_942_400
"""2024-03-09 00:00 UTC; New York's clocks go forward on the 10th at 07:00 UTC."""
BY_THE_HOURS = {"is_rth", "session_asia", "session_london", "session_ny", "minutes_since_open"}
"""Columns that the hours of a market may hold still."""


def check_values(bars, calendar, timeframes=("15min", "30min", "1h")):
    """Every column that the bars can carry: finite after its look-back, and never constantly 0."""
    names = available(bars, calendar, timeframes).names
    opens_at_close = np.array_equal(bars.open[1:], bars.close[:-1])
    still = {*BY_THE_HOURS, "log_open_change"} if opens_at_close else BY_THE_HOURS
    matrix = compute(bars, calendar, names)
    for name, column in zip(names, matrix.T, strict=True):
        warm = column[find(name).lookback_bars(bars.bar_seconds) :]
        assert np.isfinite(warm).all(), name
        assert name in still or np.any(warm != 0.0), f"{name} is constantly 0"
    return names


def week_of_the_clocks(calendar_hours) -> Bars:
    """Ten days of five-minute bars round the change, at the hours that the market is open."""
    bars = random_walk(12_000, 11)
    bars = replace(bars, time_ns=(CLOCKS_CHANGE + 300 * (np.arange(12_000) - 6000)) * NANOSECONDS)
    return bars.take(np.flatnonzero(calendar_hours(bars.time_ns // NANOSECONDS)))


def test_exchange_rates_without_volume():
    """Open from Sunday 17:00 to Friday 17:00 New York: volume columns are left out, all others live."""
    bars = week_of_the_clocks(lambda s: (s // 86_400 + 3) % 7 < 5)
    names = check_values(replace(bars, volume=np.zeros(len(bars))), CALENDARS["fx_week"])
    assert len(names) > 130
    assert not any(find(name).needs_volume for name in names)


def test_the_week_in_which_the_clocks_change():
    bars = week_of_the_clocks(lambda s: (s // 3600 % 24 != 22) & ((s // 86_400 + 3) % 7 != 5))
    assert len(check_values(bars, CALENDARS["cme_equity"])) > 150
    local = {int(day): [] for day in np.unique(CALENDARS["cme_equity"].session_day(bars.time_ns))}
    opening = compute(bars, CALENDARS["cme_equity"], ["minutes_since_open"])[:, 0]
    for day, minutes in zip(CALENDARS["cme_equity"].session_day(bars.time_ns), opening, strict=True):
        local[int(day)].append(minutes)
    assert all(list(minutes) == sorted(minutes) for minutes in local.values())


def test_thin_sessions_with_dead_bars():
    """Two thirds of the minutes absent, ticks of a cent, many bars of one trade and some without volume."""
    bars = random_walk(90_000, 12, bar_seconds=60, volatility=1e-4)
    hours = bars.time_ns // (3600 * NANOSECONDS) % 24
    kept = np.flatnonzero((hours >= 9) & (np.random.default_rng(1).random(len(bars)) > 0.66))
    thin = bars.take(kept)
    rounded = {name: np.round(getattr(thin, name), 2) for name in ("open", "high", "low", "close")}
    volume = np.where(np.random.default_rng(2).random(len(thin)) < 0.2, 0.0, np.round(thin.volume))
    assert len(check_values(replace(thin, **rounded, volume=volume), CALENDARS["nyse"])) > 150


@pytest.mark.parametrize("volume", [0.0, 1.0])
def test_one_price_for_ever_is_finite_everywhere(volume):
    """Here a 0 is the truth: no return, no range, no deviation."""
    bars = random_walk(22_000, 13)
    flat = {name: np.full(len(bars), 100.1) for name in ("open", "high", "low", "close")}
    still = replace(bars, **flat, volume=np.full(len(bars), volume))
    names = available(still, CALENDARS["cme_equity"]).names
    values = compute(still, CALENDARS["cme_equity"], names)
    assert np.isfinite(values[2040:]).all()
    at_end = dict(zip(names, values[-1].tolist(), strict=True))
    assert at_end["rsi_14"] == at_end["stoch_k"] == at_end["rsi_14_1h"] == 50.0
    assert at_end["bb_position"] == at_end["kc_position"] == at_end["bb_position_15m"] == 0.5
    assert at_end["bb_middle"] == at_end["supertrend"] == at_end["kc_upper"] == at_end["sma_20"] == np.float32(100.1)
    assert at_end["return_kurt_60"] == at_end["close_bb_zscore"] == at_end["micro_roll_spread"] == 0.0


@needs_real_bars
@pytest.mark.parametrize(
    ("file", "calendar", "bar_seconds"),
    [
        ("open/SPY_1min_2011-01_2011-02", "nyse", 60),
        ("open/GBPUSD_1min_2012-02_2012-03", "fx_week", 60),
        ("open/EURUSD_60min_2007-01_2014-03", "fx_week", 3600),
        ("demo/6E_1min_2024-01", "cme_currency", 60),
        ("open/BTCUSDT_5min_2024-01_2024-05", "always_open", 300),
    ],
)
def test_real_bars_give_finite_columns_that_move(file, calendar, bar_seconds):
    check_values(real_bars(file, bar_seconds), CALENDARS[calendar], ("15min", "30min", "1h", "4h", "1d"))


@needs_real_bars
@pytest.mark.parametrize(
    ("file", "bar_seconds"),
    [
        ("open/EURUSD_60min_2007-01_2014-03", 3600),
        ("open/XRPUSDT_5min_2024-01_2024-05", 300),
        ("demo/6E_1min_2024-01", 60),
    ],
)
def test_supertrend_forgets_its_start_long_before_its_declared_look_back(file, bar_seconds):
    """From 150 starts the line and the side are those of the whole series within 250 bars; 320 are declared."""
    bars, calendar = real_bars(file, bar_seconds), CALENDARS["always_open"]
    whole = {name: find(name).column(FeatureInputs(bars, calendar)) for name in ("supertrend", "supertrend_direction")}
    spread = np.std(whole["supertrend"][500:])
    for start in np.linspace(500, len(bars) - 1500, 150).astype(int):
        later = FeatureInputs(bars.slice(start, start + 1500), calendar)
        line, side = (find(name).column(later)[250:] for name in whole)
        np.testing.assert_array_equal(side, whole["supertrend_direction"][start + 250 : start + 1500])
        np.testing.assert_allclose(line, whole["supertrend"][start + 250 : start + 1500], rtol=0, atol=1e-6 * spread)


def real_bars(file: str, bar_seconds: int) -> Bars:
    """Bars of a shared file; rows that are not finite or not positive are dropped."""
    frame = pl.read_parquet(REAL / f"{file}.parquet").rename(str.lower)
    time = frame.to_series(0).cast(pl.Datetime("ns")).dt.timestamp("ns").to_numpy()
    columns = [frame[name].cast(pl.Float64).to_numpy() for name in ("open", "high", "low", "close", "volume")]
    bars = Bars(Path(file).name, time, *columns, bar_seconds)
    return bars.take(np.flatnonzero(np.isfinite(sum(columns)) & (np.diff(time, prepend=0) > 0)))
