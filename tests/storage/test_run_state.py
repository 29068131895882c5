"""What a state file says, who is lost, and in which order things happened."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ohlcv_factory.errors import StorageError, UsageError
from ohlcv_factory.storage import locks, run_state
from ohlcv_factory.storage.experiments import next_number
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.locks import folder_lock, on_network
from ohlcv_factory.storage.run_state import StateFile, derived_state, heartbeat, told

START = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "run").mkdir(parents=True)
    return tmp_path / "runs" / "run"


@pytest.fixture
def on_nfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "mounts").write_text(f"disk / ext4 rw 0 0\nserver:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(locks, "MOUNTS", tmp_path / "mounts")
    yield


def test_the_state_names_the_process_the_attempt_and_what_it_continues_from(run: Path) -> None:
    clock = Clock()
    file = StateFile(run, clock, attempt=2)
    clock.now += timedelta(seconds=5)
    file.write("RUNNING")
    file.continues_from("checkpoint_epoch_0003")
    assert read_json(run / "state.json") == {
        "state": "RUNNING",
        "attempt": 2,
        "order": 1,
        "pid": os.getpid(),
        "host": platform.node(),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "started": "2026-11-27T12:00:00.000000Z",
        "updated": "2026-11-27T12:00:05.000000Z",
        "resumed_from": "checkpoint_epoch_0003",
        "error": None,
    }


def test_a_running_folder_without_a_holder_is_lost_and_nothing_is_written_to_say_so(run: Path) -> None:
    StateFile(run).write("RUNNING")
    written = (run / "state.json").read_bytes()
    facts = read_json(run / "state.json")
    with folder_lock(run, "a training"):
        assert derived_state(run, facts) == "RUNNING"
    assert derived_state(run, facts) == "LOST"
    assert derived_state(run, {**facts, "state": "FAILED"}) == "FAILED"
    assert (run / "state.json").read_bytes() == written


def test_on_a_network_a_folder_is_lost_a_minute_after_its_last_heartbeat(run: Path, on_nfs: None) -> None:
    clock = Clock()
    file = StateFile(run, clock)
    file.write("RUNNING")
    for seconds in (59, 59):
        clock.now += timedelta(seconds=seconds)
        assert derived_state(run, read_json(run / "state.json"), clock) == "RUNNING"
        file.beat()
    clock.now += timedelta(seconds=60)
    assert derived_state(run, read_json(run / "state.json"), clock) == "LOST"


def test_a_heartbeat_writes_the_time_until_the_work_is_over(
    run: Path, on_nfs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_state, "HEARTBEAT_SECONDS", 0.01)
    beaten = threading.Event()
    file = StateFile(run, Clock())
    monkeypatch.setattr(file, "beat", beaten.set)
    with heartbeat(file):
        assert beaten.wait(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def test_a_local_folder_has_no_heartbeat(run: Path) -> None:
    with heartbeat(StateFile(run)):
        assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


@pytest.mark.parametrize(
    ("kind", "expected"), [("nfs", True), ("cifs", True), ("lustre", True), ("ext4", False), ("tmpfs", False)]
)
def test_the_innermost_mount_decides_whether_a_network_lies_between(
    kind: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "ext4" if expected else "nfs"
    (tmp_path / "mounts").write_text(f"a / {other} rw 0 0\nb {tmp_path} {kind} rw 0 0\nc {tmp_path}x {other} rw 0 0\n")
    monkeypatch.setattr(locks, "MOUNTS", tmp_path / "mounts")
    assert on_network(tmp_path) is expected


def test_numbers_grow_across_processes_and_survive_a_damaged_file(tmp_path: Path) -> None:
    assert [next_number(tmp_path) for _ in range(3)] == [1, 2, 3]
    assert (tmp_path / "counter").stat().st_size == 20
    (tmp_path / "counter").write_bytes(b"torn")
    assert next_number(tmp_path) == 1
    with pytest.raises(StorageError):
        next_number(tmp_path / "absent")


def test_an_error_is_told_with_type_message_and_hint() -> None:
    assert told(UsageError("no.", help="yes")) == {"type": "E-usage", "message": "no.", "hint": "yes"}
    assert told(ZeroDivisionError("oh")) == {"type": "ZeroDivisionError", "message": "oh"}
