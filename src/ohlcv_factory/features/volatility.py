"""Ranges, bands, realised and range-based volatility, and the shape of the return distribution."""

from __future__ import annotations

import math

import numpy as np
import talib

from ohlcv_factory.features.averages import exponential_average
from ohlcv_factory.features.feature import Category, FeatureInputs, shared, wilder_lookback, window
from ohlcv_factory.features.kernels import Floats, lagged, ratio, window_mean, window_std, window_variance

VOLATILITY = Category("volatility")
BAND_BARS = 20
RANGE_BARS = 20
ROUNDING = 1e-12
"""Share of the mean square under which a variance is rounding."""
SECONDS_PER_DAY = 86_400
PER_YEAR = "per square root of a year"


@VOLATILITY.feature(
    "atr_{}",
    over=(14,),
    formula="Wilder average of the true range, {} bars",
    lookback=wilder_lookback,
    unit="price",
    scale_free=False,
    source="Wilder (1978)",
)
@shared
def atr(inputs: FeatureInputs, period: int) -> Floats:
    """Average true range."""
    return np.asarray(talib.ATR(inputs.high, inputs.low, inputs.close, period))


@VOLATILITY.feature("atr_pct_{}", over=(7, 14, 21), formula="atr_{} / close", lookback=wilder_lookback)
def atr_pct(inputs: FeatureInputs, period: int) -> Floats:
    """Average true range as a share of the close."""
    return atr(inputs, period) / inputs.close


@VOLATILITY.feature(
    "bb_width",
    formula="4 standard deviations of close / sma_20, 20 bars",
    lookback=BAND_BARS - 1,
    source="Bollinger (2001)",
)
def bb_width(inputs: FeatureInputs) -> Floats:
    """Width of the Bollinger bands as a share of their middle."""
    middle, deviation = bollinger(inputs)
    return 4.0 * deviation / middle


@VOLATILITY.feature(
    "bb_position",
    formula="(close - lower band) / (upper band - lower band), 20 bars; 0.5 where the close did not move",
    lookback=BAND_BARS - 1,
    unit="0 at the lower, 1 at the upper band",
    source="Bollinger (2001)",
)
def bb_position(inputs: FeatureInputs) -> Floats:
    """Place of the close between the Bollinger bands."""
    middle, deviation = bollinger(inputs)
    return 0.5 + ratio(inputs.close - middle, 4.0 * deviation, otherwise=0.0)


@VOLATILITY.feature(
    "kc_position",
    formula="(close - lower) / (upper - lower), bands EMA(close, 20) -+ 2 atr_14; 0.5 without a range",
    lookback=wilder_lookback(14),
    unit="0 at the lower, 1 at the upper band",
    source="Keltner (1960)",
)
def kc_position(inputs: FeatureInputs) -> Floats:
    """Place of the close between the Keltner channel's lines."""
    return 0.5 + ratio(inputs.close - exponential_average(inputs, 20), 4.0 * atr(inputs, 14), otherwise=0.0)


@VOLATILITY.feature(
    "hvol_{}",
    over=(10, 20, 60),
    formula="standard deviation of log returns over {} bars x sqrt(bars per year of the calendar)",
    lookback=window(1),
    unit=PER_YEAR,
)
def realised_volatility(inputs: FeatureInputs, bars: int) -> Floats:
    """Realised volatility, annualised."""
    return window_std(inputs.log_return, bars) * annual_factor(inputs)


@VOLATILITY.feature(
    "parkinson_vol",
    formula="sqrt(mean of log(high / low)^2 / (4 log 2)), 20 bars",
    lookback=RANGE_BARS - 1,
    source="Parkinson (1980)",
)
def parkinson(inputs: FeatureInputs) -> Floats:
    """Volatility per bar from highs and lows."""
    span = np.log(inputs.high / inputs.low)
    return np.sqrt(window_mean(span * span, RANGE_BARS) / (4.0 * math.log(2.0)))


@VOLATILITY.feature(
    "garman_klass_vol",
    formula="sqrt(mean of log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2), 20 bars",
    lookback=RANGE_BARS - 1,
    source="Garman and Klass (1980)",
)
def garman_klass(inputs: FeatureInputs) -> Floats:
    """Volatility per bar from all four prices, without drift."""
    span, body = np.log(inputs.high / inputs.low), np.log(inputs.close / inputs.open)
    return np.sqrt(window_mean(0.5 * span * span - (2.0 * math.log(2.0) - 1.0) * body * body, RANGE_BARS))


