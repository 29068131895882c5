"""CatBoost: gradient boosted symmetric trees with ordered statistics."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.models._trees import (
    BoostingConfig,
    BoostingModel,
    RoundLog,
    chosen_device,
    contributions,
    planned_rounds,
)
from ohlcv_factory.models.base import EpochSink, FitReport, SilentSink, importance_shares
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.storage.atomic import storage_errors, write_with

REQUIRES = ("catboost",)
LOSS = "MultiClass"
SNAPSHOT = "model.cbsnapshot"
SNAPSHOT_SECONDS = 30
"""Whole seconds between snapshots; how many there are changes no bytes of the model."""


class CatBoostConfig(BoostingConfig):
    """Settings of CatBoost."""

    iterations: int = setting(500, "most rounds to train", ge=1, le=20_000, source="specification")
    depth: int = setting(6, "depth of each symmetric tree", ge=1, le=16, search=Search(3, 10), source="specification")
    l2_leaf_reg: float = setting(
        3.0, "L2 penalty on leaf values", ge=0, search=Search(0.1, 30.0, log=True), source="specification"
    )
    random_strength: float = setting(
        1.0, "noise added to the score of each split", ge=0, search=Search(0.0, 10.0), source="specification"
    )
    bagging_temperature: float = setting(
        1.0,
        "spread of the Bayesian bootstrap's weights; 0 gives all rows weight 1",
        ge=0,
        search=Search(0.0, 2.0),
        source="specification",
    )
    use_best_model: bool = setting(
        True,
        "cut at the best round; false keeps every round trained; acts where there are stop rows",
        source="specification",
    )

    refused: ClassVar[dict[str, str]] = {
        **BoostingConfig.refused,
        "cat_features": "all features are numbers",
        "subsample": "rows are drawn by the Bayesian bootstrap: use bagging_temperature",
    }
    trainer_aliases: ClassVar[dict[str, str]] = {
        "max_epochs": "iterations",
        "early_stopping_patience": "early_stopping_rounds",
    }


@ModelRegistry.register()
class CatBoost(BoostingModel):
    """CatBoost (Prokhorenkova et al. 2018), trained in one call with its own stopping rule.

    A checkpoint is CatBoost's own snapshot, which it writes every `SNAPSHOT_SECONDS`: it holds the state of its random
    draws, so that a fit that continues from it has the same bytes.
    """

    Config = CatBoostConfig
    native_suffix = ".cbm"

    def get_feature_importance(self) -> dict[str, float] | None:
        """How much predictions change with each feature (CatBoost's PredictionValuesChange), as a share."""
        return importance_shares(self.feature_names, np.asarray(self._booster.get_feature_importance()))

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        catboost = import_extra("catboost", "boosting")
        config: CatBoostConfig = self.config
        rounds = planned_rounds(config.iterations, config.fixed_rounds, val is not None)
        parameters = self._parameters(catboost, rounds)
        if val is not None:
            parameters |= {
                "use_best_model": config.use_best_model,
                "od_type": "Iter",
                "od_wait": config.early_stopping_rounds,
            }
        on_cpu = parameters["task_type"] == "CPU"  # CatBoost calls nobody back from a GPU
        with _snapshots(sink.scratch_folder() if on_cpu else None, self.resume_from) as snapshots:
            self._booster = catboost.CatBoost(parameters | snapshots.parameters())
            callback = _RoundCallback(rounds, sink, snapshots)
            pools = _pool(catboost, train), None if val is None else _pool(catboost, val)
            try:
                self._booster.fit(pools[0], eval_set=pools[1], callbacks=[callback] if on_cpu else None)
            except catboost.CatBoostError as error:
                callback.raise_what_stopped(error)
                raise
            callback.raise_what_stopped()
        log = RoundLog(rounds, config.early_stopping_rounds, SilentSink() if on_cpu else sink)
        _read_rounds(self._booster.get_evals_result(), log)
        return log.report()

    def _parameters(self, catboost: ModuleType, rounds: int) -> dict[str, Any]:
        config: CatBoostConfig = self.config
        self.device_used = chosen_device(config.device, self.name, lambda: catboost.utils.get_gpu_device_count() > 0)
        return {
            "loss_function": LOSS,
            "classes_count": self.class_count,
            "task_type": {"cpu": "CPU", "cuda": "GPU"}[self.device_used],
            "thread_count": self.threads,
            "random_seed": component_seed(self.seed, self.name),
            "logging_level": "Silent",
            "iterations": rounds,
            "learning_rate": config.learning_rate,
            "depth": config.depth,
            "l2_leaf_reg": config.l2_leaf_reg,
            "random_strength": config.random_strength,
            "bootstrap_type": "Bayesian",
            "bagging_temperature": config.bagging_temperature,
        }

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        threads = self.threads_for(len(X))
        return np.asarray(self._booster.predict(X, prediction_type="Probability", thread_count=threads))

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        catboost = import_extra("catboost", "boosting")
        threads = self.threads_for(len(X))
        found = self._booster.get_feature_importance(catboost.Pool(X), type="ShapValues", thread_count=threads)
        return contributions(self, np.asarray(found))

    def _save(self, path: Path) -> None:
        write_with(path, lambda temporary: self._booster.save_model(str(temporary), format="cbm"))

    def _load(self, path: Path) -> None:
        catboost = import_extra("catboost", "boosting")
        self._booster = catboost.CatBoost()
        self._booster.load_model(str(path), format="cbm")


@dataclass
class _Snapshots:
    """The folder that CatBoost writes its snapshot to; None where nothing is to be written."""

    folder: Path | None
    seen: int = 0

    def parameters(self) -> dict[str, Any]:
        """What CatBoost is to be told of it."""
        if self.folder is None:
            return {"allow_writing_files": False}
        snapshots = {"save_snapshot": True, "snapshot_file": SNAPSHOT, "snapshot_interval": SNAPSHOT_SECONDS}
        return {"allow_writing_files": True, "train_dir": str(self.folder), **snapshots}

    def is_new(self) -> bool:
        """Whether another snapshot was written since the last call."""
        if self.folder is None or not (self.folder / SNAPSHOT).is_file():
            return False
        before, self.seen = self.seen, (self.folder / SNAPSHOT).stat().st_mtime_ns
        return self.seen != before

    def save(self, folder: Path) -> None:
        """Put the snapshot into a checkpoint."""
        assert self.folder is not None
        source = self.folder / SNAPSHOT

        def copy(temporary: Path) -> None:
            shutil.copyfile(source, temporary)

        write_with(folder / SNAPSHOT, copy)


@contextmanager
def _snapshots(folder: Path | None, resume_from: Path | None) -> Iterator[_Snapshots]:
    """A fresh folder, with the snapshot to continue from in it where there is one; removed afterwards."""
    if folder is None:
        yield _Snapshots(None)
        return
    with storage_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if resume_from is not None:
            shutil.copyfile(resume_from / SNAPSHOT, folder / SNAPSHOT)
    snapshots = _Snapshots(folder)
    snapshots.is_new()
    try:
        yield snapshots
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _RoundCallback:
    """Tells the sink of each round and of each new snapshot; CatBoost itself decides when to stop.

    CatBoost turns an exception in here into text: it is kept, the training ended, and then raised as it was.
    """

    def __init__(self, rounds: int, sink: EpochSink, snapshots: _Snapshots) -> None:
        self.rounds, self.sink, self.snapshots = rounds, sink, snapshots
        self.stopped_by: BaseException | None = None

    def after_iteration(self, info: Any) -> bool:
        """Called by CatBoost after each round; True means go on."""
        try:
            self._tell(int(info.iteration), info.metrics.get("validation"))
        except BaseException as error:
            self.stopped_by = error
        return self.stopped_by is None

    def raise_what_stopped(self, error: Exception | None = None) -> None:
        """Raise what ended the training from in here; a Ctrl-C may also be in CatBoost's own words."""
        if self.stopped_by is not None:
            raise self.stopped_by
        if error is not None and "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from None

    def _tell(self, done: int, stop: Any) -> None:
        losses = {"val_loss": float(stop[LOSS][-1])} if stop else {}
        self.sink.on_epoch(done, self.rounds, losses)
        if done < self.rounds and self.snapshots.is_new():  # after the last one nothing is left to continue
            self.sink.on_checkpoint(done, losses.get("val_loss", -float(done)), self.snapshots.save)


def _pool(catboost: ModuleType, samples: Samples) -> Any:
    return catboost.Pool(samples.X, samples.y.astype(np.int32), weight=samples.weight)


def _read_rounds(results: dict[str, Any], log: RoundLog) -> None:
    stop = results.get("validation", {}).get(LOSS)
    for loss in stop or [None] * len(results["learn"][LOSS]):
        log.add(loss)
