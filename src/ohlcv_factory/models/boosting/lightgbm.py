"""LightGBM: gradient boosted trees grown leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models._sound_trees import lightgbm_trees, refuse_unsound
from ohlcv_factory.models._trees import (
    BoostingConfig,
    ChunkedConfig,
    RoundLog,
    boost,
    chosen_device,
    contributions,
    planned_rounds,
    refuse_absent_device,
)
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, importance_shares
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.storage.atomic import write_text

REQUIRES = ("lightgbm",)
SILENT = {"verbosity": -1}


class LightGBMConfig(ChunkedConfig):
    """Settings of LightGBM."""

    num_leaves: int = setting(
        31, "most leaves of a tree", ge=2, le=131_072, search=Search(8, 128, log=True), source="specification"
    )
    min_child_samples: int = setting(
        20, "least rows in a leaf", ge=1, search=Search(5, 200, log=True), source="specification"
    )

    refused: ClassVar[dict[str, str]] = {
        **BoostingConfig.refused,
        "boosting_type": "always gbdt: dart and rf cannot be cut at the best round",
        "is_unbalance": "it changes nothing for three classes; sample weights balance them",
    }


@ModelRegistry.register()
class LightGBM(BaseModel):
    """LightGBM (Ke et al. 2017) on its native interface, predicting with exactly the best number of rounds."""

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal")
    Config = LightGBMConfig
    native_suffix = ".txt"
    rounds_field = "fixed_rounds"
    resumable = True
    shape_decides = True

    _booster: Any = None

    def check_ready(self) -> None:
        """Refuse a device that is not there (DeviceError, 69)."""
        refuse_absent_device(self.config.device, self.name)

    def check_sound(self, where: str) -> None:
        """Refuse trees that do not lead every row to a leaf (DataError, 65)."""
        refuse_unsound(lightgbm_trees(self._booster), len(self.feature_names), where)

    def get_feature_importance(self) -> dict[str, float] | None:
        """Total gain of each feature's splits, as a share of all gain."""
        return importance_shares(self.feature_names, self._booster.feature_importance("gain"))

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        lightgbm = import_extra("lightgbm", "boosting")
        config: LightGBMConfig = self.config
        rounds = planned_rounds(config.n_estimators, config.fixed_rounds, val is not None)
        log = RoundLog(rounds, config.early_stopping_rounds, sink)
        grower = _Grower(lightgbm, self._parameters(lightgbm), train, val)
        report = boost(self, grower, log)
        kept = grower.booster.model_to_string(num_iteration=log.rounds_to_keep)
        self._booster = lightgbm.Booster(model_str=kept)  # as after a load, and free of the training rows
        return report

    def _parameters(self, lightgbm: ModuleType) -> dict[str, Any]:
        config: LightGBMConfig = self.config
        self.device_used = chosen_device(config.device, self.name, lambda: _trains_on_cuda(lightgbm))
        return {
            **SILENT,
            "objective": "multiclass",
            "metric": "multi_logloss",
            "num_class": self.class_count,
            "device_type": self.device_used,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "learning_rate": config.learning_rate,
            "max_depth": config.max_depth,
            "num_leaves": config.num_leaves,
            "min_data_in_leaf": config.min_child_samples,
            "bagging_fraction": config.subsample,
            "bagging_freq": 1,  # without it bagging_fraction has no effect
            "feature_fraction": config.colsample_bytree,
            "lambda_l1": config.reg_alpha,
            "lambda_l2": config.reg_lambda,
        }

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self._booster.predict(X, num_threads=self.threads_for(len(X)), validate_features=False))

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        found = self._booster.predict(
            X, pred_contrib=True, num_threads=self.threads_for(len(X)), validate_features=False
        )
        return contributions(self, np.asarray(found).reshape(len(X), self.class_count, -1))

    def _save(self, path: Path) -> None:
        write_text(path, self._booster.model_to_string())

    def _load(self, path: Path) -> None:
        lightgbm = import_extra("lightgbm", "boosting")
        self._booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))


class _Grower:
    """One booster, its binned training rows and its stop rows; the rows are binned once for all chunks."""

    def __init__(self, lightgbm: ModuleType, parameters: dict[str, Any], train: Samples, val: Samples | None) -> None:
        self.lightgbm, self.parameters = lightgbm, parameters
        self.train_rows = self._dataset(train, None)
        self.stop_rows = None if val is None else [self._dataset(val, self.train_rows)]
        self.booster: Any = None

    def grow(self, rounds: int, seed: int, on_round: Callable[[float | None], bool]) -> None:
        """Add up to `rounds` rounds to the booster."""
        self.booster = self.lightgbm.train(
            {**self.parameters, "seed": seed},
            self.train_rows,
            rounds,
            valid_sets=self.stop_rows,
            init_model=self.booster,
            keep_training_booster=True,
            callbacks=[_round_callback(self.lightgbm, on_round)],
        )

    def save(self, path: Path) -> None:
        """Write the booster as text."""
        self.booster.save_model(path)

    def load(self, path: Path) -> None:
        """Continue from text."""
        self.booster = self.lightgbm.Booster(model_file=path)

    def _dataset(self, samples: Samples, reference: Any) -> Any:
        kept = {"params": self.parameters, "free_raw_data": False}  # the next chunk starts from scores on raw rows
        return self.lightgbm.Dataset(samples.X, samples.y, weight=samples.weight, reference=reference, **kept)


def _round_callback(lightgbm: ModuleType, on_round: Callable[[float | None], bool]) -> Callable[[Any], None]:
    def after_iteration(state: Any) -> None:
        results = state.evaluation_result_list
        if on_round(results[0].metric_value if results else None):
            raise lightgbm.EarlyStopException(state.iteration, results)

    return after_iteration


def _trains_on_cuda(lightgbm: ModuleType) -> bool:
    """Whether this build of LightGBM can train on the graphics card: only trying tells."""
    rows = lightgbm.Dataset(np.arange(64, dtype=np.float32).reshape(-1, 1), np.arange(64) % 2, params=SILENT)
    try:
        lightgbm.train({**SILENT, "objective": "binary", "device_type": "cuda"}, rows, 1)
    except lightgbm.basic.LightGBMError:
        return False
    return True
