"""Volume against its past, and the session's volume-weighted price. Left out where bars carry no volume."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.features.feature import Category, FeatureInputs, shared, window
from ohlcv_factory.features.kernels import (
    Floats,
    lagged,
    ratio,
    session_mean,
    session_sum,
    window_mean,
    window_moments,
    window_sum,
)

VOLUME = Category("volume", windowed=True)
VOLUME_BARS = 20
SESSION_SECONDS = 86_400
GRANVILLE_1963 = "Granville (1963)"


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
    "volume_sma_20",
    formula="mean of volume, 20 bars",
    lookback=VOLUME_BARS - 1,
    unit="volume",
    scale_free=False,
    needs_volume=True,
)
@shared
def volume_average(inputs: FeatureInputs) -> Floats:
    """The usual volume of a bar."""
    return window_mean(inputs.volume, VOLUME_BARS)


@VOLUME.feature(
    "volume_ratio",
    formula="volume / mean of volume, 20 bars; 1 where nothing traded",
    lookback=VOLUME_BARS - 1,
    needs_volume=True,
)
@shared
def volume_ratio(inputs: FeatureInputs) -> Floats:
    """Volume against its usual size."""
    return ratio(inputs.volume, volume_average(inputs), otherwise=1.0)


@VOLUME.feature(
    "volume_zscore",
    formula="(volume - mean) / standard deviation of volume, 20 bars; 0 where it did not vary",
    lookback=VOLUME_BARS - 1,
    unit="standard deviations",
    needs_volume=True,
)
def volume_zscore(inputs: FeatureInputs) -> Floats:
    """Volume in standard deviations from its mean."""
    mean, variance = window_moments(inputs.volume, VOLUME_BARS)
    return ratio(inputs.volume - mean, np.sqrt(variance), otherwise=0.0)


@VOLUME.feature(
    "obv",
    formula="sum of sign(close - close[1]) x volume since the session's start",
    lookback=1,
    lookback_seconds=SESSION_SECONDS,
    unit="volume",
    scale_free=False,
    source=GRANVILLE_1963,
    needs_volume=True,
)
@shared
def on_balance_volume(inputs: FeatureInputs) -> Floats:
    """Volume with rising closes less volume with falling ones, counted from the session's start.

    The running total of the literature has no bounded look-back; within a session the two differ by a constant.
    """
    signed = signed_volume(inputs).copy()
    signed[:1] = 0.0  # the series' first bar has no close before it
    return session_sum(signed, inputs.session_day)


@VOLUME.feature(
    "obv_sma_20",
    formula="mean of obv over the session's last 20 bars, fewer at its start",
    lookback=1,
    lookback_seconds=SESSION_SECONDS,
    unit="volume",
    scale_free=False,
    source=GRANVILLE_1963,
    needs_volume=True,
)
def obv_average(inputs: FeatureInputs) -> Floats:
    """Moving average of on-balance volume within the session."""
    return session_mean(on_balance_volume(inputs), inputs.session_day, VOLUME_BARS)


@VOLUME.feature(
    "obv_change_20",
    formula="(obv - obv[20]) / sum of volume, 20 bars; 0 where nothing traded",
    lookback=VOLUME_BARS,
    unit="-1 to 1",
    source=GRANVILLE_1963,
    needs_volume=True,
)
def obv_change(inputs: FeatureInputs) -> Floats:
    """Share of volume that came with rising closes, less the share with falling ones."""
    return ratio(window_sum(signed_volume(inputs), VOLUME_BARS), window_sum(inputs.volume, VOLUME_BARS), otherwise=0.0)


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
    traded = session_sum(inputs.volume, inputs.session_day)
    average = ratio(session_sum(inputs.typical * inputs.volume, inputs.session_day), traded, otherwise=0.0)
    return np.where(traded > 0.0, average, inputs.typical)


@VOLUME.feature("price_to_vwap", formula="close / vwap - 1", lookback_seconds=SESSION_SECONDS, needs_volume=True)
def price_to_vwap(inputs: FeatureInputs) -> Floats:
    """Distance of the close from the session's average price."""
    return inputs.close / vwap(inputs) - 1.0


@VOLUME.feature("dollar_volume", formula="close x volume", unit="currency", scale_free=False, needs_volume=True)
@shared
def dollar_volume(inputs: FeatureInputs) -> Floats:
    """What was traded, in money."""
    return inputs.close * inputs.volume


@VOLUME.feature(
    "dollar_volume_sma_{}",
    over=(10, 20),
    formula="mean of dollar_volume, {} bars",
    lookback=window(),
    unit="currency",
    scale_free=False,
    needs_volume=True,
)
@shared
def dollar_volume_average(inputs: FeatureInputs, bars: int) -> Floats:
    """The usual turnover of a bar."""
    return window_mean(dollar_volume(inputs), bars)


@VOLUME.feature(
    "dollar_volume_ratio",
    formula="dollar_volume / dollar_volume_sma_20; 1 where nothing traded",
    lookback=VOLUME_BARS - 1,
    needs_volume=True,
)
def dollar_volume_ratio(inputs: FeatureInputs) -> Floats:
    """Turnover against its usual size."""
    return ratio(dollar_volume(inputs), dollar_volume_average(inputs, VOLUME_BARS), otherwise=1.0)


@shared
def signed_volume(inputs: FeatureInputs) -> Floats:
    """sign(close - close[1]) x volume, shape `(n,)`; the first is NaN."""
    return np.sign(inputs.close_change) * inputs.volume
