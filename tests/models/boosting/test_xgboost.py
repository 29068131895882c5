from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from ohlcv_factory.errors import DeviceError, UsageError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.boosting.xgboost import _Grower
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import component_seed

FAST = {"n_estimators": 120, "max_depth": 3, "learning_rate": 0.2, "early_stopping_rounds": 8, "chunk_trees": 10}


def model(**config: Any) -> BaseModel:
    return ModelRegistry.create("xgboost", {**FAST, **config}, seed=5, threads=1)


def probabilities(fitted: BaseModel, parts: Any) -> np.ndarray:
    return fitted.predict(parts.scored).class_probabilities


def test_a_fit_resumed_from_a_saved_chunk_gives_the_same_bytes(parts: Any, tmp_path: Path) -> None:
    fitted = model(n_estimators=20, learning_rate=0.01)  # too slow to stop before its 20th round
    assert fitted.fit(parts.train, parts.stop).best_epoch == 20
    seeds = [component_seed(5, "xgboost", "chunk", chunk) for chunk in (0, 1)]

    first = _Grower(xgboost, fitted._parameters(xgboost), parts.train, parts.stop)
    first.grow(10, seeds[0], lambda loss: False)
    first.save(tmp_path / "chunk.ubj")
    second = _Grower(xgboost, fitted._parameters(xgboost), parts.train, parts.stop)
    second.booster = xgboost.Booster(model_file=tmp_path / "chunk.ubj")
    losses: list[float | None] = []
    second.grow(10, seeds[1], lambda loss: bool(losses.append(loss)))

    resumed = np.asarray(second.booster.inplace_predict(parts.scored.X))
    assert resumed.tobytes() == np.asarray(fitted._booster.inplace_predict(parts.scored.X)).tobytes()
    assert len(losses) == 10


def test_a_stopped_fit_equals_a_fit_of_its_best_number_of_rounds(parts: Any) -> None:
    stopped, short = model(), model()
    metrics = stopped.fit(parts.train, parts.stop)
    assert metrics.early_stopped
    assert metrics.epochs_trained == metrics.best_epoch + 8
    assert stopped._booster.num_boosted_rounds() == metrics.best_epoch
    short.fit(parts.train, parts.stop, config={"n_estimators": metrics.best_epoch})
    assert probabilities(short, parts).tobytes() == probabilities(stopped, parts).tobytes()


def test_the_history_holds_the_weighted_log_loss_of_the_stop_rows(parts: Any) -> None:
    fitted = model()
    metrics = fitted.fit(parts.train, parts.stop)
    given = fitted.predict(parts.stop).class_probabilities[np.arange(200), parts.stop.y]
    weighted = np.average(-np.log(given), weights=parts.stop.weight)
    assert metrics.history["val_loss"][metrics.best_epoch - 1] == pytest.approx(weighted, abs=1e-6)
    assert min(metrics.history["val_loss"]) == metrics.history["val_loss"][metrics.best_epoch - 1]


def test_without_stop_rows_the_fixed_rounds_are_trained(parts: Any) -> None:
    fitted = model(fixed_rounds=15)
    metrics = fitted.fit(parts.train)
    assert (metrics.epochs_trained, metrics.best_epoch, metrics.history) == (15, None, {})
    assert fitted._booster.num_boosted_rounds() == 15


@pytest.mark.parametrize("key", ["scale_pos_weight", "eval_metric", "use_gpu", "n_jobs", "random_state"])
def test_a_key_that_cannot_act_is_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        model(**{key: 1})


def test_cuda_without_a_card_is_a_device_error(parts: Any) -> None:
    with pytest.raises(DeviceError, match="device: auto"):
        model(device="cuda").fit(parts.train, parts.stop)


@pytest.mark.parametrize("field", ["subsample", "colsample_bytree"])
def test_drawing_rows_and_features_acts(parts: Any, field: str) -> None:
    some, every = model(**{field: 0.4}, n_estimators=3), model(**{field: 1.0}, n_estimators=3)
    some.fit(parts.train, parts.stop)
    every.fit(parts.train, parts.stop)
    assert np.abs(probabilities(some, parts) - probabilities(every, parts)).max() > 1e-3


def test_a_fit_prints_nothing(parts: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fitted = model(n_estimators=5)
    fitted.fit(parts.train.take(slice(0, 30)), parts.stop)
    fitted.save(tmp_path / "model")
    fitted.load(tmp_path / "model")
    fitted.predict(parts.scored)
    assert capfd.readouterr() == ("", "")
