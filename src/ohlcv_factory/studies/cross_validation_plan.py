"""What a cross-validation would take, without running it."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.splits.purge import size
from ohlcv_factory.studies.cross_validation import CrossValidation
from ohlcv_factory.training.plan import run_plan


def cross_validation_plan(study: CrossValidation, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """Rows of every fold, features, memory and seconds of all fits together at most; nothing is written.

    The time is that of the largest fold, measured as `training.plan` does it, for each of them and for a final model.
    """
    folds = study.plan(container)
    largest = max(folds.folds, key=lambda fold: size(fold.train))
    one = run_plan(study.config, folds.part(largest))
    return {
        "model": one["model"],
        "horizon": one["horizon"],
        "scheme": study.cv.scheme,
        "features": one["features"],
        "memory_gb": one["memory_gb"],
        "seconds_at_most": round((len(folds.folds) + study.cv.final) * one["seconds_at_most"], 1),
        "folds": [{name: record[name] for name in ("fold", "tested", "rows")} for record in folds.records()],
    }
