"""Nearest neighbours: the weighted classes of the most similar rows of the past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from ohlcv_factory import BaseModel, InputSpec, ModelRegistry, Samples
from ohlcv_factory.config import Search, setting
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig
from ohlcv_factory.storage.formats import read_arrays, write_arrays


class NeighboursConfig(ModelConfig):
    """Settings of the nearest neighbours."""

    neighbours: int = setting(50, "rows that vote", ge=1, search=Search(10, 500, log=True))
    prior_votes: float = setting(1.0, "votes that every class has before any row is asked", gt=0)


@ModelRegistry.register("neighbours", family="instance", description="Nearest neighbours with weighted votes")
class Neighbours(BaseModel):
    """Rows vote with their sample weight (Cover and Hart 1967), smoothed by a few votes for every class."""

    input_spec = InputSpec(feature_set="ohlcv_returns", scaling="robust")
    Config = NeighboursConfig
    native_suffix = ".npz"
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self._remember(train.X, np.eye(self.class_count)[train.y] * train.weight[:, None])
        return FitReport()

    def _remember(self, rows: np.ndarray, votes: np.ndarray) -> None:
        self.rows, self.votes, self.tree = rows, votes, KDTree(rows)

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        count = min(self.config.neighbours, len(self.rows))
        _, nearest = self.tree.query(X, k=np.arange(1, count + 1))
        votes = self.votes[nearest].sum(axis=1) + self.config.prior_votes  # (row, neighbour, class) -> (row, class)
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))

    def _save(self, path: Path) -> None:
        write_arrays(path, {"rows": self.rows, "votes": self.votes})

    def _load(self, path: Path) -> None:
        stored = read_arrays(path)
        self._remember(stored["rows"], stored["votes"])
