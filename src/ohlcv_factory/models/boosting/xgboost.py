"""XGBoost: gradient boosted trees of limited depth, found on histograms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models._sound_trees import refuse_unsound, xgboost_trees
from ohlcv_factory.models._trees import (
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
from ohlcv_factory.storage.atomic import write_with

REQUIRES = ("xgboost",)


class XGBoostConfig(ChunkedConfig):
    """Settings of XGBoost."""

    min_child_weight: float = setting(
        10.0,
        "least sum of second derivatives in a leaf",
        ge=0,
        search=Search(1.0, 50.0, log=True),
        source="specification",
    )
    gamma: float = setting(
        0.1, "least gain of a split", ge=0, search=Search(1e-3, 5.0, log=True), source="specification"
    )


@ModelRegistry.register()
class XGBoost(BaseModel):
    """XGBoost (Chen and Guestrin 2016) on its native interface, predicting with exactly the best number of rounds."""

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal")
    Config = XGBoostConfig
    native_suffix = ".ubj"
    rounds_field = "fixed_rounds"
    resumable = True
    shape_decides = True

    _booster: Any = None

    def check_ready(self) -> None:
        """Refuse a device that is not there (DeviceError, 69)."""
        refuse_absent_device(self.config.device, self.name)

    def check_sound(self, where: str) -> None:
        """Refuse trees that do not lead every row to a leaf (DataError, 65)."""
        refuse_unsound(xgboost_trees(self._booster), len(self.feature_names), where)

    def get_feature_importance(self) -> dict[str, float] | None:
        """Total gain of each feature's splits, as a share of all gain."""
        gains = self._booster.get_score(importance_type="total_gain")
        return importance_shares(
            self.feature_names, np.array([gains.get(f"f{column}", 0.0) for column in range(len(self.feature_names))])
        )

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        xgboost = import_extra("xgboost", "boosting")
        config: XGBoostConfig = self.config
        rounds = planned_rounds(config.n_estimators, config.fixed_rounds, val is not None)
        log = RoundLog(rounds, config.early_stopping_rounds, sink)
        grower = _Grower(xgboost, self._parameters(xgboost), train, val)
        report = boost(self, grower, log)
        self._booster = grower.booster[: log.rounds_to_keep]
        self._booster.set_param({"device": "cpu"})
        return report

    def _parameters(self, xgboost: ModuleType) -> dict[str, Any]:
        config: XGBoostConfig = self.config
        has_cuda = bool(xgboost.build_info().get("USE_CUDA"))
        self.device_used = chosen_device(config.device, self.name, lambda: has_cuda)
        return {
            "objective": "multi:softprob",
            "eval_metric": "mlogloss",
            "num_class": self.class_count,
            "tree_method": "hist",
            "device": self.device_used,
            "nthread": self.threads,
            "verbosity": 0,
            "learning_rate": config.learning_rate,
            "max_depth": config.max_depth,
            "min_child_weight": config.min_child_weight,
            "gamma": config.gamma,
            "subsample": config.subsample,
            "colsample_bytree": config.colsample_bytree,
            "reg_alpha": config.reg_alpha,
            "reg_lambda": config.reg_lambda,
        }

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self._booster.inplace_predict(X, validate_features=False))

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        xgboost = import_extra("xgboost", "boosting")
        rows = xgboost.DMatrix(X, nthread=self.threads_for(len(X)))
        return contributions(self, self._booster.predict(rows, pred_contribs=True, strict_shape=True))

    def _save(self, path: Path) -> None:
        write_with(path, self._booster.save_model)

    def _load(self, path: Path) -> None:
        xgboost = import_extra("xgboost", "boosting")
        self._booster = xgboost.Booster({"nthread": self.threads, "verbosity": 0}, model_file=path)


class _Grower:
    """One booster, its quantised training rows and its stop rows; the rows are quantised once for all chunks."""

    def __init__(self, xgboost: ModuleType, parameters: dict[str, Any], train: Samples, val: Samples | None) -> None:
        self.xgboost, self.parameters = xgboost, parameters
        self.train_rows = self._matrix(train, None)
        self.evaluated = [] if val is None else [(self._matrix(val, self.train_rows), "stop")]
        self.booster: Any = None

    def grow(self, rounds: int, seed: int, on_round: Callable[[float | None], bool]) -> None:
        """Add up to `rounds` rounds to the booster."""
        self.booster = self.xgboost.train(
            {**self.parameters, "seed": seed},
            self.train_rows,
            rounds,
            evals=self.evaluated,
            xgb_model=self.booster,
            callbacks=[_round_callback(self.xgboost, on_round)],
            verbose_eval=False,
        )

    def save(self, path: Path) -> None:
        """Write the booster as UBJ."""
        self.booster.save_model(path)

    def load(self, path: Path) -> None:
        """Continue from UBJ."""
        self.booster = self.xgboost.Booster(self.parameters, model_file=path)

    def _matrix(self, samples: Samples, reference: Any) -> Any:
        columns = {"label": samples.y, "weight": samples.weight, "nthread": self.parameters["nthread"]}
        return self.xgboost.QuantileDMatrix(samples.X, ref=reference, **columns)


def _round_callback(xgboost: ModuleType, on_round: Callable[[float | None], bool]) -> Any:
    class RoundCallback(xgboost.callback.TrainingCallback):  # type: ignore[name-defined, misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return on_round(evals_log["stop"]["mlogloss"][-1] if evals_log else None)

    return RoundCallback()
