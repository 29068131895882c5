"""Labels of every bar of one symbol at every horizon, with what their weights are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.paths import FREE, PathLabels, label_limits, round_trip_cost
from ohlcv_factory.labels.rules import LabelRule, label_bars, label_scale
from ohlcv_factory.labels.weights import Quality, average_uniqueness, label_quality


@dataclass(frozen=True)
class HorizonLabels:
    """Labels of every bar of one symbol at one horizon, with their weights' components."""

    rule: LabelRule
    path: PathLabels
    quality: Quality
    uniqueness: np.ndarray
    """`(n,)` float64."""


def label_symbol(
    bars: Bars, source: Bars | None, instrument: Instrument, config: DatasetConfig
) -> dict[int, HorizonLabels]:
    """Labels by horizon; `source` are the finer bars that these were made of, where there are any.

    Raises UsageError (2) for a horizon that the instrument has no barriers for.
    """
    rules = {horizon: config.rule(instrument, horizon) for horizon in config.horizons}
    scale = label_scale(bars, next(iter(rules.values())))
    limit_row = label_limits(bars, instrument.sessions.session_day(bars.time_ns) if config.session_end else None)
    finer = FinerBars.under(bars, source)
    cost = round_trip_cost(instrument) if config.cost_aware else FREE
    paths = {
        horizon: label_bars(bars, scale, rule, config.entry, limit_row, finer, cost) for horizon, rule in rules.items()
    }
    return {horizon: _weighed(rules[horizon], path) for horizon, path in paths.items()}


def _weighed(rule: LabelRule, path: PathLabels) -> HorizonLabels:
    return HorizonLabels(rule, path, label_quality(path, rule.max_bars), average_uniqueness(path, path.labelled))
