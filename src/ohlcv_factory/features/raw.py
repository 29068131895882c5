"""The bar itself, unscaled: for models that read prices as they are quoted. In no set but those made for it."""

from __future__ import annotations

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
