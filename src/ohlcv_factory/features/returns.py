"""Returns over several spans, and the bar's four prices against the previous close."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs
from ohlcv_factory.features.kernels import Floats, growth, lagged

RETURNS = Category("returns", windowed=True)
SPANS = (1, 5, 10, 20, 60)


@RETURNS.feature(
    "log_{}_change", over=("open", "high", "low"), formula="log({} / close[1])", lookback=1, unit="log ratio"
)
def price_change(inputs: FeatureInputs, price: str) -> Floats:
    """One price of the bar against the close before it."""
    prices: Floats = getattr(inputs, price)
    return np.log(prices / lagged(inputs.close, 1))


@RETURNS.feature("log_return_{}", over=SPANS, formula="log(close / close[{}])", lookback=int, unit="log ratio")
def log_return(inputs: FeatureInputs, bars: int) -> Floats:
    """Log return over a number of bars."""
    return np.log(inputs.close / lagged(inputs.close, bars))


@RETURNS.feature("return_{}", over=SPANS, formula="close / close[{}] - 1", lookback=int)
def simple_return(inputs: FeatureInputs, bars: int) -> Floats:
    """Simple return over a number of bars."""
    return growth(inputs.close, bars)


@RETURNS.feature("roc_{}", over=(5, 10, 20), formula="100 (close / close[{}] - 1)", lookback=int, unit="percent")
def rate_of_change(inputs: FeatureInputs, bars: int) -> Floats:
    """Rate of change over a number of bars."""
    return 100.0 * simple_return(inputs, bars)