@VOLATILITY.feature(
    "rogers_satchell_vol",
    formula="sqrt(mean of log(high / close) log(high / open) + log(low / close) log(low / open)), 20 bars",
    lookback=RANGE_BARS - 1,
    source="Rogers and Satchell (1991)",
)
def rogers_satchell(inputs: FeatureInputs) -> Floats:
    """Volatility per bar from all four prices, whatever the drift."""
    deviation: Floats = np.sqrt(rogers_satchell_variance(inputs))
    return deviation


@VOLATILITY.feature(
    "yang_zhang_vol",
    formula="sqrt(var of log(open / close[1]) + k var of log(close / open) + (1 - k) rogers_satchell_vol^2), 20 bars",
    lookback=RANGE_BARS,
    source="Yang and Zhang (2000)",
)
def yang_zhang(inputs: FeatureInputs) -> Floats:
    """Volatility per bar with the gap between bars; k = 0.34 / (1.34 + 21 / 19), sample variances."""
    weight = 0.34 / (1.34 + (RANGE_BARS + 1) / (RANGE_BARS - 1))
    gap = window_variance(np.log(inputs.open / lagged(inputs.close, 1)), RANGE_BARS)
    body = window_variance(np.log(inputs.close / inputs.open), RANGE_BARS)
    between = (gap + weight * body) * (RANGE_BARS / (RANGE_BARS - 1))
    deviation: Floats = np.sqrt(between + (1.0 - weight) * rogers_satchell_variance(inputs))
    return deviation


@VOLATILITY.feature(
    "return_skew_{}",
    over=(20, 60),
    formula="third central moment / variance^1.5 of log returns, {} bars, population; 0 where returns did not vary",
    lookback=window(1),
    unit="skewness",
)
def return_skew(inputs: FeatureInputs, bars: int) -> Floats:
    """Skewness of the last returns."""
    mean, square, cube, _ = return_powers(inputs, bars)
    variance = return_variance(mean, square)
    third = cube - mean * (3.0 * square - 2.0 * mean * mean)
    return ratio(third, variance * np.sqrt(variance), otherwise=0.0)


@VOLATILITY.feature(
    "return_kurt_{}",
    over=(20, 60),
    formula="fourth central moment / variance^2 - 3 of log returns, {} bars, population; 0 where returns did not vary",
    lookback=window(1),
    unit="excess kurtosis",
)
def return_kurtosis(inputs: FeatureInputs, bars: int) -> Floats:
    """Excess kurtosis of the last returns."""
    mean, square, cube, fourth = return_powers(inputs, bars)
    variance = return_variance(mean, square)
    squared_mean = mean * mean
    central = fourth - 4.0 * mean * cube + 3.0 * squared_mean * (2.0 * square - squared_mean)
    return ratio(central, variance * variance, otherwise=3.0) - 3.0


@shared
def return_powers(inputs: FeatureInputs, bars: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Means of the first four powers of the last log returns."""
    moves = inputs.log_return
    square = moves * moves
    mean, mean_square = window_mean(moves, bars), window_mean(square, bars)
    return mean, mean_square, window_mean(square * moves, bars), window_mean(square * square, bars)


def return_variance(mean: Floats, square: Floats) -> Floats:
    """Variance from the means of a value and of its square; exactly 0 where only rounding is left of it."""
    variance = square - mean * mean
    return np.where(variance <= ROUNDING * square, 0.0, variance)


@shared
def bollinger(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """Middle and standard deviation of the Bollinger bands (20 bars, population), in price units."""
    return window_mean(inputs.close, BAND_BARS), window_std(inputs.close, BAND_BARS)


@shared
def rogers_satchell_variance(inputs: FeatureInputs) -> Floats:
    """Rogers-Satchell variance per bar, 20 bars."""
    up = np.log(inputs.high / inputs.close) * np.log(inputs.high / inputs.open)
    down = np.log(inputs.low / inputs.close) * np.log(inputs.low / inputs.open)
    return window_mean(up + down, RANGE_BARS)


def annual_factor(inputs: FeatureInputs) -> float:
    """Square root of the bars that a year of the calendar holds.

    A day that begins at midnight is as long as its regular hours (24 of them in a 24/7 market), any other 24 hours.
    """
    calendar = inputs.calendar
    regular_seconds = 60 * (calendar.regular_close_minute - calendar.regular_open_minute)
    day_seconds = regular_seconds if calendar.session_start_hour == 0 else SECONDS_PER_DAY
    return math.sqrt(calendar.sessions_per_year * max(1.0, day_seconds / inputs.bars.bar_seconds))
