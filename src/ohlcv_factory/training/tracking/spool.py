"""What happens in a run, line by line, in its folder: trackers read it, at once or later.

`tracking.jsonl` holds one JSON object per line: `start` (attempt, key, experiment), `epoch` (epoch, metrics); each with its
time in milliseconds since 1970 UTC. A line is appended by one write; one that a cut left torn is skipped when it is read.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import FactoryError, InputMissingError
from ohlcv_factory.runtime.clock import Clock
from ohlcv_factory.storage.formats import jsonable
from ohlcv_factory.storage.regular_files import open_or_make, read_regular
from ohlcv_factory.training.tracking.settings import ExperimentConfig

SPOOL = "tracking.jsonl"
MOST_SPOOL_BYTES = 1 << 30


class Spool:
    """Events of one attempt at a run. Nothing that a disk does stops the run: `problem` then says what is missing."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path, self.clock = folder / SPOOL, clock
        self.problem: str | None = None
        self.written: Callable[[], None] = lambda: None
        """Called after each event."""
        self._descriptor: int | None = None

    def begin(self, experiment: ExperimentConfig, attempt: int) -> None:
        """Note that an attempt begins; all attempts at a run share the key of the first."""
        try:
            events = read_events(self.path)
        except FactoryError as error:
            self.problem = error.what
            return
        key = next((event.get("key") for event in events if event["event"] == "start"), None)
        self._write("start", attempt=attempt, key=key or secrets.token_hex(8), experiment=experiment.pinned().plain())

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Note the metrics of an epoch, a round, a fold or a trial; one without any is not worth a line."""
        if metrics:
            self._write("epoch", epoch=epoch, metrics=dict(metrics))

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, event: str, **facts: Any) -> None:
        if self.problem is not None:
            return
        time_ms = int(self.clock().timestamp() * 1000)
        line = json.dumps(jsonable({"event": event, "time": time_ms, **facts}), allow_nan=False)
        try:
            os.write(self._opened(), f"{line}\n".encode())
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror or error}"
            return
        except FactoryError as error:
            self.problem = error.what
            return
        self.written()

    def _opened(self) -> int:
        """The file, open at its end; a line that a cut left torn is ended first."""
        if self._descriptor is None:
            self._descriptor = open_or_make(self.path, os.O_APPEND)
            size = os.fstat(self._descriptor).st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                os.write(self._descriptor, b"\n")
        return self._descriptor


class SilentSpool:
    """The spool of a run that is not tracked."""

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Forget the epoch."""


def read_events(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a spool, in their order; none where there is no spool.

    Raises DataError (65) for a link, a pipe or a file that is larger than any spool.
    """
    try:
        content = read_regular(path, MOST_SPOOL_BYTES)
    except InputMissingError:
        return []
    return [event for line in content.split(b"\n") if (event := _event_of(line))]


def _event_of(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):  # torn, or not finished yet
        return None
    return event if isinstance(event, dict) and {"event", "time"} <= event.keys() else None
