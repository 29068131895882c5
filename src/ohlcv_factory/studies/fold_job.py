"""One fold as a job: plain JSON in, a folder out, the same bytes in whatever process it is done.

A fold's folder `folds/fold_NN/` of the study holds

    predictions.parquet   every eligible row of its blocks: probabilities, decision, truth
    scores.json           scores and baselines of each block
    fit.json              columns, rows, rounds, calibrator, curves, notes of the fit
    importance.json       permutation importance on the tested rows, where it is asked for
    checkpoints/, config/ model, scaler, calibrator, columns: as in a run folder, where models are kept
    time.json             seconds and memory, which differ from machine to machine
    manifest.json         digests of all but the times

It appears when it is whole. With its model it is a bundle: `ModelBundle.from_run(folder)`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory import __version__
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, FactoryError, VerificationError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.runtime.memory import peak_bytes
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.digests import file_digest, value_digest
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.storage.manifests import file_entries
from ohlcv_factory.storage.parquet import read_table, write_table
from ohlcv_factory.studies.executor.job import plugins_digest
from ohlcv_factory.studies.fold_scores import block_scores
from ohlcv_factory.studies.folds import TrainFolds, same_rows
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.fitting import Fit, fit_pipeline
from ohlcv_factory.training.permutation import permutation_importance
from ohlcv_factory.training.reference import REFERENCE, reference_question
from ohlcv_factory.training.run_manifest import RUN_SCHEMA_VERSION, model_facts
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trial import open_run

FOLDS_FOLDER = "folds"
PREDICTIONS, SCORES, FIT, TIME = "predictions.parquet", "scores.json", "fit.json", "time.json"
IMPORTANCE = "importance.json"

FoldSpec = dict[str, Any]
"""Plain JSON, what `executor.job.JobSpec.made("fold", …)` takes: `config` (trainer, symbol, cross_validation, fold),
`digests` (data, rows, plugins), `study`, `dataset`, `plugins`, `threads`."""


@dataclass(frozen=True)
class FoldResult:
    """A finished fold."""

    number: int
    path: Path
    predictions: Predictions
    """Of every row that the fold tests, in the container's order, with its symbols."""
    blocks: tuple[dict[str, Any], ...]
    """`scores.json`: one entry for each tested block."""
    fit: dict[str, Any]
    """`fit.json`."""
    seconds: float
    """Fit, prediction and scores together."""
    importance: list[dict[str, Any]] | None
    """`importance.json`, where it was asked for."""

    @classmethod
    def read(cls, folder: Path, number: int, container: TimeSeriesDataContainer, rows: np.ndarray) -> FoldResult:
        """A finished fold that predicted some rows of a container. Raises DataError (65) where it predicted others."""
        return cls(
            number,
            folder,
            _read_predictions(folder / PREDICTIONS, container, rows),
            tuple(read_json(folder / SCORES)),
            read_json(folder / FIT),
            read_json(folder / TIME)["seconds"],
            read_json(folder / IMPORTANCE) if (folder / IMPORTANCE).is_file() else None,
        )


def fold_spec(
    config: TrainerConfig, cv: CrossValidationConfig, folds: TrainFolds, fold: int, study: Path, *, threads: int
) -> FoldSpec:
    """The job of one fold (from 1). `config` is complete: the sizes that a preset chose here hold everywhere."""
    container, model = folds.container, config.create_model()
    left_out = ("output_dir", "experiment_name")  # they decide nothing
    plugins = tuple(str(Path(file).resolve()) for file in artifacts.plugin_files(model, container))
    own = {"plugins": plugins_digest(plugins)} if plugins else {}
    rows = folds.part(folds.folds[fold - 1]).row_digest()
    trainer = {name: value for name, value in config.plain().items() if name not in left_out}
    return {
        "config": {"trainer": trainer, "symbol": container.symbol, "cross_validation": cv.plain(), "fold": fold},
        "digests": {"data": container.fingerprint, "rows": rows, **own},
        "study": str(study.resolve()),
        "dataset": None if container.origin is None else str(Path(container.origin).resolve()),
        "plugins": list(plugins),
        "threads": threads,
    }


def fold_folder(spec: Mapping[str, Any]) -> Path:
    """Where the results of a job go."""
    return Path(spec["study"]) / FOLDS_FOLDER / f"fold_{spec['config']['fold']:02d}"


def is_finished(spec: Mapping[str, Any]) -> bool:
    """Whether the fold is there whole, by the same settings, data and version, every file as it was written.

    A foreign one is read in a child process first; whatever cannot be read is not there.
    """
    folder = fold_folder(spec)
    if not (folder / MANIFEST).is_file():
        return False
    try:
        manifest = open_run(folder)
    except (FactoryError, KeyError, TypeError):
        return False
    return bool(manifest.get("job") == job_digest(spec))


def job_digest(spec: Mapping[str, Any]) -> str:
    """Digest of all that decides a fold's result; where things lie and how many threads work do not."""
    return value_digest({"config": spec["config"], "digests": spec["digests"], "version": __version__})


