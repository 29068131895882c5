"""Ranges, bands, realised and range-based volatility, and the shape of the return distribution."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import talib
from talib import stream

from ohlcv_factory.features.averages import exponential_average
from ohlcv_factory.features.feature import (
    Category,
    FeatureInputs,
    carried,
    ema_lookback,
    shared,
    wilder_lookback,
    window,
)
from ohlcv_factory.features.kernels import (
    Floats,
    lagged,
    ratio,
    window_mean,
    window_moments,
    window_shape,
    window_std,
    window_variance,
)
from ohlcv_factory.features.streams import carried_column

VOLATILITY = Category("volatility", windowed=True, carried=True)
ATR_PERIODS = (7, 14, 21)
BAND_BARS = 20
RANGE_BARS = 20
KELTNER_RANGES = 2.0
BOLLINGER_2001 = "Bollinger (2001)"
KELTNER_1960 = "Keltner (1960)"
ROUNDING = 1e-12
"""Share of the mean square under which a variance is rounding."""
SECONDS_PER_DAY = 86_400
PER_YEAR = "per square root of a year"


def opened_atr(inputs: FeatureInputs, period: int) -> Callable[[FeatureInputs], Floats]:
    """The average true range that goes on."""
    handle, column = stream.ATR.open_and_fill(inputs.high, inputs.low, inputs.close, timeperiod=period)
    return carried_column(column, lambda now: handle.update(now.high[-1], now.low[-1], now.close[-1]))


@VOLATILITY.feature(
    "atr_{}",
    over=ATR_PERIODS,
    formula="Wilder average of the true range, {} bars",
    lookback=wilder_lookback,
    unit="price",
    scale_free=False,
    source="Wilder (1978)",
    windowed=False,
)
@carried(opened_atr)
def atr(inputs: FeatureInputs, period: int) -> Floats:
    """Average true range."""
    return np.asarray(talib.ATR(inputs.high, inputs.low, inputs.close, period))


@VOLATILITY.feature("atr_pct_{}", over=ATR_PERIODS, formula="atr_{} / close", lookback=wilder_lookback, windowed=False)
def atr_pct(inputs: FeatureInputs, period: int) -> Floats:
    """Average true range as a share of the close."""
    return atr(inputs, period) / inputs.close


@VOLATILITY.feature(
    "bb_middle",
    formula="mean of close, 20 bars",
    lookback=BAND_BARS - 1,
    unit="price",
    scale_free=False,
    source=BOLLINGER_2001,
)
def bb_middle(inputs: FeatureInputs) -> Floats:
    """Middle of the Bollinger bands."""
    return bollinger(inputs)[0]


@VOLATILITY.feature(
    "bb_upper",
    formula="bb_middle + 2 standard deviations of close, 20 bars",
    lookback=BAND_BARS - 1,
    unit="price",
    scale_free=False,
    source=BOLLINGER_2001,
)
def bb_upper(inputs: FeatureInputs) -> Floats:
    """Upper Bollinger band."""
    middle, deviation = bollinger(inputs)
    return middle + 2.0 * deviation


@VOLATILITY.feature(
    "bb_lower",
    formula="bb_middle - 2 standard deviations of close, 20 bars",
    lookback=BAND_BARS - 1,
    unit="price",
    scale_free=False,
    source=BOLLINGER_2001,
)
def bb_lower(inputs: FeatureInputs) -> Floats:
    """Lower Bollinger band."""
    middle, deviation = bollinger(inputs)
    return middle - 2.0 * deviation


@VOLATILITY.feature(
    "bb_width",
    formula="4 standard deviations of close / sma_20, 20 bars",
    lookback=BAND_BARS - 1,
    source=BOLLINGER_2001,
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
    source=BOLLINGER_2001,
)
def bb_position(inputs: FeatureInputs) -> Floats:
    """Place of the close between the Bollinger bands."""
    middle, deviation = bollinger(inputs)
    return 0.5 + ratio(inputs.close - middle, 4.0 * deviation, otherwise=0.0)


@VOLATILITY.feature(
    "close_bb_zscore",
    formula="(close - bb_middle) / standard deviation of close, 20 bars; 0 where the close did not move",
    lookback=BAND_BARS - 1,
    unit="standard deviations",
    source=BOLLINGER_2001,
)
def close_bb_zscore(inputs: FeatureInputs) -> Floats:
    """The close in standard deviations from its mean."""
    middle, deviation = bollinger(inputs)
    return ratio(inputs.close - middle, deviation, otherwise=0.0)


@VOLATILITY.feature(
    "kc_middle",
    formula="EMA(close, 20)",
    lookback=ema_lookback(BAND_BARS),
    unit="price",
    scale_free=False,
    source=KELTNER_1960,
    windowed=False,
)
def kc_middle(inputs: FeatureInputs) -> Floats:
    """Middle of the Keltner channel."""
    return exponential_average(inputs, BAND_BARS)


@VOLATILITY.feature(
    "kc_upper",
    formula="kc_middle + 2 atr_14",
    lookback=wilder_lookback(14),
    unit="price",
    scale_free=False,
    source=KELTNER_1960,
    windowed=False,
)
def kc_upper(inputs: FeatureInputs) -> Floats:
    """Upper line of the Keltner channel."""
    return kc_middle(inputs) + KELTNER_RANGES * atr(inputs, 14)


@VOLATILITY.feature(
    "kc_lower",
    formula="kc_middle - 2 atr_14",
    lookback=wilder_lookback(14),
    unit="price",
    scale_free=False,
    source=KELTNER_1960,
    windowed=False,
)
def kc_lower(inputs: FeatureInputs) -> Floats:
    """Lower line of the Keltner channel."""
    return kc_middle(inputs) - KELTNER_RANGES * atr(inputs, 14)


@VOLATILITY.feature(
    "kc_position",
    formula="(close - kc_lower) / (kc_upper - kc_lower); 0.5 without a range",
    lookback=wilder_lookback(14),
    unit="0 at the lower, 1 at the upper band",
    source=KELTNER_1960,
    windowed=False,
)
def kc_position(inputs: FeatureInputs) -> Floats:
    """Place of the close between the Keltner channel's lines."""
    return 0.5 + ratio(inputs.close - kc_middle(inputs), 2.0 * KELTNER_RANGES * atr(inputs, 14), otherwise=0.0)


