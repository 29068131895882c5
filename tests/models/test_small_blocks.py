from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models.base import BaseModel, FitReport
from ohlcv_factory.models.small_blocks import fewest_rows
from ohlcv_factory.testing.models import planted_samples


class Blocky(BaseModel):
    """A model whose last bits depend on the rows of a block where they are fewer than 8."""

    input_spec = InputSpec()
    native_suffix = ".json"
    name, family = "blocky", "custom"
    shape_decides = True

    def _fit(self, train, val, sink):
        return FitReport()

    def _predict_proba(self, X):
        share = 0.2 + 0.1 / (1.0 + np.exp(-X[:, 0].astype(np.float64)))
        share = share if len(X) >= 8 else np.nextafter(share, 1.0)
        return np.stack([share, share, 1.0 - 2.0 * share], axis=1)

    def _save(self, path):
        raise NotImplementedError

    def _load(self, path):
        raise NotImplementedError


@pytest.fixture
def fitted():
    model = Blocky()
    model.fit(planted_samples(300, 4))
    return model


def test_the_smallest_block_with_the_bytes_of_full_ones_is_found(fitted):
    assert fewest_rows(fitted) == 8


def test_a_model_whose_rows_may_decide_keeps_its_full_blocks(fitted):
    fitted.shape_decides = False
    assert fewest_rows(fitted) == 256


def test_rows_of_smaller_blocks_have_the_bytes_of_full_ones(fitted):
    rows = planted_samples(300, 4).X
    full, small = fitted.predict(rows), fitted.predict(rows, block_rows=8)
    assert full.class_probabilities.tobytes() == small.class_probabilities.tobytes()


def test_a_tree_needs_no_neighbours():
    pytest.importorskip("lightgbm", reason="needs the extra boosting")
    from ohlcv_factory.models.registry import ModelRegistry

    model = ModelRegistry.create("lightgbm", {"n_estimators": 20})
    model.fit(planted_samples(1000, 4))
    assert fewest_rows(model) == 1
