"""Moving averages, and how far the close is from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib
from talib import stream

from ohlcv_factory.features.feature import Category, FeatureInputs, carried, ema_lookback, shared, window
from ohlcv_factory.features.kernels import Floats, window_mean
from ohlcv_factory.features.streams import carried_column

AVERAGES = Category("averages", carried=True)
SIMPLE_BARS = (10, 20, 50, 100, 200)
EXPONENTIAL_PERIODS = (9, 21, 50)


def opened_exponential_average(inputs: FeatureInputs, period: int) -> Callable[[FeatureInputs], Floats]:
    """The average that goes on."""
    handle, column = stream.EMA.open_and_fill(inputs.close, timeperiod=period)
    return carried_column(column, lambda newest: handle.update(newest.close[-1]))


@AVERAGES.feature(
    "sma_{}",
    over=SIMPLE_BARS,
    formula="mean of close over {} bars",
    lookback=window(),
    unit="price",
    scale_free=False,
    windowed=True,
)
@shared
def simple_average(inputs: FeatureInputs, bars: int) -> Floats:
    """Simple moving average of the close."""
    return window_mean(inputs.close, bars)


@AVERAGES.feature(
    "ema_{}",
    over=EXPONENTIAL_PERIODS,
    formula="EMA(close, {})",
    lookback=ema_lookback,
    unit="price",
    scale_free=False,
)
@carried(opened_exponential_average)
def exponential_average(inputs: FeatureInputs, period: int) -> Floats:
    """Exponential moving average of the close, started by a simple one."""
    return np.asarray(talib.EMA(inputs.close, period))


@AVERAGES.feature("close_to_sma_{}", over=SIMPLE_BARS, formula="close / sma_{} - 1", lookback=window(), windowed=True)
def close_to_sma(inputs: FeatureInputs, bars: int) -> Floats:
    """Distance of the close from its simple average."""
    return inputs.close / simple_average(inputs, bars) - 1.0


@AVERAGES.feature("close_to_ema_{}", over=EXPONENTIAL_PERIODS, formula="close / ema_{} - 1", lookback=ema_lookback)
def close_to_ema(inputs: FeatureInputs, period: int) -> Floats:
    """Distance of the close from its exponential average."""
    return inputs.close / exponential_average(inputs, period) - 1.0
