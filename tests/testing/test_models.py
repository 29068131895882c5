"""The contract kit finds each fault that it is there to find."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecasters import GaussianWalk, Momentum
from own_models import own_models

from ohlcv_factory import testing
from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, ModelConfig
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import OF_TRAINING, Subject, check_drift, check_model, checks_for, small_settings


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
def own_registry() -> Iterator[None]:
    """Models registered here are gone afterwards."""
    with own_models():
        yield


def checked(model_class: type[BaseModel]) -> None:
    ModelRegistry.register("subject", "plugin")(model_class)
    check_model("subject")


def test_a_sound_model_passes() -> None:
    checked(Centroids)


def test_a_model_may_be_given_as_its_class_once_it_is_registered() -> None:
    with pytest.raises(UsageError, match="Unregistered is not registered"):
        check_model(type("Unregistered", (Centroids,), {}))
    registered = ModelRegistry.register("subject", "plugin")(type("Registered", (Mirrored,), {}))
    with pytest.raises(AssertionError, match="subject"):
        check_model(registered)


@pytest.mark.parametrize("name", ["check_feature", "check_model", "direction_z"])
def test_the_kits_can_be_had_from_one_place(name: str) -> None:
    assert dir(testing) == testing.__all__ == ["check_feature", "check_model", "direction_z"]
    assert getattr(testing, name).__name__ == name


def test_a_kit_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'ohlcv_factory\.testing' has no attribute 'check_modle'"):
        _ = testing.check_modle


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


class WindowCentroids(Centroids):
    """A sound little model of windows: centroids of their newest bar."""

    input_spec = InputSpec("sequence", lookback=8)
    bar = -1

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        return super()._fit(replace(train, X=train.X[:][:, self.bar]), val, sink)

    def _predict_proba(self, X: Any) -> np.ndarray:
        return super()._predict_proba(X[:][:, self.bar])


class OldestBar(WindowCentroids):
    bar = 0


class LaterBars(WindowCentroids):
    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        report = super()._fit(train, val, sink)
        self.means = self.means + train.X.table.mean(axis=0) * 1e-6
        return report


class Pickling(Centroids):
    native_suffix = ".pkl"

    def _save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.means))

    def _load(self, path: Path) -> None:
        self.means = pickle.loads(path.read_bytes())  # noqa: S301  (the fault that the kit must find)


class PicklingInArray(Centroids):
    def _save(self, path: Path) -> None:
        np.save(path, self.means.astype(object), allow_pickle=True)

    def _load(self, path: Path) -> None:
        self.means = np.load(path, allow_pickle=True).astype(float)


def test_a_sound_model_of_windows_passes() -> None:
    checked(WindowCentroids)


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (OldestBar, r"P\(class \d\) is|class shares alone reach"),
        (LaterBars, "fits on a view with later bars and on plain windows differ"),
        (Pickling, r"model\.pkl holds a pickle"),
        (PicklingInArray, r"model\.npy holds a pickle"),
    ],
)
def test_a_fault_of_windows_or_files_is_found(faulty: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        checked(faulty)


def test_a_network_without_figures_is_checked_small() -> None:
    pytest.importorskip("torch", reason="networks need torch")
    settings = small_settings("gru")
    assert (settings["lookback"], settings["hidden_size"], settings["num_layers"]) == (16, 16, 1)
    assert "d_model" not in settings
    assert small_settings("logistic") == {}


class Deaf(GaussianWalk):
    """Looks at the barriers, not at the close."""

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        return super()._predict_with_market(np.where(np.isnan(X), X, 100.0).astype(np.float32), market)


class Blind(GaussianWalk):
    """Looks at the close, not at the barriers."""

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        one = np.ones_like(market.atr)
        return super()._predict_with_market(X, replace(market, k_up=one, k_down=one))


class Turned(GaussianWalk):
    """Calls long what is short."""

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        return super()._predict_with_market(X, market)[:, ::-1]


class OfItsBlock(GaussianWalk):
    """Takes the deviation of the whole block."""

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        return super()._predict_with_market(X, replace(market, atr=market.atr.mean() * np.ones(len(X))))


@pytest.mark.parametrize("sound", [GaussianWalk, Momentum])
def test_a_sound_forecaster_of_bars_passes(sound: Any) -> None:
    checked(sound)


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (Deaf, r"a rising and a falling close move P\(long\) - P\(short\) by 0\.0000 only"),
        (Blind, "with the upper and with the lower barrier near"),
        (Turned, "with the upper and with the lower barrier near"),
        (OfItsBlock, "a row alone and in a batch differ"),
    ],
)
def test_a_fault_of_a_forecaster_is_found(faulty: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        checked(faulty)


class ModeConfig(ModelConfig):
    zero_shot: bool = setting(True, "forecast without training")
    lookback: int = setting(128, "bars", ge=2)


class EitherMode(Momentum):
    Config = ModeConfig

    @property
    def trains(self) -> bool:
        return not self.config.zero_shot


def test_the_instance_says_whether_it_trains_and_so_which_checks_apply() -> None:
    ModelRegistry.register("subject", "plugin")(EitherMode)
    zero_shot, trained = (checks_for(Subject("subject", {"zero_shot": mode})) for mode in (True, False))
    assert check_drift in zero_shot and not set(OF_TRAINING) & set(zero_shot)
    assert check_drift not in trained and set(OF_TRAINING) <= set(trained)


class MarketCentroids(Centroids):
    """A model of plain columns that asks for the market too."""

    input_spec = InputSpec(needs_market=True)


def test_a_model_of_plain_columns_gets_a_market_to_be_checked_with() -> None:
    checked(MarketCentroids)
