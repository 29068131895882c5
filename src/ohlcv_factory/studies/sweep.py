"""Models x horizons x symbols x seeds on one dataset: a run of each, in one study folder, with one table.

study.json        what was asked for, and the fingerprint of the dataset
jobs/<id>/        one folder per job, see studies/executor/work.py
runs/             the run folders
scores.csv        one row per run: the same bytes wherever and in whatever order the jobs ran
summary.json      the same with cost, attempts and errors
ledger.sqlite     the trials of the study
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import polars as pl
from pydantic import AfterValidator, model_validator

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.store import read_manifest
from ohlcv_factory.errors import OutputError, UsageError, unknown_name
from ohlcv_factory.models.base import DEFAULT_SEED
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.experiments import RUNS_FOLDER
from ohlcv_factory.storage.formats import read_json, told_as_damage, write_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.manifests import refuse_strange
from ohlcv_factory.studies.executor.job import JOBS_FOLDER, JobResult, JobSpec
from ohlcv_factory.studies.executor.protocol import Executor, run_jobs
from ohlcv_factory.studies.executor.work import finished_result
from ohlcv_factory.studies.finished_runs import FinishedRun, judged_together
from ohlcv_factory.studies.training_job import training_spec
from ohlcv_factory.training.fitting import input_columns
from ohlcv_factory.training.memory_estimate import estimate_memory_requirements
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.tracker import require_backend

STUDY, SCORES, SUMMARY = "study.json", "scores.csv", "summary.json"
STUDY_SCHEMA_VERSION = 1
EACH_SYMBOL = "each"
OWN_KEYS = {
    "model_name": "models",
    "horizon": "horizons",
    "random_seed": "seeds",
    "model": "hyper_parameters",
    "experiment_name": "experiment_name",
    "experiment": "experiment",
}
"""Settings of a run that a sweep sets itself, and by which of its own keys."""
SCORE_NAMES = {
    "classification": ("macro_f1", "log_loss", "direction_hit_rate", "independent_rate"),
    "trading": ("sharpe_ratio", "annualized_return", "max_drawdown", "num_trades"),
}


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands twice")
    return values


class SweepConfig(Settings):
    """Which runs a sweep makes: one of every combination."""

    models: Annotated[tuple[str, ...], AfterValidator(_distinct)] = setting((), "Model names.")
    horizons: Annotated[tuple[int, ...], AfterValidator(_distinct)] = setting(
        (), "Label horizons in bars; none takes all of the dataset."
    )
    symbols: Annotated[tuple[str, ...], AfterValidator(_distinct)] = setting(
        (), "One run per symbol of these, or `each` for all; none trains one model on all symbols together."
    )
    seeds: Annotated[tuple[int, ...], AfterValidator(_distinct)] = setting((DEFAULT_SEED,), "One run per seed.")
    training: dict[str, Any] = setting({}, "Settings of `train` that all runs share, for example weighting.")
    hyper_parameters: dict[str, dict[str, Any]] = setting({}, "Hyper-parameters by model, where they differ.")
    experiment_name: str | None = setting(None, "A name to find the runs by in `compare --experiment`.")
    experiment: ExperimentConfig | None = setting(None, "Where the runs are also shown; each under its own name.")

    @model_validator(mode="after")
    def _refuse_one_name(self) -> Self:
        if self.experiment is not None and self.experiment.run_name:
            raise ValueError("experiment.run_name: a sweep has many runs; each is shown under the name of its folder")
        return self


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, before it is made."""

    model: str
    horizon: int
    symbol: str | None
    seed: int
    rows: int
    features: int
    spec: JobSpec

    @property
    def names(self) -> dict[str, Any]:
        """What tells it from the others."""
        return {"model": self.model, "horizon": self.horizon, "symbol": self.symbol, "seed": self.seed}


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep in the order of its table, and their folder."""

    folder: Path
    config: SweepConfig
    fingerprint: str
    """Of the dataset."""
    runs: tuple[PlannedRun, ...]

    def finished(self) -> list[bool]:
        """Which runs are there already, whole."""
        return [finished_result(run.spec) is not None for run in self.runs]


@dataclass(frozen=True)
class SweepOutcome:
    """A sweep that is done: a result for every run, in the order of the runs."""

    sweep: Sweep
    results: tuple[JobResult, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Jobs in all, finished now, found finished, failed, and begun more than once."""
        states = [(result.state, result.found) for result in self.results]
        return {
            "jobs": len(states),
            "finished": states.count(("FINISHED", False)),
            "found_finished": states.count(("FINISHED", True)),
            "failed": sum(state == "FAILED" for state, _ in states),
            "repeated": sum(result.attempts > 1 for result in self.results),
        }

    @property
    def failures(self) -> list[tuple[PlannedRun, dict[str, Any]]]:
        """The runs that failed, each with its error."""
        return [(run, one.error) for run, one in zip(self.sweep.runs, self.results, strict=True) if one.error]

    def rows(self) -> list[dict[str, Any]]:
        """One row per run: names, state, scores, folder and digest of the probabilities, judged as one of so many."""
        verdicts = self._verdicts()
        return [
            {**run.names, "state": result.state, **_scores(result.values, verdicts.get(result.values.get("run", "")))}
            for run, result in zip(self.sweep.runs, self.results, strict=True)
        ]

    def _verdicts(self) -> dict[str, str]:
        """Verdict of each finished run by its folder: a worker knew of no trial but its own."""
        places = [result.values["run"] for result in self.results if not result.error]
        runs = [FinishedRun.read(self.sweep.folder / place) for place in dict.fromkeys(places)]
        found = judged_together(runs, tried=len(self.results))
        return dict(zip(dict.fromkeys(places), (run.evaluation["verdict"]["code"] for run in found), strict=True))


