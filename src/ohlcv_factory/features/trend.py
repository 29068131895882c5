"""Direction and strength of the trend."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs, shared, wilder_lookback, window
from ohlcv_factory.features.kernels import Floats, directional, flag, ratchet, ratio, window_line
from ohlcv_factory.features.volatility import atr

TREND = Category("trend")
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


@shared
def directions(inputs: FeatureInputs, period: int) -> tuple[Floats, Floats, Floats]:
    """Wilder's +DI, -DI and ADX."""
    return directional(inputs.high, inputs.low, inputs.close, period)


@shared
def supertrend(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """Line and side of the supertrend (10, 3.0)."""
    reach = SUPERTREND_RANGES * atr(inputs, SUPERTREND_PERIOD)
    return ratchet(0.5 * (inputs.high + inputs.low), reach, inputs.close)


@shared
def log_close_line(inputs: FeatureInputs, bars: int) -> tuple[Floats, Floats]:
    """Slope of the least-squares line through the last log closes, and their variance."""
    return window_line(inputs.log_close, bars)