@VOLATILITY.feature(
    "close_kc_atr_dev",
    formula="(close - kc_middle) / atr_14; 0 without a range",
    lookback=wilder_lookback(14),
    unit="average true ranges",
    source=KELTNER_1960,
    windowed=False,
)
def close_kc_atr_dev(inputs: FeatureInputs) -> Floats:
    """The close in average ranges from the middle of the Keltner channel."""
    return ratio(inputs.close - kc_middle(inputs), atr(inputs, 14), otherwise=0.0)


@VOLATILITY.feature(
    "hvol_{}",
    over=(10, 20, 60),
    formula="standard deviation of log returns over {} bars x sqrt(bars per year of the calendar)",
    lookback=window(1),
    unit=PER_YEAR,
)
def realised_volatility(inputs: FeatureInputs, bars: int) -> Floats:
    """Realised volatility, annualised."""
    return return_deviation(inputs, bars) * annual_factor(inputs)


@VOLATILITY.feature(
    "parkinson_vol",
    formula="sqrt(mean of log(high / low)^2 / (4 log 2)), 20 bars",
    lookback=RANGE_BARS - 1,
    source="Parkinson (1980)",
)
def parkinson(inputs: FeatureInputs) -> Floats:
    """Volatility per bar from highs and lows."""
    return np.sqrt(window_mean(squared_range(inputs), RANGE_BARS) / (4.0 * math.log(2.0)))


@VOLATILITY.feature(
    "garman_klass_vol",
    formula="sqrt(mean of log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2), 20 bars",
    lookback=RANGE_BARS - 1,
    source="Garman and Klass (1980)",
)
def garman_klass(inputs: FeatureInputs) -> Floats:
    """Volatility per bar from all four prices, without drift."""
    body = log_body(inputs)
    return np.sqrt(window_mean(0.5 * squared_range(inputs) - (2.0 * math.log(2.0) - 1.0) * body * body, RANGE_BARS))


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
    body = window_variance(log_body(inputs), RANGE_BARS)
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
    variance, third, _ = return_shape(inputs, bars)
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
    variance, _, fourth = return_shape(inputs, bars)
    return ratio(fourth, variance * variance, otherwise=3.0) - 3.0


@shared
def return_deviation(inputs: FeatureInputs, bars: int) -> Floats:
    """Population standard deviation of the last log returns."""
    return window_std(inputs.log_return, bars)


@shared
def return_shape(inputs: FeatureInputs, bars: int) -> tuple[Floats, Floats, Floats]:
    """Second, third and fourth central moment of the last log returns; the second is 0 where it is only rounding."""
    mean, second, third, fourth = window_shape(inputs.log_return, bars)
    second[second <= ROUNDING * (second + mean * mean)] = 0.0
    return second, third, fourth


@shared
def bollinger(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """Middle and standard deviation of the Bollinger bands (20 bars, population), in price units."""
    middle, variance = window_moments(inputs.close, BAND_BARS)
    return middle, np.sqrt(variance)


@shared
def rogers_satchell_variance(inputs: FeatureInputs) -> Floats:
    """Rogers-Satchell variance per bar, 20 bars."""
    above, below, body = np.log(inputs.high / inputs.open), np.log(inputs.low / inputs.open), log_body(inputs)
    squared = np.maximum(above * (above - body) + below * (below - body), 0.0)  # rounding can leave -1e-20
    return window_mean(squared, RANGE_BARS)


@shared
def squared_range(inputs: FeatureInputs) -> Floats:
    """log(high / low) squared, shape `(n,)`."""
    span = np.log(inputs.high / inputs.low)
    return span * span


@shared
def log_body(inputs: FeatureInputs) -> Floats:
    """log(close / open), shape `(n,)`."""
    return np.log(inputs.close / inputs.open)


def annual_factor(inputs: FeatureInputs) -> float:
    """Square root of the bars that a year of the calendar holds.

    A day that begins at midnight is as long as its regular hours (24 of them in a 24/7 market), any other 24 hours.
    """
    calendar = inputs.calendar
    regular_seconds = 60 * (calendar.regular_close_minute - calendar.regular_open_minute)
    day_seconds = regular_seconds if calendar.session_start_hour == 0 else SECONDS_PER_DAY
    return math.sqrt(calendar.sessions_per_year * max(1.0, day_seconds / inputs.bars.bar_seconds))
