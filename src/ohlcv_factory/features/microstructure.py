"""What bars reveal of spread, impact and imbalance."""

from __future__ import annotations

import math

import numpy as np

from ohlcv_factory.features.bar_shape import close_location
from ohlcv_factory.features.feature import Category, FeatureInputs, shared, window
from ohlcv_factory.features.kernels import Floats, lagged, ratio, window_mean, window_moments, window_sum
from ohlcv_factory.features.volatility import return_deviation, squared_range
from ohlcv_factory.features.volume import dollar_volume, signed_volume, volume_ratio

MICROSTRUCTURE = Category("microstructure", windowed=True)
BARS = 20


@MICROSTRUCTURE.feature(
    "micro_amihud",
    formula="1e6 x abs(log return) / (close x volume); 0 for a bar without volume",
    lookback=1,
    unit="per million of currency",
    scale_free=False,
    source="Amihud (2002)",
    needs_volume=True,
)
@shared
def bar_amihud(inputs: FeatureInputs) -> Floats:
    """Illiquidity of one bar."""
    return 1e6 * ratio(np.abs(inputs.log_return), dollar_volume(inputs), otherwise=0.0)


@MICROSTRUCTURE.feature(
    "micro_amihud_{}",
    over=(10, 20),
    formula="1e6 x mean of abs(log return) / (close x volume), {} bars; 0 for a bar without volume",
    lookback=window(1),
    unit="per million of currency",
    scale_free=False,
    source="Amihud (2002)",
    needs_volume=True,
)
def amihud(inputs: FeatureInputs, bars: int) -> Floats:
    """Illiquidity: how far a million moves the price."""
    return window_mean(bar_amihud(inputs), bars)


@MICROSTRUCTURE.feature(
    "micro_roll_spread",
    formula="2 sqrt(-covariance of close change and close change[1]), 20 bars; 0 where the covariance is positive",
    lookback=BARS + 1,
    unit="price",
    scale_free=False,
    source="Roll (1984)",
)
def roll_spread_in_price(inputs: FeatureInputs) -> Floats:
    """Effective spread from the bounce between bid and ask, in price units."""
    return roll_spread(inputs.close_change)


@MICROSTRUCTURE.feature(
    "micro_roll_spread_pct",
    formula="2 sqrt(-covariance of log return and log return[1]), 20 bars; 0 where the covariance is positive",
    lookback=BARS + 1,
    source="Roll (1984)",
)
def roll_spread_in_returns(inputs: FeatureInputs) -> Floats:
    """Effective spread from the bounce between bid and ask, as a share of the price."""
    return roll_spread(inputs.log_return)


@MICROSTRUCTURE.feature(
    "micro_kyle_lambda",
    formula="1e6 x slope of log return on sign(close - close[1]) x close x volume, 20 bars; 0 where that did not vary",
    lookback=BARS,
    unit="per million of currency",
    scale_free=False,
    source="Kyle (1985)",
    needs_volume=True,
)
def kyle_lambda(inputs: FeatureInputs) -> Floats:
    """Impact: how far a million bought moves the price."""
    flow = signed_volume(inputs) * inputs.close
    mean_flow, flow_variance = window_moments(flow, BARS)
    together = window_mean(inputs.log_return * flow, BARS) - window_mean(inputs.log_return, BARS) * mean_flow
    return 1e6 * ratio(together, flow_variance, otherwise=0.0)


@MICROSTRUCTURE.feature(
    "micro_cs_spread",
    formula="2 (e^a - 1) / (1 + e^a), a from the ranges of one and of two bars; 0 where a < 0",
    lookback=1,
    source="Corwin and Schultz (2012)",
)
def corwin_schultz_spread(inputs: FeatureInputs) -> Floats:
    """Spread from highs and lows: ranges grow with time, the spread in them does not."""
    single = squared_range(inputs)
    beta = single + lagged(single, 1)
    highest = np.maximum(inputs.high, lagged(inputs.high, 1))
    gamma = np.log(highest / np.minimum(inputs.low, lagged(inputs.low, 1))) ** 2
    scale = 3.0 - 2.0 * math.sqrt(2.0)
    alpha = np.maximum((math.sqrt(2.0) - 1.0) * np.sqrt(beta) / scale - np.sqrt(gamma / scale), 0.0)
    return 2.0 * np.tanh(0.5 * alpha)


