"""The bar itself, unscaled: for models that read prices as they are quoted. In no set but those made for it."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.bars.sessions import SECONDS_PER_DAY
from ohlcv_factory.features.feature import Category, FeatureInputs
from ohlcv_factory.features.kernels import Floats

RAW = Category("raw", windowed=True)


@RAW.feature("{}", over=("open", "high", "low", "close"), formula="{} of the bar", unit="price", scale_free=False)
def price(inputs: FeatureInputs, which: str) -> Floats:
    """One price of the bar."""
    values: Floats = getattr(inputs, which)
    return values


@RAW.feature("volume", formula="volume of the bar", unit="volume", scale_free=False, needs_volume=True)
def volume(inputs: FeatureInputs) -> Floats:
    """What was traded in the bar."""
    return inputs.volume


@RAW.feature("utc_day", formula="days from 1970-01-01 to the bar's open, UTC", unit="days", role="known")
def utc_day(inputs: FeatureInputs) -> Floats:
    """The date; with `utc_minute` the bar's time in two numbers that float32 holds exactly."""
    return np.asarray(inputs.bars.time_ns // NANOSECONDS // SECONDS_PER_DAY, dtype=np.float64)


@RAW.feature("utc_minute", formula="minutes from midnight to the bar's open, UTC", unit="minutes", role="known")
def utc_minute(inputs: FeatureInputs) -> Floats:
    """The time of day, in whole minutes."""
    return np.asarray(inputs.bars.time_ns // NANOSECONDS % SECONDS_PER_DAY // 60, dtype=np.float64)
