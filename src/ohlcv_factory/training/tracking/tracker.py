"""What every tracker does: make a backend show what a run folder says."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from ohlcv_factory.errors import MissingExtraError
from ohlcv_factory.runtime.packages import DISTRIBUTION, is_installed
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.tracked_run import TrackedRun

SINKS = {
    "mlflow": ("ohlcv_factory.training.tracking.mlflow:MlflowTracker", ("mlflow", "sqlalchemy", "alembic"), "tracking"),
    "tensorboard": ("ohlcv_factory.training.tracking.tensorboard:TensorBoardTracker", ("tensorboard",), "tensorboard"),
    "wandb": ("ohlcv_factory.training.tracking.wandb:WandbTracker", ("wandb",), "wandb"),
}
"""Backend: its tracker, the packages that it needs, and the extra that brings them."""


class Tracker(Protocol):
    """One backend at one place; made as `Tracker(target)`."""

    def deliver(self, run: TrackedRun, known: Mapping[str, Any]) -> dict[str, Any]:
        """Show all that the folder says of the run, and nothing twice.

        `known` is what the last delivery of this run to this place returned, JSON-ready; it may be lost or behind what
        is there. Raises a FactoryError where the place cannot be written now.
        """


def tracker_of(experiment: ExperimentConfig, target: str) -> Tracker:
    """The tracker of a backend. Raises MissingExtraError (69) where its packages are absent."""
    require_backend(experiment)
    module, _, name = SINKS[experiment.backend][0].partition(":")
    tracker: Tracker = getattr(importlib.import_module(module), name)(target)
    return tracker


def require_backend(experiment: ExperimentConfig | None) -> None:
    """Raise MissingExtraError (69) where the packages of a backend are absent; nothing is imported."""
    if experiment is None or experiment.backend == "none":
        return
    missing = missing_packages(experiment.backend)
    if missing:
        extra = SINKS[experiment.backend][2]
        raise MissingExtraError(
            f"tracking by {experiment.backend} needs {', '.join(missing)}.",
            where="experiment.backend",
            help=f"pip install '{DISTRIBUTION}[{extra}]'",
        )


def missing_packages(backend: str) -> list[str]:
    """The packages that a backend lacks here."""
    return [name for name in SINKS[backend][1] if not is_installed(name)]
