"""What kind of market it is, in a few steps."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.averages import simple_average
from ohlcv_factory.features.feature import Category, FeatureInputs
from ohlcv_factory.features.kernels import Floats, ratio
from ohlcv_factory.features.volatility import return_deviation

REGIME = Category("regime", windowed=True)
CALM, WILD = 0.75, 1.25


@REGIME.feature(
    "volatility_regime",
    formula="deviation of log returns over 20 bars / over 100 bars: 0 under 0.75, 2 over 1.25, else 1",
    lookback=100,
    unit="0 calm, 1 usual, 2 wild",
)
def volatility_regime(inputs: FeatureInputs) -> Floats:
    """Whether prices move less or more than they used to."""
    recent, usual = return_deviation(inputs, 20), return_deviation(inputs, 100)
    change = ratio(recent, usual, otherwise=1.0)
    return np.where(np.isnan(usual), np.nan, 1.0 + (change > WILD) - (change < CALM))


@REGIME.feature(
    "trend_regime",
    formula="1 where close > sma_20 > sma_50, -1 where close < sma_20 < sma_50, else 0",
    lookback=49,
    unit="-1 down, 0 none, 1 up",
)
def trend_regime(inputs: FeatureInputs) -> Floats:
    """Whether the close and two averages stand in the order of a trend."""
    short, long = simple_average(inputs, 20), simple_average(inputs, 50)
    up = (inputs.close > short) & (short > long)
    down = (inputs.close < short) & (short < long)
    return np.where(np.isnan(long), np.nan, up.astype(np.float64) - down)