def plan_sweep(
    config: SweepConfig, dataset: Path, folder: Path, *, plugins: tuple[str, ...] = (), threads: int = 1
) -> Sweep:
    """Every run of a sweep, its settings checked and its memory estimated; nothing is written.

    Raises UsageError (2) for settings that a model or the dataset cannot obey.
    """
    manifest = read_manifest(dataset)
    _refuse_own_keys(config)
    require_backend(config.experiment)
    make = partial(_planned, config, folder, plugins, threads)
    runs = [
        run
        for horizon in config.horizons or manifest["config"]["horizons"]
        for symbol in _symbols(config, [entry["instrument"]["symbol"] for entry in manifest["symbols"]])
        for run in make(TimeSeriesDataContainer.from_dataset(dataset, horizon, symbol=symbol))
    ]
    return Sweep(folder, config, manifest["fingerprint"], tuple(runs))


def run_sweep(
    sweep: Sweep, executor: Executor, on_result: Callable[[JobResult], None] = lambda result: None
) -> SweepOutcome:
    """Make the runs that are not there yet, and write the tables of all.

    Raises LockedError (75) while another process works on the study, UsageError (2) where it began with other data.
    """
    with _study(sweep):
        results = run_jobs(executor, [run.spec for run in sweep.runs], on_result)
        outcome = SweepOutcome(sweep, tuple(results))
        frame = pl.DataFrame(outcome.rows(), infer_schema_length=None)
        atomic.write_with(sweep.folder / SCORES, frame.write_csv)
        write_json(sweep.folder / SUMMARY, _summary(outcome))
    return outcome


@contextmanager
def _study(sweep: Sweep) -> Iterator[None]:
    """The study folder, alone: new, or one that was begun on the same dataset."""
    folder = sweep.folder
    atomic.create_folder(folder)
    with folder_lock(folder, "a sweep"):
        begun = (folder / STUDY).is_file()
        if not begun and any(folder.iterdir()):
            raise OutputError(f"{folder} holds no sweep.", where=str(folder), help="choose a new or an empty folder")
        if begun:
            refuse_strange(folder, within=(JOBS_FOLDER, RUNS_FOLDER))
        if begun and _fingerprint(folder / STUDY) != sweep.fingerprint:
            raise UsageError("this study began with another dataset.", where=str(folder), help="choose another folder")
        facts = {"format": STUDY_SCHEMA_VERSION, "kind": "sweep", "data_fingerprint": sweep.fingerprint}
        write_json(folder / STUDY, {**facts, "config": sweep.config.plain()})
        yield


def _fingerprint(file: Path) -> str:
    """Of the dataset that a study began with."""
    values = read_json(file)
    with told_as_damage(file):
        return str(values["data_fingerprint"])


def _planned(
    config: SweepConfig, folder: Path, plugins: tuple[str, ...], threads: int, container: TimeSeriesDataContainer
) -> Iterator[PlannedRun]:
    """The runs of one horizon and symbol: every model with every seed."""
    for name in config.models:
        for seed in config.seeds:
            settings = _trainer_config(config, name, container.horizon, seed)
            model = settings.create_model()
            features = len(input_columns(settings, model, container))
            memory = estimate_memory_requirements(model.family, len(container), features, model)["cpu_memory_gb"]
            spec = training_spec(settings, container, folder, plugins=plugins, threads=threads, memory_gb=memory)
            yield PlannedRun(name, container.horizon, container.symbol, seed, len(container), features, spec)


def _trainer_config(config: SweepConfig, model: str, horizon: int, seed: int) -> TrainerConfig:
    own = {
        "model_name": model,
        "horizon": horizon,
        "random_seed": seed,
        "experiment_name": config.experiment_name,
        "experiment": config.experiment.plain() if config.experiment else None,
        "model": config.hyper_parameters.get(model, {}),
    }
    return TrainerConfig.parse({**config.training, **own}, where="training")


def _refuse_own_keys(config: SweepConfig) -> None:
    if not config.models:
        raise UsageError("a sweep needs models.", where="models", help="--models lightgbm,logistic")
    for key in config.training:
        if key in OWN_KEYS:
            raise UsageError(f"training.{key}: a sweep sets it.", where="training", help=f"use {OWN_KEYS[key]}")
    if "output_dir" in config.training:
        raise UsageError("training.output_dir: the runs lie in the study.", where="training", help="use --out")
    for name in config.hyper_parameters:
        if name not in config.models:
            raise unknown_name("model", name, config.models, where="hyper_parameters")


def _symbols(config: SweepConfig, offered: Sequence[str]) -> tuple[str | None, ...]:
    """The symbols to train one by one; a single None for all together."""
    if config.symbols == (EACH_SYMBOL,):
        return tuple(offered)
    for symbol in config.symbols:
        if symbol not in offered:
            raise unknown_name("symbol", symbol, offered, where="symbols")
    return config.symbols or (None,)


def _scores(values: dict[str, Any], verdict: str | None) -> dict[str, Any]:
    """The scores of the table; None where a run failed."""
    scores = {name: values.get(block, {}).get(name) for block, names in SCORE_NAMES.items() for name in names}
    return {**scores, "verdict": verdict, "run": values.get("run"), "probabilities": values.get("probabilities")}


def _summary(outcome: SweepOutcome) -> dict[str, Any]:
    rows = [
        {**row, "job": result.id, "attempts": result.attempts, "found": result.found, "cost": result.cost}
        | ({"error": result.error} if result.error else {})
        for row, result in zip(outcome.rows(), outcome.results, strict=True)
    ]
    return {"kind": "sweep", "counts": outcome.counts, "runs": rows}
