"""A plugin file, and a registry of plugins that is as before afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
    before, modules = dict(plugins._declared), set(sys.modules)
    plugins._declared.clear()
    try:
        yield
    finally:
        plugins._declared.clear()
        plugins._declared.update(before)
        for name in set(sys.modules) - modules:
            if name.startswith("ohlcv_plugin_"):
                del sys.modules[name]
