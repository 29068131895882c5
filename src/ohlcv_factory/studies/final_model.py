"""The model of a cross-validation: fitted on the whole train part, calibrated on all out-of-fold rows, kept as a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.calibration import Choice, choose_calibrator
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import write_json
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.fitting import Fit, fit_pipeline
from ohlcv_factory.training.reference import reference_question
from ohlcv_factory.training.scoring import Scores, score_part
from ohlcv_factory.training.settings import TrainerConfig

FINAL_FOLDER = "final"
KIND = "final_model"
CALIBRATION = Path("metrics") / "pooled_calibration.json"
PART = "val"
"""The part that it is scored on: its calibrator knows every row of train."""


@dataclass(frozen=True)
class FinalModel:
    """A final model as it was left."""

    folder: Path
    """A bundle: `predict FOLDER BARS`."""
    evaluation: dict[str, Any]
    """As of a run: scores, baselines and verdict on val."""
    calibration: dict[str, Any]
    """`pooled_calibration.json`: kind, rows that it was fitted on, the inner calibrator that it stands in for."""

    def facts(self) -> dict[str, Any]:
        """What the study's numbers hold of it: all but times, which differ from machine to machine; JSON-ready."""
        scores = {name: value for name, value in self.evaluation.items() if name not in ("timestamp", "training")}
        return {"folder": FINAL_FOLDER, "calibration": self.calibration, **scores}


def fit_final_model(
    study: Path,
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    found: Predictions,
    covered: np.ndarray,
    judge: Callable[[Scores], Scores],
    now: datetime,
) -> FinalModel:
    """Fit on train, calibrate on the scored ones of `found`, score val, and leave the bundle `final/` in the study.

    `found` are out-of-fold predictions of the container's rows `covered`, `(n,)`, each by a model that never saw it.
    `judge` weighs scores by what the ledger knows. The calibrator of the fit's own inner rows is replaced.
    """
    fit = fit_pipeline(config, container)
    choice = pooled_calibrator(config, container, found, covered)
    calibration = {
        "method": choice.method,
        "rows": int(found.scored.sum()),
        "losses": choice.losses,
        "calibrator": choice.calibrator.plain(),
        "inner_calibrator": fit.pipeline.calibrator.plain(),
    }
    fit = replace(fit, pipeline=replace(fit.pipeline, calibrator=choice.calibrator))
    predictions = fit.pipeline.predict(container, container.rows(PART))
    scores = judge(score_part(PART, predictions, container, seed=config.random_seed, rule=fit.pipeline.rule))
    evaluation = artifacts.evaluation_block(config, now, fit, scores)
    with atomic.whole_folder(study / FINAL_FOLDER) as folder:
        _write_bundle(folder, config, container, fit)
        artifacts.write_predictions(folder, PART, predictions, scores)
        artifacts.write_evaluation_metrics(folder, evaluation)
        write_json(folder / CALIBRATION, calibration)
        artifacts.write_manifest(folder, config, fit.pipeline, container, kind=KIND)
    return FinalModel(study / FINAL_FOLDER, evaluation, calibration)


def pooled_calibrator(
    config: TrainerConfig, container: TimeSeriesDataContainer, found: Predictions, covered: np.ndarray
) -> Choice:
    """The calibrator of the kind that the config asks for, on the raw probabilities of all scored out-of-fold rows."""
    rows = covered[found.scored]
    labels, time_ns = container.labels, container.index["time_ns"][rows]
    raw = found.raw[found.scored]
    return choose_calibrator(config.calibration, raw, labels.label[rows], time_ns, labels.scheduled_end_ns[rows])


def _write_bundle(folder: Path, config: TrainerConfig, container: TimeSeriesDataContainer, fit: Fit) -> None:
    artifacts.write_model(folder, fit, reference_question(fit.pipeline, container))
    artifacts.write_model_config(folder, fit.pipeline.model)
    artifacts.write_feature_config(folder, config, fit.pipeline, container)
    artifacts.write_training_metrics(folder, fit)
