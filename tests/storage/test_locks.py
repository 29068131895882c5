"""A folder is held by one process at a time, and one that has patience gets it when the other lets go."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ohlcv_factory.errors import LockedError
from ohlcv_factory.storage.locks import folder_lock


def test_a_folder_that_is_held_is_refused_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    with (
        folder_lock(tmp_path, "a training"),
        pytest.raises(LockedError, match="a sweep is still at work") as caught,
        folder_lock(tmp_path, "a sweep"),
    ):
        pass
    assert (caught.value.exit_code, caught.value.where) == (75, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_who_holds_a_folder_is_not_looked_for_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.json")
    with (
        folder_lock(tmp_path, "a training"),
        pytest.raises(LockedError, match=r"a sweep is still at work\.\n"),
        folder_lock(tmp_path, "a sweep"),
    ):
        pass


def test_patience_waits_for_the_other_to_let_go(tmp_path: Path) -> None:
    held = threading.Event()

    def hold() -> None:
        with folder_lock(tmp_path, "the first"):
            held.set()
            time.sleep(0.3)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    started = time.monotonic()
    with folder_lock(tmp_path, "the second", patience_seconds=20.0):
        assert time.monotonic() - started < 10.0
    other.join()