@MICROSTRUCTURE.feature("micro_rel_spread", formula="2 (high - low) / (high + low)")
@shared
def relative_range(inputs: FeatureInputs) -> Floats:
    """Range of the bar as a share of its middle."""
    return 2.0 * (inputs.high - inputs.low) / (inputs.high + inputs.low)


@MICROSTRUCTURE.feature(
    "micro_rel_spread_{}", over=(10, 20), formula="mean of micro_rel_spread, {} bars", lookback=window()
)
def mean_relative_range(inputs: FeatureInputs, bars: int) -> Floats:
    """The usual range of a bar as a share of its middle."""
    return window_mean(relative_range(inputs), bars)


@MICROSTRUCTURE.feature("micro_volume_imbalance", formula="clv x volume_ratio", lookback=BARS - 1, needs_volume=True)
def volume_imbalance(inputs: FeatureInputs) -> Floats:
    """Side of the bar's volume, by where it closed, against the usual volume."""
    return close_location(inputs) * volume_ratio(inputs)


@MICROSTRUCTURE.feature(
    "micro_cum_imbalance_{}",
    over=(20,),
    formula="sum of clv x volume / sum of volume, {} bars; 0 where nothing traded",
    lookback=window(),
    unit="-1 to 1",
    needs_volume=True,
)
def cumulative_imbalance(inputs: FeatureInputs, bars: int) -> Floats:
    """Side of the volume of the last bars."""
    sided = window_sum(close_location(inputs) * inputs.volume, bars)
    return ratio(sided, window_sum(inputs.volume, bars), otherwise=0.0)


@MICROSTRUCTURE.feature(
    "micro_trade_intensity_{}",
    over=(20, 50),
    formula="volume / mean of volume, {} bars; 1 where nothing traded",
    lookback=window(),
    needs_volume=True,
)
def trade_intensity(inputs: FeatureInputs, bars: int) -> Floats:
    """Volume against its longer mean."""
    return ratio(inputs.volume, window_mean(inputs.volume, bars), otherwise=1.0)


@MICROSTRUCTURE.feature(
    "micro_efficiency_{}",
    over=(10, 20),
    formula="abs(sum of log returns) / sum of abs(log return), {} bars; 0 where no price moved",
    lookback=window(1),
    unit="0 to 1",
    source="Kaufman (1995)",
)
def efficiency(inputs: FeatureInputs, bars: int) -> Floats:
    """How straight the way was: 1 on a line, near 0 in noise."""
    way = window_sum(np.abs(inputs.log_return), bars)
    return ratio(np.abs(window_sum(inputs.log_return, bars)), way, otherwise=0.0)


@MICROSTRUCTURE.feature(
    "micro_vol_ratio",
    formula="deviation of log returns over 10 bars / over 60 bars; 1 where no price moved",
    lookback=60,
)
def volatility_ratio(inputs: FeatureInputs) -> Floats:
    """Volatility now against the last hour's sixty bars."""
    return ratio(return_deviation(inputs, 10), return_deviation(inputs, 60), otherwise=1.0)


def roll_spread(moves: Floats) -> Floats:
    """Twice the root of minus the covariance of neighbouring moves, 20 bars; 0 where that is positive."""
    mean = window_mean(moves, BARS)
    covariance = window_mean(moves * lagged(moves, 1), BARS) - mean * lagged(mean, 1)
    return 2.0 * np.sqrt(np.maximum(-covariance, 0.0))
