"""The folder of a study: its name, its state while a process works on it, the manifest that says it is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime.clock import Clock, utc_text
from ohlcv_factory.storage.experiments import RUNS_FOLDER, STUDIES_FOLDER, STUDY_RECIPE
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.manifests import file_entries, read_manifest
from ohlcv_factory.storage.run_state import StateFile, created_folder, dated_name
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.session import tracked
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.trial import open_written

STUDY_SCHEMA_VERSION = 1
STUDY_VERSIONS = (1,)
CROSS_VALIDATION, TUNING, BARRIERS = "cv", "tune", "barriers"
"""Kinds of study: the first part of a folder's name."""
RECIPE = STUDY_RECIPE
LOG = Path("logs") / "study.log"


def studies_folder(config: TrainerConfig) -> Path:
    """Where study folders are made: `studies/` beside `runs/`, or the output folder itself where that has another name."""
    output = config.output_dir
    return output.parent / STUDIES_FOLDER if output.name == RUNS_FOLDER else output


def new_study_folder(kind: str, config: TrainerConfig, clock: Clock) -> Path:
    """`<kind>_<model>_h<horizon>_<UTC stamp>_<short id>`, new. Raises OutputError (73) or AccessError (77).

    A study of barriers is one of several horizons: its name has none.
    """
    horizon = "" if kind == BARRIERS else f"_h{config.horizon}"
    return created_folder(studies_folder(config) / dated_name(f"{kind}_{config.model_name}{horizon}", clock), clock)


@contextmanager
def at_work(
    folder: Path, clock: Clock, attempt: int, experiment: ExperimentConfig | None = None
) -> Iterator[artifacts.RunLog]:
    """The study's log while this process alone works on it; `state.json` says RUNNING, and afterwards how it ended.

    `experiment` says where the study is shown meanwhile. Raises LockedError (75) while another process works on it.
    """
    with folder_lock(folder, "this study"), tracked(folder, experiment, clock, attempt):
        log = artifacts.RunLog(folder / LOG, clock)
        with artifacts.attempt_at_work(StateFile(folder, clock, attempt=attempt), log):
            yield log


def write_study_manifest(
    folder: Path,
    kind: str,
    config: TrainerConfig,
    model: BaseModel,
    container: TimeSeriesDataContainer,
    clock: Clock,
    more: Mapping[str, Any],
) -> None:
    """`manifest.json`, written last: its presence means that the study is complete."""
    manifest = {
        "format": STUDY_SCHEMA_VERSION,
        "kind": kind,
        "study_id": folder.name,
        "finished": utc_text(clock()),
        **artifacts.origin_facts(config, model, container),
        **more,
        "files": file_entries(folder),
    }
    artifacts.seal(folder, manifest)


def read_study_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of a finished study of one kind. Raises InputMissingError (66) for anything else."""
    manifest = read_manifest(folder) if (folder / MANIFEST).is_file() else {}
    if manifest.get("kind") != kind:
        raise InputMissingError(
            f"{folder} is not a finished study of kind {kind!r}.",
            where=str(folder),
            help=f"ohlcv-factory {kind} … makes one",
        )
    return manifest


def open_study(folder: Path, kind: str) -> dict[str, Any]:
    """The same, where every file is what was written and can be parsed. Raises what `trial.open_run` does, too."""
    read_study_manifest(folder, kind)
    return open_written(folder, STUDY_VERSIONS)
