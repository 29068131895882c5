"""Weights & Biases: a folder to be uploaded later, unless the URL of a server was given.

A run is handed over whole when it is over, under the id of its key; an earlier folder of the same run makes room.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import ServiceError
from ohlcv_factory.storage import atomic
from ohlcv_factory.training.tracking.settings import PROJECT
from ohlcv_factory.training.tracking.tracked_run import TrackedRun, metric_name

TIMEOUT_SECONDS = 20
LONGEST_TAG = 64


class WandbTracker:
    """A `Tracker` that shows a run in Weights & Biases."""

    def __init__(self, target: str) -> None:
        self.target = target

    def deliver(self, run: TrackedRun, known: Mapping[str, Any]) -> dict[str, Any]:
        """See `Tracker`. Raises ServiceError (75) where the server does not answer, StorageError (74) or AccessError (77)."""
        goal = {"state": run.state, "updated": run.updated_ms}
        folder = Path(self.target) if self._is_offline else run.folder.resolve().parent / "wandb"
        is_there = goal.items() <= known.items() and (folder / "wandb" / str(known.get("folder"))).is_dir()
        if not run.is_over or is_there:
            return dict(known)
        with atomic.storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _forget(folder, known)
        return {**goal, "folder": self._hand_over(run, folder)}

    @property
    def _is_offline(self) -> bool:
        return not self.target.startswith(("http://", "https://"))

    def _hand_over(self, run: TrackedRun, folder: Path) -> str:
        """All of the run; the name of the folder that holds it."""
        import wandb

        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        settings = {"console": "off", "silent": True, "disable_git": True, "save_code": False, "x_disable_stats": True}
        if not self._is_offline:
            settings |= {"base_url": self.target, "init_timeout": TIMEOUT_SECONDS}
        shown = run.experiment
        try:
            there = wandb.init(
                mode="offline" if self._is_offline else "online",
                dir=str(folder),
                id=run.key,
                resume="allow",
                project=shown.project_name or PROJECT,
                group=run.experiment_name,
                name=run.name,
                config=run.params() if shown.log_params else None,
                tags=[f"{name}={value}"[:LONGEST_TAG] for name, value in run.tags().items() if name != "notes"],
                notes=run.tags().get("notes"),
                settings=wandb.Settings(**settings),
            )
        except wandb.Error as error:
            raise ServiceError(f"{self.target}: {error}.", where=self.target, help="see `wandb login`") from None
        _log(wandb, there, run)
        place = Path(there.dir).parent
        there.finish(exit_code=0 if run.is_finished else 1)
        return place.name


def _log(wandb: Any, there: Any, run: TrackedRun) -> None:
    shown = run.experiment
    for epoch in run.series() if shown.log_metrics else ():
        there.log(dict(epoch.metrics), step=epoch.step)
    if shown.log_metrics:
        there.summary.update(run.scores())
    if shown.log_artifacts and run.is_finished:
        there.log({f"plots/{path.stem}": wandb.Image(str(path)) for path in run.pictures()})
        files = wandb.Artifact(metric_name(f"{run.folder.name}-files"), type="run")
        for path in run.files():
            files.add_file(str(path), name=path.relative_to(run.folder).as_posix())
        there.log_artifact(files)
    if shown.keeps_model and run.is_finished:
        _log_model(wandb, there, run)


def _log_model(wandb: Any, there: Any, run: TrackedRun) -> None:
    """The bundle of the run: all that `predict` needs."""
    from ohlcv_factory.training.mlflow_model import copy_bundle

    with tempfile.TemporaryDirectory(prefix="ohlcv-wandb-") as place:
        copy_bundle(run.folder, Path(place) / "bundle")
        model = wandb.Artifact(metric_name(f"{run.folder.name}-model"), type="model")
        model.add_dir(str(Path(place) / "bundle"))
        there.log_artifact(model)


def _forget(folder: Path, known: Mapping[str, Any]) -> None:
    """Remove what an earlier delivery of this run left: the same run once more would show it twice."""
    earlier = folder / "wandb" / str(known.get("folder") or "none")
    if earlier.name.startswith(("offline-run-", "run-")) and not earlier.is_symlink():
        shutil.rmtree(earlier, ignore_errors=True)
