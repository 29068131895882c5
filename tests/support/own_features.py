"""A plugin file, and a registry of plugins that is as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from declarations import emptied

from ohlcv_factory.features import plugins

OWN_FEATURE = """
import numpy as np
from ohlcv_factory import feature
from ohlcv_factory.features.kernels import lagged

@feature("gap_{}", over=(1, 5), formula="log(open / close[{}])", lookback=int, unit="log ratio")
def gap(inputs, bars):
    return np.log(inputs.open / lagged(inputs.close, bars))
"""


@contextmanager
def own_features() -> Iterator[None]:
    """Features that are declared meanwhile are gone afterwards."""
    with emptied(plugins._declared):
        yield
