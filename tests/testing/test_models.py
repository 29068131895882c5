"""The contract kit finds each fault that it is there to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import check_model


class Centroids(BaseModel):
    """A sound little model: softmax of the distances to the weighted mean of each class."""

    native_suffix = ".npy"
    seeded = False

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        classes = [train.y == code for code in range(self.class_count)]
        self.means = np.stack([np.average(train.X[rows], axis=0, weights=train.weight[rows]) for rows in classes])
        return FitReport()

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        logits = -((X[:, None, :].astype(float) - self.means) ** 2).sum(axis=2)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _save(self, path: Path) -> None:
        np.save(path, self.means)

    def _load(self, path: Path) -> None:
        self.means = np.load(path)


class Unnormalised(Centroids):
    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super()._predict_proba(X) * 0.9


class Mirrored(Centroids):
    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super()._predict_proba(X)[:, ::-1]


class Clueless(Centroids):
    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        sound = super()._predict_proba(X)
        return 0.98 / self.class_count + 0.02 * sound


class Restless(Centroids):
    fits = 0

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        Restless.fits += 1
        report = super()._fit(train, val, sink)
        self.means = self.means + 1e-9 * Restless.fits
        return report


class FalselySeeded(Centroids):
    seeded = True


class Forgetful(Centroids):
    def _load(self, path: Path) -> None:
        self.means = np.load(path).astype(np.float32)


class BatchNormalised(Centroids):
    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super()._predict_proba(X - X.mean(axis=0))


class Weightless(Centroids):
    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        train.weight[:] = 1.0
        return super()._fit(train, val, sink)


class WeightlessStop(Centroids):
    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        super()._fit(train, val, sink)
        return FitReport(epochs_trained=9, best_epoch=3 if val is not None else None)


class Boastful(Centroids):
    def get_feature_importance(self) -> dict[str, float]:
        return dict.fromkeys(self.feature_names, 1.0)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Models registered here are gone afterwards."""
    monkeypatch.setattr(ModelRegistry, "_entries", dict(ModelRegistry._entries))
    monkeypatch.setattr(ModelRegistry, "_classes", dict(ModelRegistry._classes))
    yield


def checked(model_class: type[BaseModel]) -> None:
    ModelRegistry.register("subject", "plugin")(model_class)
    check_model("subject")


def test_a_sound_model_passes() -> None:
    checked(Centroids)


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (Unnormalised, r"probabilities miss 1 by 0\.[01]"),
        (Mirrored, r"P\(class 0\) is"),
        (Clueless, "class shares alone reach"),
        (Restless, "two fits with one seed differ"),
        (FalselySeeded, "seeded is True"),
        (Forgetful, "saved and loaded differ"),
        (BatchNormalised, "a row alone and in a batch differ"),
        (Weightless, "correlation with the signal"),
        (WeightlessStop, r"best rounds are \[3, 3\]"),
        (Boastful, "importances sum to 12.0"),
    ],
)
def test_a_fault_is_found_and_named_with_its_numbers(faulty: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as raised:
        checked(faulty)
    assert str(raised.value).startswith("model 'subject': ")
