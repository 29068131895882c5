"""Direction and strength of the trend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs, carried, shared, wilder_lookback, window
from ohlcv_factory.features.kernels import (
    Floats,
    directional,
    flag,
    ratchet,
    ratchet_state,
    ratio,
    window_line,
)
from ohlcv_factory.features.streams import CarriedColumns, Step
from ohlcv_factory.features.volatility import atr

TREND = Category("trend", carried=True)
SLOPE_BARS = (20, 60)
WILDER_1978 = "Wilder (1978)"
SUPERTREND_PERIOD, SUPERTREND_RANGES = 10, 3.0
SUPERTREND_LOOKBACK = 320
"""Bars after which the ratcheting bands of any start are the same; the longest seen on real bars is in the tests."""
SEBAN = "Seban (2007)"


@TREND.feature(
    "adx_{}",
    over=(14,),
    formula="Wilder average of 100 abs(+DI - -DI) / (+DI + -DI), {} bars",
    lookback=lambda period: 2 * wilder_lookback(period),
    unit="0 to 100",
    source=WILDER_1978,
)
def adx(inputs: FeatureInputs, period: int) -> Floats:
    """Average directional index: strength of the trend, whatever its side."""
    return directions(inputs, period)[2]


@TREND.feature(
    "adx_strong_trend",
    formula="1 where adx_14 > 25, else 0",
    lookback=2 * wilder_lookback(14),
    unit="flag",
    source=WILDER_1978,
)
def strong_trend(inputs: FeatureInputs) -> Floats:
    """Whether there is a trend worth the name."""
    return flag(adx(inputs, 14) > 25.0, adx(inputs, 14))


@TREND.feature(
    "plus_di_{}",
    over=(14,),
    formula="100 x Wilder sum of rises of the high / of the true range, {} bars",
    lookback=wilder_lookback,
    unit="0 to 100",
    source=WILDER_1978,
)
def plus_di(inputs: FeatureInputs, period: int) -> Floats:
    """Directional indicator of rising highs."""
    return directions(inputs, period)[0]


@TREND.feature(
    "minus_di_{}",
    over=(14,),
    formula="100 x Wilder sum of falls of the low / of the true range, {} bars",
    lookback=wilder_lookback,
    unit="0 to 100",
    source=WILDER_1978,
)
def minus_di(inputs: FeatureInputs, period: int) -> Floats:
    """Directional indicator of falling lows."""
    return directions(inputs, period)[1]


@TREND.feature(
    "supertrend",
    formula="median price -+ 3 atr_10 as a band that only tightens until the close crosses it",
    lookback=SUPERTREND_LOOKBACK,
    unit="price",
    scale_free=False,
    source=SEBAN,
)
def supertrend_line(inputs: FeatureInputs) -> Floats:
    """Trailing line: under the price in an up-trend, above it in a down-trend."""
    return supertrend(inputs)[0]


@TREND.feature(
    "supertrend_direction",
    formula="1 while the close has last crossed the supertrend upwards, -1 downwards",
    lookback=SUPERTREND_LOOKBACK,
    unit="-1 down, 1 up",
    source=SEBAN,
)
def supertrend_direction(inputs: FeatureInputs) -> Floats:
    """Side of the supertrend."""
    return supertrend(inputs)[1]


@TREND.feature(
    "close_slope_{}",
    over=SLOPE_BARS,
    formula="least-squares slope of log(close), {} bars",
    lookback=window(),
    unit="log ratio per bar",
    windowed=True,
)
def close_slope(inputs: FeatureInputs, bars: int) -> Floats:
    """Slope of the straight line through the last log closes."""
    return log_close_line(inputs, bars)[0]


@TREND.feature(
    "close_r2_{}",
    over=SLOPE_BARS,
    formula="R^2 of the least-squares line through log(close), {} bars; 0 where the close did not move",
    lookback=window(),
    unit="0 to 1",
    windowed=True,
)
def close_r2(inputs: FeatureInputs, bars: int) -> Floats:
    """How straight the last log closes are: variance of the line over variance of the closes."""
    slope, variance = log_close_line(inputs, bars)
    of_line = slope * slope * ((bars * bars - 1) / 12.0)
    return np.minimum(ratio(of_line, variance, otherwise=0.0), 1.0)


def opened_directions(inputs: FeatureInputs, period: int) -> Callable[[FeatureInputs], tuple[Floats, ...]]:
    """+DI, -DI and ADX that go on."""
    state = np.zeros(5)
    columns = directional(inputs.high, inputs.low, inputs.close, period, state)
    return CarriedColumns(columns, _newest(lambda now: directional(*_last_two(now), period, state)))


def opened_supertrend(inputs: FeatureInputs) -> Callable[[FeatureInputs], tuple[Floats, ...]]:
    """Line and side of the supertrend that go on."""
    state = ratchet_state()
    columns = ratchet(*_bands(inputs, slice(None)), state)
    return CarriedColumns(columns, _newest(lambda now: ratchet(*_bands(now, slice(-1, None)), state)))


@carried(opened_directions)
def directions(inputs: FeatureInputs, period: int) -> tuple[Floats, Floats, Floats]:
    """Wilder's +DI, -DI and ADX."""
    return directional(inputs.high, inputs.low, inputs.close, period)


@carried(opened_supertrend)
def supertrend(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """Line and side of the supertrend (10, 3.0)."""
    return ratchet(*_bands(inputs, slice(None)))


@shared
def log_close_line(inputs: FeatureInputs, bars: int) -> tuple[Floats, Floats]:
    """Slope of the least-squares line through the last log closes, and their variance."""
    return window_line(inputs.log_close, bars)


def _bands(inputs: FeatureInputs, rows: slice) -> tuple[Floats, Floats, Floats]:
    """What the supertrend is made of at some rows: middle of its bands, their reach, and the close."""
    middle = 0.5 * (inputs.high[rows] + inputs.low[rows])
    return middle, SUPERTREND_RANGES * atr(inputs, SUPERTREND_PERIOD)[rows], inputs.close[rows]


def _last_two(inputs: FeatureInputs) -> tuple[Floats, Floats, Floats]:
    return inputs.high[-2:], inputs.low[-2:], inputs.close[-2:]


def _newest(columns: Callable[[FeatureInputs], tuple[Floats, ...]]) -> Step:
    return lambda inputs: tuple(float(column[-1]) for column in columns(inputs))
