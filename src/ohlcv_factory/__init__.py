"""OHLCV model factory: raw price bars in, honest short / neutral / long models out."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "BarrierTuningConfig": "ohlcv_factory.studies.tuning_settings",
    "Bars": "ohlcv_factory.bars.schema",
    "BaseModel": "ohlcv_factory.models.base",
    "CheckpointManager": "ohlcv_factory.storage.checkpoints",
    "CombinatorialPurgedCV": "ohlcv_factory.splits.combinatorial",
    "CrossValidationConfig": "ohlcv_factory.studies.settings",
    "DatasetConfig": "ohlcv_factory.dataset.settings",
    "FactoryError": "ohlcv_factory.errors",
    "InputSpec": "ohlcv_factory.dataset.samples",
    "LabelSpans": "ohlcv_factory.splits.spans",
    "ModelBundle": "ohlcv_factory.training.bundle",
    "ModelRegistry": "ohlcv_factory.models.registry",
    "PredictionOutput": "ohlcv_factory.models.base",
    "Predictions": "ohlcv_factory.evaluation.predictions",
    "PurgedKFold": "ohlcv_factory.splits.purged_kfold",
    "RunResult": "ohlcv_factory.training.trainer",
    "Samples": "ohlcv_factory.dataset.samples",
    "TimeSeriesDataContainer": "ohlcv_factory.dataset.container",
    "Trainer": "ohlcv_factory.training.trainer",
    "TrainerConfig": "ohlcv_factory.training.settings",
    "TrainingMetrics": "ohlcv_factory.models.base",
    "TuningConfig": "ohlcv_factory.studies.tuning_settings",
    "WalkForward": "ohlcv_factory.splits.walk_forward",
    "bars_from_frame": "ohlcv_factory.bars.load",
    "cross_validate": "ohlcv_factory.studies.cross_validation",
    "device_report": "ohlcv_factory.models.device_report",
    "feature": "ohlcv_factory.features.plugins",
    "leaderboard": "ohlcv_factory.studies.leaderboard",
    "read_bars": "ohlcv_factory.bars.load",
    "read_sources": "ohlcv_factory.bars.load",
    "recommend": "ohlcv_factory.studies.recommendation",
    "tune": "ohlcv_factory.studies.tuning",
    "tune_barriers": "ohlcv_factory.studies.barrier_tuning",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605  (the names are the keys of one table)


def __getattr__(name: str) -> Any:
    """Public names are imported at their first use, so that importing the package costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ohlcv_factory' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
