"""Rows with a planted signal in one column and pure noise in another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig

SIGNAL, NOISE = "volume_ratio", "hour_sin"
OWN_SET = {"signal_and_noise": {"include": (SIGNAL, NOISE)}}
SETTINGS = DatasetConfig.parse(
    {
        "horizons": [5],
        "features": [SIGNAL, NOISE],
        "embargo_days": "auto",
        "barriers": {5: {"k_up": 2.0, "k_down": 2.0}},
    }
)


def signal_and_noise(bars: int = 6000) -> TimeSeriesDataContainer:
    """Hourly bars whose volume tells the next return; the column of the hour holds noise instead of it."""
    market = random_walk(bars, 7, bar_seconds=3600, beta=0.8)
    container = TimeSeriesDataContainer.from_bars(market, horizon=5, config=SETTINGS)
    table = container.table.copy()
    table[:, container.feature_names.index(NOISE)] = np.random.default_rng(3).normal(size=len(table))
    return replace(container, table=table)
