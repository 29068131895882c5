"""Direction and strength of the trend.

`supertrend` is not here: its bands ratchet, so that its value has no bounded look-back.
"""

from __future__ import annotations

import numpy as np
import talib

from ohlcv_factory.features.feature import Category, FeatureInputs, shared, wilder_lookback, window
from ohlcv_factory.features.kernels import Floats, ratio, window_variance

TREND = Category("trend")
SLOPE_BARS = (20, 60)
WILDER_1978 = "Wilder (1978)"


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
    return np.asarray(talib.ADX(inputs.high, inputs.low, inputs.close, period))


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
    return np.asarray(talib.PLUS_DI(inputs.high, inputs.low, inputs.close, period))


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
    return np.asarray(talib.MINUS_DI(inputs.high, inputs.low, inputs.close, period))


@TREND.feature(
    "close_slope_{}",
    over=SLOPE_BARS,
    formula="least-squares slope of log(close), {} bars",
    lookback=window(),
    unit="log ratio per bar",
)
@shared
def close_slope(inputs: FeatureInputs, bars: int) -> Floats:
    """Slope of the straight line through the last log closes."""
    return np.asarray(talib.LINEARREG_SLOPE(log_close(inputs), bars))


@TREND.feature(
    "close_r2_{}",
    over=SLOPE_BARS,
    formula="R^2 of the least-squares line through log(close), {} bars; 0 where the close did not move",
    lookback=window(),
    unit="0 to 1",
)
def close_r2(inputs: FeatureInputs, bars: int) -> Floats:
    """How straight the last log closes are: variance of the line over variance of the closes."""
    of_line = close_slope(inputs, bars) ** 2 * ((bars * bars - 1) / 12.0)
    return np.minimum(ratio(of_line, window_variance(log_close(inputs), bars), otherwise=0.0), 1.0)


@shared
def log_close(inputs: FeatureInputs) -> Floats:
    """log(close), shape `(n,)`."""
    return np.log(inputs.close)
