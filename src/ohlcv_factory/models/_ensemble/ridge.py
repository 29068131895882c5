"""Ridge regression of the class indicators: the linear meta-learner of Ting and Witten (1999), with a penalty."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, ModelConfig
from ohlcv_factory.storage.formats import read_arrays, write_arrays

LEAST = 0.01
"""Smallest probability that a regression gives: its scores may lie below 0."""


class RidgeConfig(ModelConfig):
    """Settings of the ridge regression."""

    alpha: float = setting(
        1e-3, "strength of the L2 penalty, as a share of the rows", ge=0, search=Search(1e-5, 1.0, log=True)
    )


class Ridge(BaseModel):
    """One linear score per class, fitted by least squares to 0 and 1, cut at 1 % and made to sum to 1."""

    name = "ridge"
    input_spec: ClassVar[InputSpec] = InputSpec(scaling="standard")
    Config = RidgeConfig
    native_suffix = ".npz"
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        X, weight = _with_constant(train.X), train.weight / train.weight.sum()
        targets = np.eye(self.class_count)[train.y]
        penalty = self.config.alpha * np.eye(X.shape[1])
        penalty[-1, -1] = 0.0  # the constant is free, so that scores sum to 1
        gram = (X * weight[:, None]).T @ X + penalty
        self.coefficients = np.linalg.lstsq(gram, (X * weight[:, None]).T @ targets)[0]
        return FitReport()

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        scores = np.maximum(_with_constant(X) @ self.coefficients, LEAST)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def _save(self, path: Path) -> None:
        write_arrays(path, {"coefficients": self.coefficients})

    def _load(self, path: Path) -> None:
        self.coefficients = read_arrays(path)["coefficients"]


def _with_constant(X: np.ndarray) -> np.ndarray:
    return np.column_stack([np.asarray(X, dtype=np.float64), np.ones(len(X))])
