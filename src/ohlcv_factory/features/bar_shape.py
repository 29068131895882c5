"""The shape of one bar, and how returns follow each other."""

from __future__ import annotations

from ohlcv_factory.features.feature import Category, FeatureInputs, shared, window
from ohlcv_factory.features.kernels import Floats, lagged, ratio, window_sum

BAR_SHAPE = Category("bar_shape", windowed=True)
AUTOCORRELATION_BARS = 60


@BAR_SHAPE.feature("hl_ratio", formula="high / low - 1")
def high_to_low(inputs: FeatureInputs) -> Floats:
    """The bar's range as a share of its low."""
    return inputs.high / inputs.low - 1.0


@BAR_SHAPE.feature("range_pct", formula="(high - low) / close")
def range_pct(inputs: FeatureInputs) -> Floats:
    """The bar's range as a share of its close."""
    return (inputs.high - inputs.low) / inputs.close


@BAR_SHAPE.feature("co_ratio", formula="close / open - 1")
def close_to_open(inputs: FeatureInputs) -> Floats:
    """The move inside the bar."""
    return inputs.close / inputs.open - 1.0


@BAR_SHAPE.feature("clv", formula="(2 close - high - low) / (high - low); 0 without a range", unit="-1 to 1")
@shared
def close_location(inputs: FeatureInputs) -> Floats:
    """Where the close lies in the bar's range: -1 at the low, 1 at the high."""
    above_low, below_high = inputs.close - inputs.low, inputs.high - inputs.close
    return ratio(above_low - below_high, inputs.high - inputs.low, otherwise=0.0)


@BAR_SHAPE.feature(
    "return_autocorr_lag{}",
    over=(1, 5, 10),
    formula="sum of r r[{}] / sum of r r over 60 bars, r the log return; 0 where no price moved",
    lookback=window(AUTOCORRELATION_BARS + 1),
    unit="correlation",
)
def return_autocorrelation(inputs: FeatureInputs, lag: int) -> Floats:
    """Autocorrelation of returns about a mean of zero."""
    moves = inputs.log_return
    together = window_sum(moves * lagged(moves, lag), AUTOCORRELATION_BARS)
    return ratio(together, squared_moves(inputs), otherwise=0.0)


@shared
def squared_moves(inputs: FeatureInputs) -> Floats:
    """Sum of squared log returns, 60 bars."""
    return window_sum(inputs.log_return * inputs.log_return, AUTOCORRELATION_BARS)
