"""What a cross-validation would take, without running it."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.splits.purge import size
from ohlcv_factory.studies.cross_validation import CrossValidation
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.training.plan import run_plan
from ohlcv_factory.training.settings import TrainerConfig


def cross_validation_plan(study: CrossValidation, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """Rows of every fold, features, memory and seconds of all fits together at most; nothing is written.

    The time is that of the largest fold, measured as `training.plan` does it, for each of them and for a final model.
    """
    folds = study.plan(container)
    one = largest_fit(study.config, folds)
    return {
        "model": one["model"],
        "horizon": one["horizon"],
        "scheme": study.cv.scheme,
        "features": one["features"],
        "memory_gb": one["memory_gb"],
        "seconds_at_most": round((len(folds.folds) + study.cv.final) * one["seconds_at_most"], 1),
        "folds": fold_rows(folds),
    }


def largest_fit(config: TrainerConfig, folds: TrainFolds) -> dict[str, Any]:
    """What `training.plan` says of the fold with the most rows to fit on."""
    return run_plan(config, folds.part(max(folds.folds, key=lambda fold: size(fold.train))))


def fold_rows(folds: TrainFolds) -> list[dict[str, Any]]:
    """Number, tested times and rows of each fold."""
    return [{name: record[name] for name in ("fold", "tested", "rows")} for record in folds.records()]
