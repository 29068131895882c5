"""Stacking: a small model that learns from out-of-fold probabilities when to believe which member."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.models._ensemble.meta_features import (
    META_FEATURES,
    REGIMES,
    MetaFeature,
    log_ratios,
    plain_probabilities,
)
from ohlcv_factory.models._ensemble.model import EnsembleModel
from ohlcv_factory.models._ensemble.perceptron import Perceptron
from ohlcv_factory.models._ensemble.ridge import Ridge
from ohlcv_factory.models._ensemble.table import (
    context_values,
    member_probabilities,
    members_of,
    refuse_other_columns,
    refuse_other_than_probabilities,
)
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, MissingClassWarning, ModelConfig
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json, told_as_damage, write_json

REQUIRES = ("sklearn",)

MetaLearner = Literal["logistic", "ridge", "mlp", "xgboost", "lightgbm"]
FEW_TREES: Mapping[str, Any] = {"n_estimators": 300, "max_depth": 3, "early_stopping_rounds": 30}
LEARNERS: Mapping[str, Mapping[str, Any]] = {
    "logistic": {},
    "ridge": {},
    "mlp": {},
    "xgboost": {**FEW_TREES, "min_child_weight": 20.0},
    "lightgbm": {**FEW_TREES, "num_leaves": 7, "min_child_samples": 100},
}
"""Smaller figures than those of a model on features: a meta-learner has few columns, and members that know most of it."""
OWN: Mapping[str, type[BaseModel]] = {model_class.name: model_class for model_class in (Ridge, Perceptron)}
"""Meta-learners that are no models of the registry."""
OF_TREES = ("xgboost", "lightgbm")
"""Meta-learners that read the probabilities as they are; the others read log-ratios."""


class StackingConfig(ModelConfig):
    """Settings of stacking."""

    meta_learner: MetaLearner = setting(
        "logistic", "logistic | ridge | mlp | xgboost | lightgbm, on the members' answers."
    )
    learner: dict[str, Any] = setting({}, "hyper-parameters of the meta-learner that differ from stacking's own")
    meta_features: tuple[MetaFeature, ...] = setting(
        (), "Further columns: confidence, entropy, margin, agreement of the members; volatility and trend regime."
    )
    context_features: tuple[str, ...] = setting((), "Feature columns that the meta-learner reads beside the members.")


@ModelRegistry.register()
class Stacking(EnsembleModel):
    """Stacked generalisation (Wolpert 1992) on out-of-fold probabilities of members of any families."""

    Config = StackingConfig
    native_suffix = ".json"

    learner: BaseModel
    scaler: Scaler

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._new_learner()  # a bad `learner` is refused before any member is fitted

    @property
    def seeded(self) -> bool:
        """As the meta-learner is."""
        return self._new_learner().seeded

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Regimes and the selected features."""
        regimes = (column for name, column in REGIMES.items() if name in self.config.meta_features)
        return tuple(dict.fromkeys((*regimes, *self.config.context_features)))

    def _new_learner(self) -> BaseModel:
        name = self.config.meta_learner
        model_class = OWN.get(name) or ModelRegistry.model_class(name)
        return model_class({**LEARNERS[name], **self.config.learner}, seed=self.seed, threads=self.threads)

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self.members = members_of(self.feature_names)
        refuse_other_columns(self.feature_names, self.members, self.context_columns, self.name)
        refuse_other_than_probabilities(member_probabilities(train.X, self.feature_names, self.members), self.members)
        self.learner, columns = self._new_learner(), self._columns(train.X)
        self.scaler = Scaler.fit(self.learner.input_spec.scaling, columns)
        stop = None if val is None else self._learner_samples(val, self._columns(val.X))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingClassWarning)  # this model has said so
            metrics = self.learner.fit(self._learner_samples(train, columns), stop, sink=sink)
        return FitReport(metrics.epochs_trained, metrics.best_epoch, metrics.early_stopped, metrics.history)

    def _columns(self, X: np.ndarray) -> np.ndarray:
        """What the meta-learner reads, unscaled: `(n, columns)`."""
        probabilities = member_probabilities(X, self.feature_names, self.members)
        base = plain_probabilities if self.config.meta_learner in OF_TREES else log_ratios
        made = [META_FEATURES[name](probabilities) for name in META_FEATURES if name in self.config.meta_features]
        context = context_values(X, self.feature_names, self.context_columns)
        return np.column_stack([base(probabilities), *made, context]).astype(np.float32)

    def _learner_samples(self, samples: Samples, columns: np.ndarray) -> Samples:
        names = tuple(f"c{place}" for place in range(columns.shape[1]))
        return replace(samples, X=self.scaler.apply(columns), feature_names=names)

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        found = self.learner.predict(self.scaler.apply(self._columns(X))).class_probabilities
        return found[:, : self.class_count]

    def check_sound(self, where: str) -> None:
        """Refuse a learner that is not sound (DataError, 65)."""
        self.learner.check_sound(where)

    def _save(self, path: Path) -> None:
        write_json(path, {"members": list(self.members), "scaler": self.scaler.plain()})
        self.learner.save(_learner_path(path))

    def _load(self, path: Path) -> None:
        stored = read_json(path)
        self.members, self.scaler = tuple(stored["members"]), Scaler.from_plain(stored["scaler"])
        self.learner = self._new_learner()
        beside = _learner_path(path)
        with told_as_damage(beside.with_name(beside.name + self.learner.native_suffix)):
            self.learner.load(beside)


def _learner_path(path: Path) -> Path:
    """`best_model.json` and `best_model.learner.*` stand side by side."""
    return path.with_name(f"{path.stem}.learner")
