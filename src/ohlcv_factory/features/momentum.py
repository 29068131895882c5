"""Oscillators. Where the price stood still each has its neutral value, not TA-Lib's 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib
from talib import stream

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
    flag,
    lagged,
    mean_deviation,
    money_flows,
    ratio,
    relative_strength,
    window_mean,
    window_sum,
)
from ohlcv_factory.features.streams import CarriedColumns, carried_column

MOMENTUM = Category("momentum", windowed=True, carried=True)
MACD_LOOKBACK = ema_lookback(26) + 9
MACD_LINE, MACD_SIGNAL = 0, 1
WILDER_1978 = "Wilder (1978)"
APPEL_1979 = "Appel (1979)"
LANE_1984 = "Lane (1984)"


def opened_rsi(inputs: FeatureInputs, period: int) -> Callable[[FeatureInputs], Floats]:
    """The relative strength index that goes on."""
    state = np.zeros(4)
    column = relative_strength(inputs.close, period, state)
    return carried_column(column, lambda newest: relative_strength(newest.close[-2:], period, state)[-1])


def opened_macd(inputs: FeatureInputs) -> Callable[[FeatureInputs], tuple[Floats, ...]]:
    """MACD line and signal that go on."""
    handle, (line, signal, _) = stream.MACD.open_and_fill(inputs.close, 12, 26, 9)
    return CarriedColumns((line, signal), lambda newest: handle.update(newest.close[-1])[:2])


@MOMENTUM.feature(
    "rsi_{}",
    over=(14,),
    formula="RSI(close, {}); 50 where the close did not move for {} bars",
    lookback=wilder_lookback,
    unit="0 to 100",
    source=WILDER_1978,
    windowed=False,
)
@carried(opened_rsi)
def rsi(inputs: FeatureInputs, period: int) -> Floats:
    """Relative strength index."""
    return relative_strength(inputs.close, period)


@MOMENTUM.feature(
    "rsi_{}_overbought",
    over=(14,),
    formula="1 where rsi_{} > 70, else 0",
    lookback=wilder_lookback,
    unit="flag",
    source=WILDER_1978,
    windowed=False,
)
def rsi_overbought(inputs: FeatureInputs, period: int) -> Floats:
    """Whether the relative strength is high."""
    return flag(rsi(inputs, period) > 70.0, rsi(inputs, period))


@MOMENTUM.feature(
    "rsi_{}_oversold",
    over=(14,),
    formula="1 where rsi_{} < 30, else 0",
    lookback=wilder_lookback,
    unit="flag",
    source=WILDER_1978,
    windowed=False,
)
def rsi_oversold(inputs: FeatureInputs, period: int) -> Floats:
    """Whether the relative strength is low."""
    return flag(rsi(inputs, period) < 30.0, rsi(inputs, period))


@MOMENTUM.feature(
    "macd_line",
    formula="(EMA(close, 12) - EMA(close, 26)) / close",
    lookback=MACD_LOOKBACK,
    source=APPEL_1979,
    windowed=False,
)
def macd_line(inputs: FeatureInputs) -> Floats:
    """Moving average convergence / divergence as a share of the close."""
    return macd(inputs)[MACD_LINE] / inputs.close


@MOMENTUM.feature(
    "macd_signal",
    formula="EMA(EMA(close, 12) - EMA(close, 26), 9) / close",
    lookback=MACD_LOOKBACK,
    source=APPEL_1979,
    windowed=False,
)
def macd_signal(inputs: FeatureInputs) -> Floats:
    """The signal line as a share of the close."""
    return macd(inputs)[MACD_SIGNAL] / inputs.close


@MOMENTUM.feature(
    "macd_hist", formula="macd_line - macd_signal", lookback=MACD_LOOKBACK, source=APPEL_1979, windowed=False
)
def macd_hist(inputs: FeatureInputs) -> Floats:
    """Distance of the two lines as a share of the close."""
    line, signal = macd(inputs)
    return (line - signal) / inputs.close


@MOMENTUM.feature(
    "macd_cross_up",
    formula="1 where macd_line > macd_signal and not so one bar ago, else 0",
    lookback=MACD_LOOKBACK + 1,
    unit="flag",
    source=APPEL_1979,
    windowed=False,
)
def macd_cross_up(inputs: FeatureInputs) -> Floats:
    """Whether the line has just risen above its signal."""
    above = macd_above(inputs)
    return flag((above == 1.0) & (lagged(above, 1) == 0.0), lagged(above, 1))


@MOMENTUM.feature(
    "macd_cross_down",
    formula="1 where macd_line <= macd_signal and not so one bar ago, else 0",
    lookback=MACD_LOOKBACK + 1,
    unit="flag",
    source=APPEL_1979,
    windowed=False,
)
def macd_cross_down(inputs: FeatureInputs) -> Floats:
    """Whether the line has just fallen to or below its signal."""
    above = macd_above(inputs)
    return flag((above == 0.0) & (lagged(above, 1) == 1.0), lagged(above, 1))


@MOMENTUM.feature(
    "stoch_k",
    formula="mean over 3 bars of 100 (close - lowest low) / (highest high - lowest low), 14 bars; 50 without a range",
    lookback=13 + 2,
    unit="0 to 100",
    source=LANE_1984,
)
@shared
def stoch_k(inputs: FeatureInputs) -> Floats:
    """Slow stochastic, %K."""
    return window_mean(100.0 * place_in_range(inputs, 14), 3)


@MOMENTUM.feature("stoch_d", formula="mean of stoch_k over 3 bars", lookback=13 + 4, unit="0 to 100", source=LANE_1984)
def stoch_d(inputs: FeatureInputs) -> Floats:
    """Slow stochastic, %D."""
    return window_mean(stoch_k(inputs), 3)


@MOMENTUM.feature(
    "stoch_overbought", formula="1 where stoch_k > 80, else 0", lookback=13 + 2, unit="flag", source=LANE_1984
)
def stoch_overbought(inputs: FeatureInputs) -> Floats:
    """Whether the close is high in its range."""
    return flag(stoch_k(inputs) > 80.0, stoch_k(inputs))


@MOMENTUM.feature(
    "stoch_oversold", formula="1 where stoch_k < 20, else 0", lookback=13 + 2, unit="flag", source=LANE_1984
)
def stoch_oversold(inputs: FeatureInputs) -> Floats:
    """Whether the close is low in its range."""
    return flag(stoch_k(inputs) < 20.0, stoch_k(inputs))


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
    formula="(typical - mean) / (0.015 mean absolute deviation), {} bars; 0 where it did not move",
    lookback=window(),
    unit="0.015 mean deviations",
    source="Lambert (1980)",
)
def cci(inputs: FeatureInputs, bars: int) -> Floats:
    """Commodity channel index."""
    mean = window_mean(inputs.typical, bars)
    deviation = mean_deviation(inputs.typical, mean, bars)
    return ratio(inputs.typical - mean, 0.015 * deviation, otherwise=0.0)


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
    inflow, flow = money_flows(inputs.typical, inputs.volume)
    return 100.0 * ratio(window_sum(inflow, bars), window_sum(flow, bars), otherwise=0.5)


@carried(opened_macd)
def macd(inputs: FeatureInputs) -> tuple[Floats, Floats]:
    """MACD(12, 26, 9): line and signal, in price units."""
    line, signal, _ = talib.MACD(inputs.close, 12, 26, 9)
    return np.asarray(line), np.asarray(signal)


@shared
def macd_above(inputs: FeatureInputs) -> Floats:
    """1 where the MACD line is above its signal, else 0; NaN before the first signal."""
    line, signal = macd(inputs)
    return flag(line > signal, signal)


@shared
def place_in_range(inputs: FeatureInputs, bars: int) -> Floats:
    """Where the close lies between lowest low and highest high, 0 to 1; 0.5 without a range."""
    lowest = talib.MIN(inputs.low, bars)
    return ratio(inputs.close - lowest, talib.MAX(inputs.high, bars) - lowest, otherwise=0.5)
