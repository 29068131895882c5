"""A job that trains one model: a `TrainerConfig` and a dataset folder become a run folder of the study."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import FactoryError, UsageError, VerificationError
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.experiments import RUNS_FOLDER
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer
from ohlcv_factory.training.trial import refuse_harmful_checkpoints
from ohlcv_factory.training.trials import kinds_of

PROBABILITIES = Path("predictions") / "val_probabilities.npy"


def training_spec(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    study: Path,
    *,
    plugins: tuple[str, ...] = (),
    threads: int = 1,
    memory_gb: float = 0.0,
) -> JobSpec:
    """The job that trains a config on a container that was read from a folder; `output_dir` is the study's.

    Raises UsageError (2) for a container that was built in memory: only paths go to a worker.
    """
    if container.origin is None:
        raise UsageError("a job needs a dataset folder.", help="write the dataset, and read it with from_dataset")
    beside = ("output_dir", "experiment")  # where the run lies and is shown
    settings = {name: value for name, value in config.plain().items() if name not in beside}
    return JobSpec.made(
        "train",
        config={"trainer": settings, "symbol": container.symbol},
        digests={"data": container.fingerprint},
        study=str(study.resolve()),
        dataset=str(Path(container.origin).resolve()),
        plugins=tuple(str(Path(path).resolve()) for path in plugins),
        threads=threads,
        tracking=config.experiment.plain() if config.experiment else None,
        memory_gb=memory_gb,
    )


def run_training(spec: dict[str, Any]) -> dict[str, Any]:
    """Train, or find trained, or complete what was cut off; scores, digests and the run's folder come back.

    Raises what `Trainer.run` raises, and VerificationError (76) where the dataset is not that of the job.
    """
    settings, symbol, study = spec["config"]["trainer"], spec["config"]["symbol"], Path(spec["study"])
    beside = {"output_dir": str(study / RUNS_FOLDER), "experiment": spec.get("tracking")}
    config = TrainerConfig.parse({**settings, **beside}, where="job")
    container = dataset_of_job(spec, config.horizon, symbol)
    trainer = Trainer(config, in_study=True)
    run_id = run_name(config, symbol, spec["id"])
    run = completed_run(trainer, container, run_id)
    return {
        "values": {
            "run": f"{RUNS_FOLDER}/{run_id}",
            "row_digest": run.manifest["row_digest"],
            "probabilities": file_digest(run.path / PROBABILITIES),
            **{block: run.evaluation[block] for block in ("rows", "classification", "trading", "verdict")},
        },
        "files": [f"{RUNS_FOLDER}/{run_id}"],
        "trials": [{"kind": kind, **trainer.trial(run_id, container)} for kind in kinds_of(config)],
    }


def run_name(config: TrainerConfig, symbol: str | None, job: str) -> str:
    """`<model>_h<horizon>[_<symbol>]_s<seed>_<start of the job's id>`: a job that is done again finds its run."""
    parts = [config.model_name, f"h{config.horizon}", symbol, f"s{config.random_seed}", job[:8]]
    return "_".join(part for part in parts if part)


def dataset_of_job(spec: dict[str, Any], horizon: int, symbol: str | None = None) -> TimeSeriesDataContainer:
    """The data of a job, read once for jobs in a row. Raises VerificationError (76) for other data."""
    container = _container(spec["dataset"], horizon, symbol, spec["digests"]["data"])
    if container.fingerprint != spec["digests"]["data"]:
        raise VerificationError(
            "the dataset is not the one that the study began with.", where=spec["dataset"], help="start a new study"
        )
    return container


@lru_cache(maxsize=1)
def _container(folder: str, horizon: int, symbol: str | None, fingerprint: str) -> TimeSeriesDataContainer:
    """`fingerprint` is there so that a dataset that was built again is read again."""
    return TimeSeriesDataContainer.from_dataset(folder, horizon, symbol=symbol)


def completed_run(trainer: Trainer, container: TimeSeriesDataContainer, run_id: str) -> FinishedRun:
    """A run of this name: the finished one where it is whole, else continued from its checkpoint, else trained."""
    folder = trainer.config.output_dir / run_id
    finished = _whole_run(folder)
    if finished is None and not _resumed(trainer, folder, container):
        shutil.rmtree(folder, ignore_errors=True)
        trainer.run(container, run_id=run_id)
    return finished or FinishedRun.read(folder)


def _whole_run(folder: Path) -> FinishedRun | None:
    """A finished run whose files are as they were written."""
    try:
        if read_json(folder / STATE)["state"] != "FINISHED":
            return None
        return FinishedRun.read(folder)
    except (FactoryError, KeyError, TypeError):
        return None


def _resumed(trainer: Trainer, folder: Path, container: TimeSeriesDataContainer) -> bool:
    """Whether a run that was cut off after it had begun could be completed in its folder.

    Raises DataError (65) where it holds what may not be there.
    """
    if not (folder / artifacts.START).is_file() or not (folder / STATE).is_file():
        return False
    refuse_harmful_checkpoints(folder)
    try:
        trainer.resume(folder, container)
    except (UsageError, KeyError):  # finished but damaged, or begun elsewhere with other settings
        return False
    return True
