"""MLflow: a database file of one's own, or a server.

The run there carries the key of ours as a tag, so a delivery whose end was never noted finds it again. Metrics have the time
of their event: what is sent twice is stored once. The run there ends last, so FINISHED means that it is whole.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohlcv_factory.errors import (
    AccessError,
    DataError,
    FactoryError,
    LockedError,
    OutputError,
    ServiceError,
    StorageError,
)
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.regular_files import irregular
from ohlcv_factory.training.tracking.tracked_run import Epoch, TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

TIMEOUT_SECONDS = 30
"""How long a database may be locked by others."""
ENVIRONMENT = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
KEY = "ohlcv_factory.key"
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's page show an experiment as training, not as evaluation of language models."""
NOTE, RUN_NOTES = "mlflow.note.content", "notes"
STATUS = {"RUNNING": "RUNNING", "FINISHED": "FINISHED", "FAILED": "FAILED", "INTERRUPTED": "KILLED", "LOST": "KILLED"}
METRICS_AT_ONCE, PARAMS_AT_ONCE = 1000, 100
LONGEST_PARAM, LONGEST_TAG = 6000, 5000
MODEL = "model"
QUICK_CHECK_BYTES = 1 << 26


class MlflowTracker:
    """A `Tracker` that shows a run in MLflow."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def deliver(self, run: TrackedRun, known: Mapping[str, Any]) -> dict[str, Any]:
        """See `Tracker`. Raises DataError (65) for a damaged database, LockedError, ServiceError (75) or AccessError (77)."""
        series = run.series() if run.experiment.log_metrics else ()
        goal = {"epochs": len(series), "state": run.state, "attempt_over": run.updated_ms if run.is_over else None}
        with self._errors():
            client = self._client()
            run_id, known = self._run_id(client, run, known)
            if goal.items() <= known.items():
                return dict(known)
            _log_epochs(client, run_id, series[known.get("epochs", 0) :])
            if run.is_over:
                self._complete(client, run_id, run)
            elif known.get("state") != run.state:
                _log_params(client, run_id, run)
                client.update_run(run_id, status=STATUS[run.state])
        return {"run_id": run_id, **goal}

    def _client(self) -> MlflowClient:
        os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        database = self._database
        if database is not None:
            check_database(database)
        from mlflow import MlflowClient

        if database is not None and not database.exists():
            create_database(database)
        return MlflowClient(self.uri if database is None else f"sqlite:///{database}?timeout={TIMEOUT_SECONDS}")

    @property
    def _database(self) -> Path | None:
        """The file of a URI of SQLite."""
        if not self.uri.startswith("sqlite:///"):
            return None
        return Path(self.uri.removeprefix("sqlite:///").partition("?")[0]).resolve()

    def _run_id(self, client: MlflowClient, run: TrackedRun, known: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """The run there and what is known of it: the one that was remembered, one that has the key, or a new one."""
        experiment = self._experiment(client, run.experiment_name)
        found = client.search_runs([experiment], f"tags.`{KEY}` = '{run.key}'", max_results=1)
        if found:
            same = found[0].info.run_id == known.get("run_id")
            return found[0].info.run_id, known if same else {}
        tags = {KEY: run.key, **_tags(run)}
        made = client.create_run(experiment, start_time=run.began_ms, tags=tags, run_name=run.name)
        return made.info.run_id, {}

    def _experiment(self, client: MlflowClient, name: str) -> str:
        """The experiment of a name, made where there is none; files of one in a database of ours lie beside it."""
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = None if self._database is None else (self._database.parent / "mlflow-artifacts").as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=place, tags=KIND))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another process was faster
            if found is None:
                raise
            return str(found.experiment_id)

    def _complete(self, client: MlflowClient, run_id: str, run: TrackedRun) -> None:
        """Settings, scores, tags, files and the model; the status last."""
        _log_params(client, run_id, run)
        if run.experiment.log_metrics:
            _log_epochs(client, run_id, [Epoch(0, run.updated_ms, run.scores())])
        for name, value in _tags(run).items():
            client.set_tag(run_id, name, value)
        if run.is_finished:
            _log_files(client, run_id, run)
        client.set_terminated(run_id, STATUS[run.state], end_time=run.updated_ms)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """MLflow's errors as ours."""
        try:
            yield
        except FactoryError:
            raise
        except Exception as error:
            raise _told(error, self.uri) from None


