"""Small fitted networks whose words about their own answers are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry

QUICK = {"max_epochs": 1, "fixed_epochs": 1, "warmup_epochs": 0, "device": "cpu"}
ROWS = 40


def named_windows(names: tuple[str, ...], lookback: int) -> Samples:
    """Random windows of these columns, all three classes among them."""
    X = np.random.default_rng(0).standard_normal((ROWS, lookback, len(names))).astype(np.float32)
    return replace(array_samples(X, np.arange(ROWS) % 3), feature_names=names)


def fitted(name: str, config: Mapping[str, Any], rows: Samples) -> BaseModel:
    """One epoch of a network."""
    model = ModelRegistry.create(name, {**QUICK, **config}, threads=1)
    model.fit(rows)
    return model


def explained(model: BaseModel, rows: Samples, folder: Path) -> dict[str, Any]:
    """What the model says, also after a way through files; to be asked changes no byte of a prediction."""
    told = model.predict(rows, explain=True)
    assert told.class_probabilities.tobytes() == model.predict(rows).class_probabilities.tobytes()
    model.save(folder / "model")
    loaded = ModelRegistry.create(model.name, threads=1)
    loaded.load(folder / "model")
    again = loaded.predict(rows, explain=True)
    assert again.class_probabilities.tobytes() == told.class_probabilities.tobytes()
    for name, explanation in told.metadata.items():
        assert again.metadata[name].values.tobytes() == explanation.values.tobytes()
        assert again.metadata[name].axes == explanation.axes
    return told.metadata
