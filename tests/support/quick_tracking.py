"""Tracking without a tracker: events are spooled and nobody delivers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ohlcv_factory.training.tracking import session, tracker
from ohlcv_factory.training.tracking.spool import SPOOL, read_events

FLAGS: dict[str, tuple[str, ...]] = {
    "track": ("--track", "tensorboard"),
    "tracking_uri": ("--tracking-uri", "sqlite:///own.db"),
    "run_name": ("--run-name", "first"),
    "tags": ("--tag", "desk=fx"),
}
"""The flags of every command that can be tracked, by their parameters; each alone turns tracking by MLflow on."""


class Nobody:
    """In the place of a courier."""

    def wake(self) -> None:
        """Deliver nothing."""

    def ended(self, patience_seconds: float) -> None:
        """Have nothing to complain of."""

    @classmethod
    def started(cls, folder: Path) -> Nobody:
        """No process."""
        return cls()


@contextmanager
def no_courier() -> Iterator[pytest.MonkeyPatch]:
    """Meanwhile no process delivers, and every backend counts as installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Courier", Nobody)
        patch.setattr(tracker, "missing_packages", lambda backend: [])
        yield patch


def told_to_trackers(run: Path) -> Any:
    """Where the newest attempt at a run asked to be shown, or None for one that is not tracked."""
    starts = [event for event in read_events(run / SPOOL) if event["event"] == "start"]
    return starts[-1]["experiment"] if starts else None