def check_database(path: Path) -> None:
    """Wait until a database file can be written, or raise what is wrong with it: MLflow alone would try for minutes.

    One that is not there yet is not made, but its folder is. Raises DataError (65) for a damaged one, a link or a pipe,
    LockedError (75), AccessError (77), OutputError (73) or StorageError (74).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):
            return
        if stat.S_IFMT(path.lstat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):  # of a folder SQLite says so itself
            raise irregular(path)
        with closing(sqlite3.connect(path, timeout=TIMEOUT_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            small = path.stat().st_size <= QUICK_CHECK_BYTES
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
    except (sqlite3.Error, OSError) as error:
        raise _told(error, str(path)) from None
    if found != "ok":
        raise _damaged(path, found)


def create_database(path: Path) -> None:
    """The tables of MLflow in a new file, whole or not at all: MLflow cannot go on with half of them."""
    from mlflow import MlflowClient

    temporary = path.with_name(f"{atomic.TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        MlflowClient(f"sqlite:///{temporary}").search_experiments(max_results=1)
        with suppress(FileExistsError):  # another process was faster
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


_REASONS: tuple[tuple[tuple[str, ...], type[FactoryError], str, str], ...] = (
    (("database is locked", "database table is locked"), LockedError, "the database is locked", "try again later"),
    (("readonly database", "Permission denied"), AccessError, "it cannot be written", "check owner and mode"),
    (("unable to open database",), OutputError, "the database cannot be opened", "check folder, owner and mode"),
    (("disk is full", "No space left", "disk I/O error"), StorageError, "the disk is full or refuses", "make room"),
    (
        ("Connection refused", "Max retries exceeded", "timed out", "Connection aborted", "Failed to establish"),
        ServiceError,
        "the server does not answer",
        "start it again",
    ),
)
_DAMAGE = ("not a database", "malformed", "file is encrypted", "Can't locate revision")


def _told(error: Exception, place: str) -> FactoryError:
    """An error of MLflow or of SQLite by what it says."""
    text = str(error)
    if any(word in text for word in _DAMAGE):
        return _damaged(place, text.splitlines()[0])
    for words, kind, rule, advice in _REASONS:
        if any(word in text for word in words):
            return kind(f"{place}: {rule}.", where=place, help=advice)
    first = text.splitlines()[0] if text else ""
    return StorageError(f"{place}: {type(error).__name__}: {first[:200]}", where=place, help="see the server's log")


def _damaged(place: Path | str, reason: str) -> DataError:
    return DataError(
        f"{place} is damaged: {reason}.",
        where=str(place),
        help="move it away; `ohlcv-factory sync` then fills a new one from the run folders",
    )


def _log_epochs(client: MlflowClient, run_id: str, epochs: Sequence[Epoch]) -> None:
    """All metrics of some epochs, as many at once as MLflow takes."""
    from mlflow.entities import Metric

    metrics = [
        Metric(name, value, epoch.time_ms, epoch.step) for epoch in epochs for name, value in epoch.metrics.items()
    ]
    for first in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[first : first + METRICS_AT_ONCE])


def _log_params(client: MlflowClient, run_id: str, run: TrackedRun) -> None:
    """The settings that are not there yet: those of MLflow can never change."""
    from mlflow.entities import Param

    if not run.experiment.log_params:
        return
    there = client.get_run(run_id).data.params
    params = [Param(name, value[:LONGEST_PARAM]) for name, value in run.params().items() if name not in there]
    for first in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[first : first + PARAMS_AT_ONCE])


def _log_files(client: MlflowClient, run_id: str, run: TrackedRun) -> None:
    """The files of a run, and the run as a model folder of MLflow under `model`, all at once."""
    from ohlcv_factory.training.mlflow_model import export_mlflow_model

    with tempfile.TemporaryDirectory(prefix="ohlcv-mlflow-") as place:
        if run.experiment.keeps_model:  # before the copies: no folder is made beside a manifest
            export_mlflow_model(run.folder, Path(place) / MODEL)
        for path in run.files() if run.experiment.log_artifacts else ():
            copy = Path(place) / path.relative_to(run.folder)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
        if any(Path(place).iterdir()):
            client.log_artifacts(run_id, place)


def _tags(run: TrackedRun) -> dict[str, str]:
    tags = run.tags()
    return {NOTE if name == RUN_NOTES else name: value[:LONGEST_TAG] for name, value in tags.items()}
