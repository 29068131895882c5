"""Models that do what a model must not, each in a way that has been seen in the wild. A plugin file like any other."""

from __future__ import annotations

import numpy as np

from ohlcv_factory import BaseModel, InputSpec, ModelRegistry
from ohlcv_factory.models.base import FitReport
from ohlcv_factory.storage.formats import read_arrays, write_arrays


class NearestMean(BaseModel):
    """The nearest class mean, honest."""

    input_spec = InputSpec(feature_set="neural_optimal", scaling="standard")
    native_suffix, seeded = ".npz", False

    def _fit(self, train, val, sink):
        groups = [train.y == code for code in range(self.class_count)]
        self.means = np.stack([np.average(train.X[rows], axis=0, weights=train.weight[rows]) for rows in groups])
        return FitReport()

    def _predict_proba(self, X):
        distance = ((X[:, None] - self.means) ** 2).sum(axis=2) / X.shape[1]
        odds = np.exp(-(distance - distance.min(axis=1, keepdims=True)))
        return odds / odds.sum(axis=1, keepdims=True)

    def _save(self, path):
        write_arrays(path, {"means": self.means})

    def _load(self, path):
        self.means = read_arrays(path)["means"]


@ModelRegistry.register("honest_mean", family="own")
class HonestMean(NearestMean):
    """As it should be."""


@ModelRegistry.register("batch_scaler", family="own")
class BatchScaler(NearestMean):
    """Standardises what it is asked by all rows of the question: later rows decide earlier answers."""

    def _predict_proba(self, X):
        return super()._predict_proba((X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9))


@ModelRegistry.register("unseeded", family="own")
class Unseeded(NearestMean):
    """Draws from no seed."""

    def _fit(self, train, val, sink):
        report = super()._fit(train, val, sink)
        self.means = self.means + np.random.default_rng().normal(0, 0.01, self.means.shape)
        return report


@ModelRegistry.register("blind", family="own")
class Blind(NearestMean):
    """Says the same of every row."""

    def _predict_proba(self, X):
        return np.tile(np.full(self.class_count, 1 / self.class_count), (len(X), 1))


@ModelRegistry.register("failing", family="own")
class Failing(NearestMean):
    """Cannot be fitted."""

    def _fit(self, train, val, sink):
        raise RuntimeError("no such thing")
