"""`state.json` of a run or study: what became of it, and which process works on it.

    CREATED -> RUNNING -> FINISHED | FAILED | INTERRUPTED

A killed process cannot write that it was killed, so LOST is never written: a folder is lost when it says that it is at
work and its lock is free, which the kernel frees with the process. Where a network lies between, locks are not to be
trusted: there the time of the last heartbeat decides.
"""

from __future__ import annotations

import os
import platform
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import FactoryError, LockedError
from ohlcv_factory.runtime.clock import Clock, precise_utc_text, system_clock
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.experiments import experiments_folder, next_number
from ohlcv_factory.storage.formats import write_json
from ohlcv_factory.storage.locks import on_network, refuse_held

STATE = "state.json"
CREATED, RUNNING, FINISHED, FAILED, INTERRUPTED = "CREATED", "RUNNING", "FINISHED", "FAILED", "INTERRUPTED"
LOST = "LOST"
STATES = (CREATED, RUNNING, FINISHED, FAILED, INTERRUPTED, LOST)
HEARTBEAT_SECONDS = 15.0
LOST_AFTER = timedelta(seconds=60)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class RunState:
    """What `state.json` says."""

    state: str
    attempt: int = 1
    """How many processes have worked on the folder, this one included."""
    order: int = 0
    """Counts beginnings and ends in the experiments folder; a clock that is set back does not change their order."""
    pid: int | None = None
    host: str = ""
    boot_id: str = ""
    """With host and pid it tells one process from any other; empty where the system has none."""
    started: str = ""
    """When the attempt began, UTC."""
    updated: str = ""
    """When this was written, UTC."""
    resumed_from: str | None = None
    """The checkpoint that the attempt continued from, or `start`; None for a first attempt."""
    error: Mapping[str, str] | None = None
    """type, message and hint of what stopped it."""


class StateFile:
    """The state of a folder that this process works on; one object per attempt."""

    def __init__(self, folder: Path, clock: Clock = system_clock, *, attempt: int = 1) -> None:
        self.folder, self.clock = folder, clock
        self._writing = threading.Lock()
        self.now = RunState(
            CREATED, attempt, 0, os.getpid(), platform.node(), _boot_id(), precise_utc_text(clock()),
            resumed_from=None if attempt == 1 else "start",
        )  # fmt: skip

    def write(self, state: str, error: Mapping[str, str] | None = None) -> None:
        """Say that the folder is in another state. Raises StorageError (74) when the disk refuses."""
        self._put(
            replace(self.now, state=state, error=error, order=next_number(experiments_folder(self.folder.parent)))
        )

    def continues_from(self, place: str) -> None:
        """Say what the attempt continues from."""
        self._put(replace(self.now, resumed_from=place))

    def beat(self) -> None:
        """Write the state again with the time of now."""
        self._put(self.now)

    def _put(self, state: RunState) -> None:
        with self._writing:
            self.now = replace(state, updated=precise_utc_text(self.clock()))
            write_json(self.folder / STATE, asdict(self.now))


def dated_name(name: str, clock: Clock) -> str:
    """`<name>_<UTC stamp>_<short id>`; the random part keeps two runs of one second apart."""
    return f"{name}_{clock().strftime('%Y%m%dT%H%M%SZ')}_{secrets.token_hex(3)}"


def created_folder(folder: Path, clock: Clock) -> Path:
    """A new folder of a run or study, whose state says CREATED. Raises OutputError (73) or AccessError (77)."""
    atomic.create_folder(folder, must_be_new=True)
    StateFile(folder, clock).write(CREATED)
    return folder


@contextmanager
def heartbeat(file: StateFile) -> Iterator[None]:
    """Meanwhile the state's time is fresh, where the folder lies on a network."""
    if not on_network(file.folder):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(file, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def derived_state(folder: Path, facts: Mapping[str, Any], clock: Clock = system_clock) -> str:
    """The state of a folder whose `state.json` holds `facts`: LOST where it says that it is at work and nobody is."""
    state = str(facts["state"])
    if state not in (CREATED, RUNNING):
        return state
    if on_network(folder):
        return state if clock() - datetime.fromisoformat(facts["updated"]) < LOST_AFTER else LOST
    return state if _is_held(folder) else LOST


def told(error: BaseException) -> dict[str, str]:
    """Type, message and hint of what stopped an attempt."""
    if isinstance(error, FactoryError):
        return {"type": error.code, "message": error.what, "hint": error.help}
    return {"type": type(error).__name__, "message": str(error)}


def _beat(file: StateFile, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT_SECONDS):
        with suppress(OSError):  # the next beat may get through; the run itself will meet a disk that refuses
            file.beat()


def _is_held(folder: Path) -> bool:
    try:
        refuse_held(folder, "this run")
    except LockedError:
        return True
    return False


@cache
def _boot_id() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.is_file() else ""
