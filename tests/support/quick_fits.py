"""Flags of `train` with which any model takes a second or two."""

from __future__ import annotations

import json

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import small_settings

SETTINGS = {
    "logistic": ("--set", "model.max_iter=50"),
    "lightgbm": ("--set", "model.n_estimators=60"),
    "xgboost": ("--set", "model.n_estimators=60"),
    "catboost": ("--set", "model.iterations=60"),
    "random_forest": ("--set", "model.n_estimators=30"),
    "svm": ("--set", "model.max_rows=1000"),
}


FOUNDATION = ("mode=frozen", "lookback=64", "block_rows=32", "batch_size=32", "max_epochs=2", "windows_per_epoch=200")
MEMBERS = ("--members", "logistic,random_forest", "--embargo", "auto")


def command_of(model: str) -> tuple[str, ...]:
    """The command that trains any model of the registry in little time; a foundation model needs the fixture `shelf`."""
    entry = ModelRegistry.entry(model)
    if entry.family == "ensemble":
        folds = () if model == "blending" else ("--folds", "3")  # it has one holdout
        return ("ensemble", "--method", model, *MEMBERS, *folds)
    if entry.extra == "foundation":
        return ("train", "--model", model, *(part for value in FOUNDATION for part in ("--set", f"model.{value}")))
    return ("train", "--model", model, *settings_of(model))


def settings_of(model: str) -> tuple[str, ...]:
    """Flags of a fit that takes little; networks read the columns that every dataset has, not the raw prices."""
    if model in SETTINGS:
        return SETTINGS[model]
    settings = {**small_settings(model), "batch_size": 128, "max_epochs": 2, "windows_per_epoch": 1000}
    words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    flags = (part for key, value in words.items() for part in ("--set", f"model.{key}={value}"))
    return ("--feature-set", "neural_optimal", *flags)
