"""Oscillators. Where the price stood still each has its neutral value, not TA-Lib's 0."""

from __future__ import annotations

import numpy as np
import talib

from ohlcv_factory.features.feature import Category, FeatureInputs, ema_lookback, shared, wilder_lookback, window
from ohlcv_factory.features.kernels import Floats, ratio, window_mean, window_sum

MOMENTUM = Category("momentum")
MACD_LOOKBACK = ema_lookback(26) + 9
MACD_LINE, MACD_SIGNAL = 0, 1
WILDER_1978 = "Wilder (1978)"


@MOMENTUM.feature(
    "rsi_{}",
    over=(14,),
    formula="RSI(close, {}); 50 where the close did not move for {} bars",
    lookback=wilder_lookback,
    unit="0 to 100",
    source=WILDER_1978,
)
def rsi(inputs: FeatureInputs, period: int) -> Floats:
    """Relative strength index."""
    strength = np.asarray(talib.RSI(inputs.close, period))
    strength[span(inputs.close, inputs.close, period + 1) == 0] = 50.0
    return strength


@MOMENTUM.feature(
    "macd_line", formula="(EMA(close, 12) - EMA(close, 26)) / close", lookback=MACD_LOOKBACK, source="Appel (1979)"
)
def macd_line(inputs: FeatureInputs) -> Floats:
    """Moving average convergence / divergence as a share of the close."""
    return macd(inputs)[MACD_LINE] / inputs.close


@MOMENTUM.feature("macd_signal", formula="EMA(EMA(close, 12) - EMA(close, 26), 9) / close", lookback=MACD_LOOKBACK)
def macd_signal(inputs: FeatureInputs) -> Floats:
    """The signal line as a share of the close."""
    return macd(inputs)[MACD_SIGNAL] / inputs.close


@MOMENTUM.feature("macd_hist", formula="macd_line - macd_signal", lookback=MACD_LOOKBACK)
def macd_hist(inputs: FeatureInputs) -> Floats:
    """Distance of the two lines as a share of the close."""
    line, signal = macd(inputs)
    return (line - signal) / inputs.close


@MOMENTUM.feature(
    "stoch_k",
    formula="mean over 3 bars of 100 (close - lowest low) / (highest high - lowest low), 14 bars; 50 without a range",
    lookback=13 + 2,
    unit="0 to 100",
    source="Lane (1984)",
)
@shared
def stoch_k(inputs: FeatureInputs) -> Floats:
    """Slow stochastic, %K."""
    return window_mean(100.0 * place_in_range(inputs, 14), 3)


@MOMENTUM.feature(
    "stoch_d", formula="mean of stoch_k over 3 bars", lookback=13 + 4, unit="0 to 100", source="Lane (1984)"
)
def stoch_d(inputs: FeatureInputs) -> Floats:
    """Slow stochastic, %D."""
    return window_mean(stoch_k(inputs), 3)


@MOMENTUM.feature(
    "williams_r",
    formula="-100 (highest high - close) / (highest high - lowest low), 14 bars; -50 without a range",
    lookback=13,
    unit="-100 to 0",
    source="Williams (1979)",
)
def williams_r(inputs: FeatureInputs) -> Floats:
    """Williams %R."""
    return 100.0 * (place_in_range(inputs, 14) - 1.0)


@MOMENTUM.feature(
    "cci_{}",
    over=(20,),
    formula="(typical - mean) / (0.015 mean absolute deviation), {} bars; 0 without a range",
    lookback=window(),
    unit="0.015 mean deviations",
    source="Lambert (1980)",
)
def cci(inputs: FeatureInputs, bars: int) -> Floats:
    """Commodity channel index."""
    index = np.asarray(talib.CCI(inputs.high, inputs.low, inputs.close, bars))
    index[span(inputs.high, inputs.low, bars) == 0] = 0.0
    return index


@MOMENTUM.feature(
    "mfi_{}",
    over=(14,),
    formula="100 inflow / (inflow + outflow) of typical price x volume, {} bars; 50 where neither flowed",
    lookback=window(1),
    unit="0 to 100",
    source="Quong and Soudack (1989)",
    needs_volume=True,
)
def mfi(inputs: FeatureInputs, bars: int) -> Floats:
    """Money flow index; unlike TA-Lib's it also holds for flows under 1."""
    typical = (inputs.high + inputs.low + inputs.close) / 3.0
    direction = np.sign(np.diff(typical, prepend=np.nan))
    flow = direction * typical * inputs.volume
    inflow = window_sum(np.maximum(flow, 0.0), bars)
    return 100.0 * ratio(inflow, window_sum(np.abs(flow), bars), otherwise=0.5)


@shared
def macd(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """MACD(12, 26, 9): line and signal, in price units."""
    line, signal, _ = talib.MACD(inputs.close, 12, 26, 9)
    return np.asarray(line), np.asarray(signal)


@shared
def place_in_range(inputs: FeatureInputs, bars: int) -> Floats:
    """Where the close lies between lowest low and highest high, 0 to 1; 0.5 without a range."""
    lowest = talib.MIN(inputs.low, bars)
    return ratio(inputs.close - lowest, span(inputs.high, inputs.low, bars), otherwise=0.5)


def span(high: Floats, low: Floats, bars: int) -> Floats:
    """Highest high less lowest low: exactly 0 where nothing moved."""
    return np.asarray(talib.MAX(high, bars) - talib.MIN(low, bars))
