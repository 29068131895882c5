from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.registry import ModelRegistry


def test_it_asks_for_a_holdout_where_stacking_asks_for_all_rows():
    assert ModelRegistry.create("blending", {"holdout": 0.25}).holdout_share == 0.25
    assert ModelRegistry.create("stacking").holdout_share is None


def test_a_holdout_of_everything_is_refused():
    with pytest.raises(UsageError, match="holdout: input should be less than 1"):
        ModelRegistry.create("blending", {"holdout": 1.0})
