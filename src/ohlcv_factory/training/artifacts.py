"""What a run folder holds, and how each file is written: the specification's layout, safe formats only."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features.plugins import PluginRecord
from ohlcv_factory.features.sets import feature_set
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.clock import Clock, utc_text
from ohlcv_factory.runtime.hardware import machine
from ohlcv_factory.runtime.memory import peak_bytes
from ohlcv_factory.runtime.packages import library_versions
from ohlcv_factory.runtime.threads import declared_threads, thread_count
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.cache import remember
from ohlcv_factory.storage.digests import code_digest
from ohlcv_factory.storage.formats import write_array, write_canonical, write_json, write_settings
from ohlcv_factory.storage.manifests import file_entries
from ohlcv_factory.storage.parquet import write_table
from ohlcv_factory.storage.run_state import FAILED, FINISHED, INTERRUPTED, RUNNING, StateFile, heartbeat, told
from ohlcv_factory.training.bundle import (
    BEST_MODEL,
    CALIBRATOR,
    DECISION,
    FEATURE_CONFIG,
    MANIFEST,
    MODEL_CONFIG,
    SCALER,
    SELECTION,
    TRAINING_RANGE,
)
from ohlcv_factory.training.ensemble import FittedEnsemble
from ohlcv_factory.training.fitting import Fit
from ohlcv_factory.training.importance import importance_frame
from ohlcv_factory.training.machine import chosen_for_machine
from ohlcv_factory.training.pipeline import FittedPipeline, Question
from ohlcv_factory.training.plots import plot_confusion_matrix, plot_feature_importance, plot_training_curves
from ohlcv_factory.training.reference import REFERENCE, Reference
from ohlcv_factory.training.run_manifest import RUN_SCHEMA_VERSION, model_facts
from ohlcv_factory.training.scoring import Scores
from ohlcv_factory.training.settings import MODEL_SETTINGS, TrainerConfig

TAGS = "tags.json"
"""What people call a run; like the state no part of what its manifest vouches for."""
TRAINING_METRICS = Path("metrics") / "training_metrics.json"
START = Path("config") / "start.json"
"""Data and settings that the run began with."""


class RunLog(logging.Handler):
    """`logs/training.log`: one line per event, with its UTC time; what models log goes there too."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(level=logging.INFO)
        self.path, self.clock = path, clock
        path.parent.mkdir(parents=True, exist_ok=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Append what a module of the factory logged."""
        self.write(record.getMessage())

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take in everything that the factory's modules log meanwhile."""
        logger = logging.getLogger("ohlcv_factory")
        level = logger.level
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.setLevel(level)

    def write(self, text: str) -> None:
        """Append one line."""
        with atomic.storage_errors(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{utc_text(self.clock())} {text}\n")


@contextmanager
def attempt_at_work(state: StateFile, log: RunLog) -> Iterator[None]:
    """`state.json` says RUNNING meanwhile, and afterwards FINISHED, or FAILED or INTERRUPTED and why.

    The caller holds the folder's lock. What killed processes left half-written is removed first, and so is the manifest
    of an attempt that failed after it: a folder that is worked on is not complete.
    """
    atomic.remove_partial(state.folder)
    (state.folder / MANIFEST).unlink(missing_ok=True)
    with heartbeat(state):
        try:
            state.write(RUNNING)
            yield
            state.write(FINISHED)
        except BaseException as error:
            _note_end(state, log, error)
            raise


def _note_end(state: StateFile, log: RunLog, error: BaseException) -> None:
    """Write down what ended an attempt, as far as the disk lets it: the error itself is what the user must see."""
    facts = told(error)
    with suppress(OSError):
        state.write(INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED, facts)
    with suppress(OSError):
        log.write(f"stopped at {utc_text(state.clock())}: {facts['type']}: {facts['message']}")


def repeatable_config(config: TrainerConfig, model: BaseModel) -> dict[str, Any]:
    """The settings of a run with every hyper-parameter spelled out: training from them repeats the run.

    Where it is tracked is none of them: it decides nothing.
    """
    plain = {name: value for name, value in config.plain().items() if name != "experiment"}
    for name in MODEL_SETTINGS:
        plain[name] = None
    return {**plain, "model": model.config.plain()}


def tracking_key(config: TrainerConfig) -> dict[str, Any]:
    """`experiment:` of a recipe, where the run is tracked."""
    return {} if config.experiment is None else {"experiment": config.experiment.plain()}


def write_configs(folder: Path, config: TrainerConfig, model: BaseModel, container: TimeSeriesDataContainer) -> None:
    """`training_config.yaml` (a recipe that repeats the run), `model_config.yaml`, and what a resume is checked by."""
    recipe = {
        **repeatable_config(config, model),
        **tracking_key(config),
        "dataset": container.origin,
        "symbol": container.symbol,
        "plugins": plugin_files(model, container),
        "threads": model.threads,
    }
    write_settings(folder / "config" / "training_config.yaml", recipe)
    write_model_config(folder, model)
    write_start(folder, repeatable_config(config, model), container)


def write_start(folder: Path, settings: Mapping[str, Any], container: TimeSeriesDataContainer, **more: str) -> None:
    """Data and settings that a run begins with: what a resume is checked by; `more` is what it must find again."""
    write_json(folder / START, {"data_fingerprint": container.fingerprint, "settings": settings, **more})


def write_model_config(folder: Path, model: BaseModel) -> None:
    """`model_config.yaml`: every hyper-parameter, what the machine chose, and where a model of the user's own comes from."""
    facts = {"model_name": model.name, "model_family": model.family, "seed": model.seed, **model.config.plain()}
    chosen = chosen_for_machine(model)
    facts |= {"chosen_for_machine": chosen} if chosen else {}
    origin = ModelRegistry.origin(model.name)
    facts |= {"plugin": asdict(origin)} if origin else {}
    write_settings(folder / MODEL_CONFIG, facts)


def plugin_files(model: BaseModel, container: TimeSeriesDataContainer) -> list[str]:
    """The files that a recipe must name again: those of the columns and of the model."""
    records = [PluginRecord.from_plain(record) for record in container.data_spec["plugins"]]
    origins = [*(record.origin for record in records), ModelRegistry.origin(model.name)]
    return list(dict.fromkeys(origin.place for origin in origins if origin and origin.is_file))


def write_feature_config(
    folder: Path, config: TrainerConfig, pipeline: FittedPipeline, container: TimeSeriesDataContainer
) -> None:
    """`feature_config.yaml`: the columns in order, their scaling, and what computing them from raw bars needs."""
    spec = pipeline.model.input_spec
    chosen = feature_set(config.feature_set or spec.feature_set, config.feature_sets)
    facts = {
        "feature_set": chosen.name,
        "feature_set_version": chosen.version,
        "feature_set_digest": chosen.digest,
        "columns": list(pipeline.columns),
        "scaling": pipeline.scaler.kind,
        "layout": spec.layout,
        "data": container.data_spec,
    }
    write_settings(folder / FEATURE_CONFIG, facts)


def write_ensemble_features(
    folder: Path, ensemble: FittedEnsemble, places: Mapping[str, list[str]], container: TimeSeriesDataContainer
) -> None:
    """`feature_config.yaml` of an ensemble: columns of all members, and where each member's bundles lie in the run."""
    facts = {
        "feature_set": "those of the members",
        "columns": list(ensemble.columns),
        "scaling": "by member",
        "layout": ensemble.model.input_spec.layout,
        "members": {name: list(found) for name, found in places.items()},
        "context": list(ensemble.context),
        "data": container.data_spec,
    }
    write_settings(folder / FEATURE_CONFIG, facts)


def write_model(folder: Path, fit: Fit, asked: Question) -> None:
    """`checkpoints/best_model.*`, scaler, calibrator and decision rule; where columns were selected, which ones and why.

    A few rows of `asked` are kept with the answers, for the self-test of whoever loads the model.
    """
    pipeline = fit.pipeline
    if fit.selection.method != "none":
        write_json(folder / SELECTION, fit.selection.plain())
    pipeline.model.save(folder / BEST_MODEL)
    write_json(folder / SCALER, pipeline.scaler.plain())
    write_json(folder / CALIBRATOR, pipeline.calibrator.plain())
    write_json(folder / DECISION, pipeline.rule.plain())
    assert fit.training_range is not None
    write_json(folder / TRAINING_RANGE, fit.training_range.plain())
    Reference.of(pipeline, asked).write(folder / REFERENCE)


def write_predictions(
    folder: Path, part: str, predictions: Predictions, scores: Scores, fold: np.ndarray | None = None
) -> None:
    """Predictions, probabilities, trades and the marked-to-market path of one part; with the fold of each row, if given."""
    target = folder / "predictions"
    frame = predictions.frame
    if fold is not None:
        frame = frame.with_columns(fold=fold)
    write_table(target / f"{part}_predictions.parquet", frame)
    write_array(target / f"{part}_probabilities.npy", predictions.probabilities)
    write_table(target / f"{part}_path.parquet", scores.path_frame)
    write_table(target / f"{part}_trades.parquet", scores.trades_frame)


def write_training_metrics(folder: Path, fit: Fit) -> None:
    """`training_metrics.json`: the fit's metrics and curves, rows of each inner part, notes, checkpoints it began with."""
    facts = {
        **asdict(fit.metrics),
        "rows": fit.row_counts,
        "notes": list(fit.notes),
        "calibrator": fit.pipeline.calibrator.plain(),
    }
    pretraining = [each.plain() for each in fit.pipeline.model.pretraining]
    facts |= {"pretraining": pretraining} if pretraining else {}
    write_json(folder / TRAINING_METRICS, facts)


def evaluation_block(config: TrainerConfig, now: datetime, fit: Fit, scores: Scores) -> dict[str, Any]:
    """The `evaluation_metrics` block of the specification's schema, with baselines, thresholds and verdict beside it."""
    return {
        "horizon": config.horizon,
        "model_name": config.model_name,
        "timestamp": utc_text(now),
        "part": scores.part,
        "rows": scores.rows,
        **scores.block,
        "training": {
            "epochs_trained": fit.metrics.epochs_trained,
            "best_epoch": fit.metrics.best_epoch,
            "training_time_seconds": fit.metrics.training_time_seconds,
            "early_stopped": fit.metrics.early_stopped,
        },
    }


def write_evaluation_metrics(folder: Path, evaluation: Mapping[str, Any]) -> None:
    """`evaluation_metrics.json`."""
    write_json(folder / "metrics" / "evaluation_metrics.json", {"evaluation_metrics": evaluation})


def write_importance(folder: Path, model: BaseModel) -> None:
    """`feature_importance.json`, where the model has one."""
    frame = importance_frame(model)
    if frame is not None:
        write_json(folder / "metrics" / "feature_importance.json", frame.to_dicts())


def write_plots(folder: Path, fit: Fit, evaluation: Mapping[str, Any]) -> None:
    """The three pictures; importance only where the model has one."""
    plots = folder / "plots"
    plot_training_curves(plots / "training_curves.png", fit.metrics)
    plot_confusion_matrix(plots / "confusion_matrix.png", evaluation["classification"]["confusion_matrix"])
    frame = importance_frame(fit.pipeline.model)
    if frame is not None:
        plot_feature_importance(plots / "feature_importance.png", frame)


def write_manifest(
    folder: Path,
    config: TrainerConfig,
    pipeline: FittedPipeline,
    container: TimeSeriesDataContainer,
    *,
    kind: str = "run",
) -> None:
    """`manifest.json`, written last: its presence means that the run is complete."""
    manifest = {
        "format": RUN_SCHEMA_VERSION,
        "kind": kind,
        "run_id": folder.name,
        "device": pipeline.model.device_used,
        **origin_facts(config, pipeline.model, container),
        **model_facts(pipeline),
        "files": file_entries(folder),
    }
    seal(folder, manifest)


def origin_facts(config: TrainerConfig, model: BaseModel, container: TimeSeriesDataContainer) -> dict[str, Any]:
    """What the manifests of runs and studies say of where they come from: model, data, seed, code and machine."""
    return {
        "created_by": f"ohlcv-model-factory {__version__}",
        "model": config.model_name,
        "family": model.family,
        "horizon": config.horizon,
        "experiment_name": config.experiment_name,
        "symbols": list(container.symbols),
        "data_fingerprint": container.fingerprint,
        "row_digest": container.row_digest(),
        "seed": config.random_seed,
        **machine_facts(),
        "thread_environment": declared_threads(),
    }


def seal(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that is otherwise complete; this machine knows it from then on as its own."""
    write_canonical(folder / MANIFEST, manifest)
    remember(folder)


def machine_facts() -> dict[str, Any]:
    """What decides results beside settings and data: threads, machine, code, packages; and the memory taken so far."""
    return {
        "code": code_digest(),
        "threads": thread_count(),
        "peak_memory_mb": round(peak_bytes() / 1e6),
        "machine": machine(),
        "packages": library_versions(),
    }
