from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ohlcv_factory.errors import DeviceError, UsageError
from ohlcv_factory.models._trees import RoundLog
from ohlcv_factory.models.base import BaseModel, SilentSink
from ohlcv_factory.models.boosting.catboost import _read_rounds
from ohlcv_factory.models.registry import ModelRegistry

FAST = {"iterations": 200, "depth": 3, "learning_rate": 0.3, "early_stopping_rounds": 8}


def model(**config: Any) -> BaseModel:
    return ModelRegistry.create("catboost", {**FAST, **config}, seed=5, threads=1)


def test_predictions_use_the_best_number_of_rounds(parts: Any) -> None:
    fitted = model()
    metrics = fitted.fit(parts.train, parts.stop)
    assert metrics.early_stopped
    assert metrics.epochs_trained == metrics.best_epoch + 8
    assert fitted._booster.tree_count_ == metrics.best_epoch
    assert fitted._booster.get_best_iteration() == metrics.best_epoch - 1


def test_use_best_model_false_keeps_every_round(parts: Any) -> None:
    fitted = model(use_best_model=False)
    metrics = fitted.fit(parts.train, parts.stop)
    assert fitted._booster.tree_count_ == metrics.epochs_trained > metrics.best_epoch


def test_the_history_holds_the_weighted_log_loss_of_the_stop_rows(parts: Any) -> None:
    fitted = model()
    metrics = fitted.fit(parts.train, parts.stop)
    given = fitted.predict(parts.stop).class_probabilities[np.arange(200), parts.stop.y]
    weighted = np.average(-np.log(given), weights=parts.stop.weight)
    assert metrics.history["val_loss"][metrics.best_epoch - 1] == pytest.approx(weighted, abs=1e-6)


def test_without_stop_rows_the_fixed_rounds_are_trained(parts: Any) -> None:
    fitted = model(fixed_rounds=15)
    metrics = fitted.fit(parts.train)
    assert (metrics.epochs_trained, metrics.best_epoch, metrics.history) == (15, None, {})
    assert fitted._booster.tree_count_ == 15


def test_rounds_of_a_gpu_fit_are_read_from_its_result() -> None:
    with_stop, without = (RoundLog(3, 5, SilentSink()) for _ in range(2))
    _read_rounds({"learn": {"MultiClass": [0.9, 0.8, 0.7]}, "validation": {"MultiClass": [0.9, 0.7, 0.8]}}, with_stop)
    _read_rounds({"learn": {"MultiClass": [0.9, 0.8]}}, without)
    assert (with_stop.rounds, with_stop.best_round) == (3, 2)
    assert (without.rounds, without.best_round) == (2, None)


@pytest.mark.parametrize("key", ["scale_pos_weight", "eval_metric", "use_gpu", "cat_features", "subsample", "n_jobs"])
def test_a_key_that_cannot_act_is_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        model(**{key: 1})


def test_bagging_temperature_acts(parts: Any) -> None:
    none, much = model(bagging_temperature=0.0, iterations=5), model(bagging_temperature=2.0, iterations=5)
    none.fit(parts.train, parts.stop)
    much.fit(parts.train, parts.stop)
    distance = none.predict(parts.scored).class_probabilities - much.predict(parts.scored).class_probabilities
    assert np.abs(distance).max() > 1e-3


def test_cuda_without_a_card_is_a_device_error(parts: Any) -> None:
    with pytest.raises(DeviceError, match="device: auto"):
        model(device="cuda").fit(parts.train, parts.stop)


def test_a_fit_prints_nothing_and_writes_no_file(
    parts: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model(iterations=5).fit(parts.train, parts.stop)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
