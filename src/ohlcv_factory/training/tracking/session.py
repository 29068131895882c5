"""A run while it is tracked: its events spooled, a courier that delivers them, a warning where it could not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohlcv_factory.errors import FactoryError, FactoryWarning
from ohlcv_factory.runtime.clock import Clock
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.training.tracking.courier import Courier
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SilentSpool, Spool

PATIENCE_SECONDS = 40.0
"""How long a run that has ended waits for its last delivery: a locked database is waited for 30 s."""


class TrackingWarning(FactoryWarning):
    """A run is whole, but its tracker does not show all of it yet."""


@contextmanager
def tracked(
    folder: Path, experiment: ExperimentConfig | None, clock: Clock, attempt: int = 1
) -> Iterator[Spool | SilentSpool]:
    """Where a run's events go while the block works on it; `state.json` must say at its end how the run has ended.

    Nothing of tracking is raised. What could not be delivered is warned of once (TrackingWarning), at the end.
    """
    if experiment is None or experiment.backend == "none":
        yield SilentSpool()
        return
    spool = Spool(folder, clock)
    courier = _sent_out(folder, spool, experiment, attempt)
    try:
        yield spool
    finally:
        problem = courier if isinstance(courier, str) else courier.ended(_patience(folder))
        spool.close()
        if spool.problem or problem:
            warnings.warn(_words(folder, experiment, spool.problem or problem), stacklevel=2)


def _sent_out(folder: Path, spool: Spool, experiment: ExperimentConfig, attempt: int) -> Courier | str:
    """The courier, with the first event to deliver; or why there is none."""
    spool.begin(experiment, attempt)
    try:
        courier = Courier.started(folder)
    except OSError as error:
        return f"no process could be started: {error}"
    spool.written = courier.wake
    courier.wake()
    return courier


def _patience(folder: Path) -> float:
    """Who was interrupted wants to leave: the courier then ends by itself."""
    try:
        return 0.0 if read_json(folder / STATE)["state"] == "INTERRUPTED" else PATIENCE_SECONDS
    except (FactoryError, KeyError, TypeError):
        return 0.0


def _words(folder: Path, experiment: ExperimentConfig, problem: str | None) -> TrackingWarning:
    return TrackingWarning(
        f"{experiment.backend} does not show all of the run yet: {problem} The run itself is not affected; "
        f"ohlcv-factory sync {folder} delivers the rest"
    )
