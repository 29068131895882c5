"""Volume against its past, and the session's volume-weighted price. Left out where bars carry no volume."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs, shared
from ohlcv_factory.features.kernels import Floats, lagged, ratio, session_sum, window_mean, window_std, window_sum

VOLUME = Category("volume")
VOLUME_BARS = 20
SESSION_SECONDS = 86_400


@VOLUME.feature(
    "log_volume_change",
    formula="log(volume / volume[1]); 0 where either is 0",
    lookback=1,
    unit="log ratio",
    needs_volume=True,
)
def log_volume_change(inputs: FeatureInputs) -> Floats:
    """Change of volume against the bar before."""
    before = lagged(inputs.volume, 1)
    growth = ratio(inputs.volume, before, otherwise=1.0)
    return np.log(np.where(growth == 0.0, 1.0, growth))


@VOLUME.feature(
    "volume_ratio",
    formula="volume / mean of volume, 20 bars; 1 where nothing traded",
    lookback=VOLUME_BARS - 1,
    needs_volume=True,
)
@shared
def volume_ratio(inputs: FeatureInputs) -> Floats:
    """Volume against its usual size."""
    return ratio(inputs.volume, window_mean(inputs.volume, VOLUME_BARS), otherwise=1.0)


@VOLUME.feature(
    "volume_zscore",
    formula="(volume - mean) / standard deviation of volume, 20 bars; 0 where it did not vary",
    lookback=VOLUME_BARS - 1,
    unit="standard deviations",
    needs_volume=True,
)
def volume_zscore(inputs: FeatureInputs) -> Floats:
    """Volume in standard deviations from its mean."""
    surplus = inputs.volume - window_mean(inputs.volume, VOLUME_BARS)
    return ratio(surplus, window_std(inputs.volume, VOLUME_BARS), otherwise=0.0)


@VOLUME.feature(
    "obv_change_20",
    formula="(obv - obv[20]) / sum of volume, 20 bars; 0 where nothing traded",
    lookback=VOLUME_BARS,
    unit="-1 to 1",
    source="Granville (1963)",
    needs_volume=True,
)
def obv_change(inputs: FeatureInputs) -> Floats:
    """Share of volume that came with rising closes, less the share with falling ones."""
    signed = np.sign(inputs.log_return) * inputs.volume
    return ratio(window_sum(signed, VOLUME_BARS), window_sum(inputs.volume, VOLUME_BARS), otherwise=0.0)


@VOLUME.feature(
    "vwap",
    formula="sum of typical price x volume / sum of volume since the session's start; typical before the first trade",
    lookback_seconds=SESSION_SECONDS,
    unit="price",
    scale_free=False,
    needs_volume=True,
)
@shared
def vwap(inputs: FeatureInputs) -> Floats:
    """Volume-weighted average price of the session so far."""
    typical = (inputs.high + inputs.low + inputs.close) / 3.0
    traded = session_sum(inputs.volume, inputs.session_day)
    average = ratio(session_sum(typical * inputs.volume, inputs.session_day), traded, otherwise=0.0)
    return np.where(traded > 0.0, average, typical)


@VOLUME.feature("price_to_vwap", formula="close / vwap - 1", lookback_seconds=SESSION_SECONDS, needs_volume=True)
def price_to_vwap(inputs: FeatureInputs) -> Floats:
    """Distance of the close from the session's average price."""
    return inputs.close / vwap(inputs) - 1.0
