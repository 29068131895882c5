"""A plugin file that brings a model, and a registry of models that is as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from declarations import emptied

from ohlcv_factory.models.registry import ModelRegistry

OWN_MODEL = '''
import numpy as np
from ohlcv_factory import BaseModel, InputSpec, ModelRegistry
from ohlcv_factory.config import setting
from ohlcv_factory.models.base import FitReport, ModelConfig
from ohlcv_factory.storage.formats import read_arrays, write_arrays


class SharesConfig(ModelConfig):
    """Settings."""

    smoothing: float = setting(1.0, "rows added to every class", ge=0)


@ModelRegistry.register("class_shares", family="own")
class ClassShares(BaseModel):
    """The weighted shares of the classes, whatever the features say."""

    input_spec = InputSpec(feature_set="neural_optimal")
    Config = SharesConfig
    native_suffix = ".npz"
    seeded = False

    def _fit(self, train, val, sink):
        counts = np.bincount(train.y, weights=train.weight, minlength=self.class_count) + self.config.smoothing
        self.shares = counts / counts.sum()
        return FitReport()

    def _predict_proba(self, X):
        return np.tile(self.shares, (len(X), 1))

    def _save(self, path):
        write_arrays(path, {"shares": self.shares})

    def _load(self, path):
        self.shares = read_arrays(path)["shares"]
'''


@contextmanager
def own_models() -> Iterator[None]:
    """Nobody has registered a model of their own; those that are registered meanwhile are gone afterwards."""
    with emptied(ModelRegistry._declared):
        yield


@pytest.fixture
def own_registry() -> Iterator[None]:
    """`own_models` for the length of a test."""
    with own_models():
        yield
