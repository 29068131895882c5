"""What a search would take, without running it."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.studies.cross_validation_plan import fold_rows, largest_fit
from ohlcv_factory.studies.tuning import Tuning


def tuning_plan(search: Tuning, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """What would be drawn, rows of every fold, memory and seconds of all trials together; nothing is written.

    The time is that of the largest fold with the settings that the search begins with, as `training.plan` measures it:
    other settings may take longer, pruned trials take less.
    """
    folds = search.plan(container)
    one = largest_fit(search.config, folds)
    return {
        "model": one["model"],
        "horizon": one["horizon"],
        "goal": str(search.goal),
        "trials": search.trials,
        "scheme": search.cv.scheme,
        "features": one["features"],
        "memory_gb": one["memory_gb"],
        "seconds_with_these_settings": round(search.trials * len(folds.folds) * one["seconds_at_most"], 1),
        "space": [each.plain() for each in search.space],
        "folds": fold_rows(folds),
    }
