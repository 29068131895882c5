from __future__ import annotations

import pytest

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.importance import importance_frame


def test_importance_is_a_frame_with_cumulative_shares_and_categories(finished):
    frame = importance_frame(ModelBundle.from_run(finished.path).pipeline.model)
    assert frame.equals(finished.importance)
    assert frame.columns == ["feature", "importance", "cumulative", "category"]
    assert frame["importance"].is_sorted(descending=True)
    assert frame["cumulative"][-1] == pytest.approx(1.0)
    assert dict(frame.select("feature", "category").iter_rows())["volume_ratio"] == "volume"


def test_a_model_without_importance_has_no_frame():
    assert importance_frame(ModelRegistry.create("svm")) is None
