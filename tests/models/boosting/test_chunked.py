"""What holds of the boosters that train in seeded chunks, LightGBM and XGBoost alike."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost

from ohlcv_factory.errors import DeviceError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import component_seed

FAST = {"n_estimators": 120, "max_depth": 3, "learning_rate": 0.2, "early_stopping_rounds": 8, "chunk_trees": 10}


@dataclass(frozen=True)
class Library:
    """What is called by another name in each of the two."""

    module: Any
    rounds: Callable[[Any], int]
    """Rounds of a booster."""
    answers: Callable[[Any, np.ndarray], Any]
    """What a booster says of a table."""

    @property
    def name(self) -> str:
        return str(self.module.__name__)

    def model(self, **config: Any) -> BaseModel:
        return ModelRegistry.create(self.name, {**FAST, **config}, seed=5, threads=1)

    def grower(self, fitted: Any, parts: Any) -> Any:
        ours = importlib.import_module(f"ohlcv_factory.models.boosting.{self.name}")
        return ours._Grower(self.module, fitted._parameters(self.module), parts.train, parts.stop)


LIBRARIES = [
    Library(lightgbm, lambda booster: booster.current_iteration(), lambda booster, X: booster.predict(X)),
    Library(xgboost, lambda booster: booster.num_boosted_rounds(), lambda booster, X: booster.inplace_predict(X)),
]


@pytest.fixture(params=LIBRARIES, ids=lambda each: each.name)
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def probabilities(fitted: BaseModel, parts: Any) -> np.ndarray:
    return fitted.predict(parts.scored).class_probabilities


def test_a_fit_resumed_from_a_saved_chunk_gives_the_same_bytes(library: Library, parts: Any, tmp_path: Path) -> None:
    fitted: Any = library.model(n_estimators=20, learning_rate=0.01)  # too slow to stop before its 20th round
    assert fitted.fit(parts.train, parts.stop).best_epoch == 20
    seeds = [component_seed(5, library.name, "chunk", chunk) for chunk in (0, 1)]
    saved = tmp_path / f"chunk{fitted.native_suffix}"

    first = library.grower(fitted, parts)
    first.grow(10, seeds[0], lambda loss: False)
    first.save(saved)
    second = library.grower(fitted, parts)
    second.booster = library.module.Booster(model_file=saved)
    losses: list[float | None] = []
    second.grow(10, seeds[1], lambda loss: bool(losses.append(loss)))

    resumed, whole = (np.asarray(library.answers(each, parts.scored.X)) for each in (second.booster, fitted._booster))
    assert resumed.tobytes() == whole.tobytes()
    assert len(losses) == 10


def test_a_stopped_fit_equals_a_fit_of_its_best_number_of_rounds(library: Library, parts: Any) -> None:
    stopped, short = library.model(), library.model()
    metrics = stopped.fit(parts.train, parts.stop)
    assert metrics.early_stopped
    assert metrics.epochs_trained == metrics.best_epoch + 8
    assert library.rounds(stopped._booster) == metrics.best_epoch
    short.fit(parts.train, parts.stop, config={"n_estimators": metrics.best_epoch})
    assert probabilities(short, parts).tobytes() == probabilities(stopped, parts).tobytes()


def test_the_history_holds_the_weighted_log_loss_of_the_stop_rows(library: Library, parts: Any) -> None:
    fitted = library.model()
    metrics = fitted.fit(parts.train, parts.stop)
    given = fitted.predict(parts.stop).class_probabilities[np.arange(200), parts.stop.y]
    weighted = np.average(-np.log(given), weights=parts.stop.weight)
    assert metrics.history["val_loss"][metrics.best_epoch - 1] == pytest.approx(weighted, abs=1e-6)
    assert min(metrics.history["val_loss"]) == metrics.history["val_loss"][metrics.best_epoch - 1]


def test_without_stop_rows_the_fixed_rounds_are_trained(library: Library, parts: Any) -> None:
    fitted = library.model(fixed_rounds=15)
    metrics = fitted.fit(parts.train)
    assert (metrics.epochs_trained, metrics.best_epoch, metrics.history) == (15, None, {})
    assert library.rounds(fitted._booster) == 15


def test_cuda_without_a_card_is_a_device_error(library: Library, parts: Any) -> None:
    with pytest.raises(DeviceError, match="device: auto"):
        library.model(device="cuda").fit(parts.train, parts.stop)


@pytest.mark.parametrize("field", ["subsample", "colsample_bytree"])
def test_drawing_rows_and_features_acts(library: Library, parts: Any, field: str) -> None:
    some, every = library.model(**{field: 0.4}, n_estimators=3), library.model(**{field: 1.0}, n_estimators=3)
    some.fit(parts.train, parts.stop)
    every.fit(parts.train, parts.stop)
    assert np.abs(probabilities(some, parts) - probabilities(every, parts)).max() > 1e-3


def test_a_fit_prints_nothing(library: Library, parts: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fitted = library.model(n_estimators=5)
    fitted.fit(parts.train.take(slice(0, 30)), parts.stop)
    fitted.save(tmp_path / "model")
    fitted.load(tmp_path / "model")
    fitted.predict(parts.scored)
    assert capfd.readouterr() == ("", "")
