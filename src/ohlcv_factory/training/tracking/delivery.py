"""Deliver what a run's folder says to its tracker, and remember how far one came.

`tracking.json` in the run folder holds, by backend and place, what the tracker returned last.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import FactoryError
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.storage.regular_files import open_or_make
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SPOOL
from ohlcv_factory.training.tracking.tracked_run import TrackedRun
from ohlcv_factory.training.tracking.tracker import tracker_of
from ohlcv_factory.training.trial import open_models

DELIVERED = "tracking.json"
PATIENCE_SECONDS = 30.0
"""How long a delivery waits for another one of the same run."""


@dataclass(frozen=True)
class Delivery:
    """What stands at a tracker now."""

    run: str
    backend: str
    target: str
    state: str
    """Of the run, as the tracker shows it."""
    epochs: int
    changed: bool
    """Whether anything was missing there."""


def deliver(folder: Path, experiment: ExperimentConfig | None = None) -> Delivery:
    """Show a run where its spool says, or `experiment`; what stands there already is not sent again.

    A finished one is compared with its manifest first. Raises what `TrackedRun.read`, `open_models` and the tracker raise,
    LockedError (75) while another delivery is at work.
    """
    run = TrackedRun.read(folder, experiment)
    if run.is_finished:
        open_models(folder)
    with atomic.storage_errors(folder / SPOOL):
        os.close(open_or_make(folder / SPOOL))
    with folder_lock(folder / SPOOL, "a delivery of this run", patience_seconds=PATIENCE_SECONDS):
        run = TrackedRun.read(folder, run.experiment)
        place = f"{run.experiment.backend} {run.target}"
        before = remembered(folder)
        known = before.get(place, {})
        told = tracker_of(run.experiment, run.target).deliver(run, known)
        if told != known:
            write_json(folder / DELIVERED, {**before, place: told})
    return Delivery(folder.name, run.experiment.backend, run.target, run.state, len(run.epochs), told != known)


def remembered(folder: Path) -> dict[str, Any]:
    """What earlier deliveries of a run returned, by place; nothing where the file is gone or damaged: trackers find out."""
    try:
        found = read_json(folder / DELIVERED)
    except FactoryError:
        return {}
    return found if isinstance(found, dict) else {}
