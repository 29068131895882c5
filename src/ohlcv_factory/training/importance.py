"""Feature importance as a frame: feature, importance, cumulative share, category."""

from __future__ import annotations

import polars as pl

from ohlcv_factory.features.catalogue import category_of
from ohlcv_factory.models.base import BaseModel


def importance_frame(model: BaseModel) -> pl.DataFrame | None:
    """Features of a fitted model, most important first; shares sum to 1. None where the model has no importance."""
    importance = model.get_feature_importance()
    if importance is None:
        return None
    ranked = sorted(importance.items(), key=lambda item: (-item[1], item[0]))
    total = sum(importance.values()) or 1.0
    frame = pl.DataFrame(
        {
            "feature": [name for name, _ in ranked],
            "importance": [value / total for _, value in ranked],
            "category": [category_of(name) for name, _ in ranked],
        }
    )
    return frame.select("feature", "importance", pl.col("importance").cum_sum().alias("cumulative"), "category")
