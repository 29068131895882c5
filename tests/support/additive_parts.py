"""A market whose labels follow two parts that add up, and members that see one part each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig

PARTS = ("return_1", "return_5")
"""Columns that stand for the parts: their values are replaced."""
SETS = {"first": {"include": [PARTS[0]]}, "second": {"include": [PARTS[1]]}}
MEMBERS: dict[str, dict[str, Any]] = {
    "sees_first": {"model_name": "logistic", "feature_set": "first"},
    "sees_second": {
        "model_name": "lightgbm",
        "feature_set": "second",
        "model": {"n_estimators": 100, "max_depth": 3, "min_child_samples": 100},
    },
}
NOISE, BORDER = 1.0, 0.7


def additive_market(seed: int) -> TimeSeriesDataContainer:
    """Rows of a random walk whose class is cut from first + second + noise, all normal; the bars themselves say nothing."""
    settings = {"horizons": [5], "features": list(COLUMNS), "embargo_days": "auto"}
    made = build_dataset([bar_file(random_walk(9000, seed))], DatasetConfig.parse(settings))
    plain = TimeSeriesDataContainer.from_built(made, 5)
    generator = np.random.default_rng(seed)
    parts = generator.standard_normal((len(plain), 2))
    table = plain.table.copy()
    table[np.ix_(plain.table_row, [plain.feature_names.index(name) for name in PARTS])] = parts
    score = parts.sum(axis=1) + NOISE * generator.standard_normal(len(plain))
    label = np.digitize(score, (-BORDER, BORDER)).astype(np.int8)
    return replace(plain, table=table, labels=replace(plain.labels, label=label))