def run_fold(spec: Mapping[str, Any], container: TimeSeriesDataContainer | None = None) -> dict[str, Any]:
    """Fit, predict and score one fold, unless it is there already; JSON comes back: `values` and the `files` made.

    `container` is the dataset where the caller has it at hand; else it is read from `spec["dataset"]`. Raises
    VerificationError (76) where data or rows are not those that were planned, and what the fit raises.
    """
    if not is_finished(spec):
        with atomic.whole_folder(fold_folder(spec)) as folder:
            _fill(folder, spec, _dataset(spec) if container is None else container)
    folder = fold_folder(spec)
    values = {"fold": spec["config"]["fold"], "predictions": file_digest(folder / PREDICTIONS)}
    return {"values": values, "files": [folder.relative_to(spec["study"]).as_posix()]}


def _dataset(spec: Mapping[str, Any]) -> TimeSeriesDataContainer:
    """The data of a job from disk."""
    if spec["dataset"] is None:
        raise DataError(
            "the dataset of this study is not on disk.", help="build it with `data build`, or run in process"
        )
    load_plugins(tuple(spec["plugins"]))
    horizon, symbol = spec["config"]["trainer"]["horizon"], spec["config"]["symbol"]
    container = TimeSeriesDataContainer.from_dataset(spec["dataset"], horizon, symbol=symbol)
    if container.fingerprint != spec["digests"]["data"]:
        raise VerificationError(
            "the dataset is not the one that the study began with.", where=spec["dataset"], help="start a new study"
        )
    return container


def _fill(folder: Path, spec: Mapping[str, Any], container: TimeSeriesDataContainer) -> None:
    """Do the fold and write everything, the manifest last."""
    started = time.perf_counter()
    config = TrainerConfig.parse(spec["config"]["trainer"], where="job")
    cv = CrossValidationConfig.parse(spec["config"]["cross_validation"], where="job")
    number = spec["config"]["fold"]
    folds = TrainFolds.of(container, cv, config.create_model().lookback)
    fold = folds.folds[number - 1]
    part = folds.part(fold)
    same_rows(part, spec["digests"]["rows"], number)
    fit = fit_pipeline(config, part, kept=cv.keep_models)
    predictions = fit.pipeline.predict(part, part.rows("val"))
    seed, rule = config.random_seed, fit.pipeline.rule
    scores = [block_scores(folds, fold, group, predictions, seed=seed, rule=rule) for group in fold.groups]
    write_table(folder / PREDICTIONS, predictions.frame)
    write_json(folder / SCORES, scores)
    write_json(folder / FIT, _fit_facts(fit))
    if cv.importance:
        found = permutation_importance(fit.pipeline, part, part.rows("val"), seed=seed)
        write_json(folder / IMPORTANCE, [asdict(each) for each in found])
    if cv.keep_models:
        artifacts.write_model(folder, fit, reference_question(fit.pipeline, part))
        artifacts.write_model_config(folder, fit.pipeline.model)
        artifacts.write_feature_config(folder, config, fit.pipeline, part)
    seconds = {"seconds": time.perf_counter() - started, "fit_seconds": fit.metrics.training_time_seconds}
    write_json(folder / TIME, {**seconds, "peak_memory_mb": round(peak_bytes() / 1e6)})
    artifacts.seal(folder, _manifest(folder, spec, fit, part))


def _fit_facts(fit: Fit) -> dict[str, Any]:
    """How the fit went, without what differs from one machine to the next."""
    metrics = {name: value for name, value in asdict(fit.metrics).items() if name != "training_time_seconds"}
    pipeline = fit.pipeline
    return {
        **metrics,
        "rows": fit.row_counts,
        "columns": list(pipeline.columns),
        "calibrator": pipeline.calibrator.plain(),
        "decision": pipeline.rule.words,
        "notes": list(fit.notes),
    }


def _manifest(folder: Path, spec: Mapping[str, Any], fit: Fit, part: TimeSeriesDataContainer) -> dict[str, Any]:
    model = fit.pipeline.model
    return {
        "format": RUN_SCHEMA_VERSION,
        "kind": "fold",
        "created_by": f"ohlcv-model-factory {__version__}",
        "job": job_digest(spec),
        "fold": spec["config"]["fold"],
        "model": model.name,
        "family": model.family,
        "horizon": part.horizon,
        "symbols": list(part.symbols),
        "data_fingerprint": part.fingerprint,
        "row_digest": part.row_digest(),
        "seed": model.seed,
        "device": model.device_used,
        **(model_facts(fit.pipeline) if (folder / REFERENCE).is_file() else {}),
        "files": file_entries(folder),
    }


def _read_predictions(path: Path, container: TimeSeriesDataContainer, rows: np.ndarray) -> Predictions:
    """Stored predictions under the symbol codes of a container: a block may lack some of its symbols."""
    found = Predictions.from_frame(read_table(path), container.horizon)
    expected = container.index[rows]
    same = len(found) == len(rows) and np.array_equal(found.index[["time_ns", "row"]], expected[["time_ns", "row"]])
    if not same:
        raise DataError(
            f"{path.name} holds other rows than the fold tests.", where=str(path), help="run the fold again"
        )
    return replace(found, index=expected, symbols=container.symbols)
