"""What it shares with the other chunked booster is in test_chunked.py."""

from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.registry import ModelRegistry


@pytest.mark.parametrize("key", ["scale_pos_weight", "eval_metric", "use_gpu", "n_jobs", "random_state"])
def test_a_key_that_cannot_act_is_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        ModelRegistry.create("xgboost", {key: 1})
