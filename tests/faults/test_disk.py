"""A disk that refuses, is full, or may not be written: the old state or the new one, a sentence, and the next attempt ends equal."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import call, succeed
from faulty_runs import check_same, check_whole, command, whole_run

from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import read_json

CALLS = (
    (os, "open"),
    (os, "fsync"),
    (os, "replace"),
    (os, "rename"),
    (Path, "write_bytes"),
    (Path, "mkdir"),
    (Path, "open"),
)
"""What our writers ask of the system; libraries that write by themselves are followed by an fsync of ours."""


class Disk:
    """Counts the calls that concern a folder, and lets the n-th of them fail."""

    def __init__(self, folder: Path, fails_at: int = 0, number: int = errno.ENOSPC) -> None:
        self.folder, self.fails_at, self.number, self.calls = folder, fails_at, number, 0

    def wrapped(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            if self._concerns(given[0]):
                self.calls += 1
                if self.calls == self.fails_at:
                    raise OSError(self.number, os.strerror(self.number), str(given[0]))
            return genuine(*given, **options)

        return call

    def _concerns(self, place: Any) -> bool:
        if isinstance(place, int):
            place = os.readlink(f"/proc/self/fd/{place}")
        return str(place).startswith(str(self.folder))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in CALLS:
                patch.setattr(owner, name, self.wrapped(getattr(owner, name)))
            yield


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_whichever_call_of_a_writer_fails_the_file_is_the_old_or_the_new_one(number: int, tmp_path: Path) -> None:
    """F2, for one file: all calls until a clean pass."""
    path, fails_at = tmp_path / "a.txt", 0
    path.write_text("old")
    while True:
        fails_at += 1
        disk = Disk(tmp_path, fails_at, number)
        try:
            with disk.in_place():
                atomic.write_text(path, "new")
        except OSError as error:
            assert getattr(error, "exit_code", None) == 74
            assert path.read_text() in {"old", "new"}
            assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
            path.write_text("old")
            continue
        break
    assert fails_at > 5
    assert path.read_text() == "new"


@pytest.fixture(scope="module")
def whole(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int]]:
    """A run of each model that nothing hit, and how many calls to the disk it made."""
    found = {}
    for model in ("logistic", "lightgbm"):
        if model == "lightgbm":
            pytest.importorskip("lightgbm")
        runs = tmp_path_factory.mktemp("whole") / model / "runs"
        disk = Disk(runs.parent)
        with disk.in_place():
            run = whole_run(model, small, runs)
        found[model] = (run, disk.calls)
    return found


def check_failing_call(model: str, fails_at: int, number: int, small: Path, folder: Path, whole: Path) -> None:
    """F2, for a run: exit 74 with the file, FAILED as far as the run had begun, and the next attempt ends equal."""
    runs = folder / "runs"
    with Disk(folder, fails_at, number).in_place():
        answer = call(*command(model, small, runs))
    assert answer.code == 74, (fails_at, answer.err)
    assert str(folder) in answer.err and os.strerror(number) in answer.err
    for run in [state.parent for state in runs.glob("*/state.json")]:
        check_whole(run)
        state = read_json(run / "state.json")
        if not (run / "config" / "start.json").is_file():  # nothing to continue yet
            continue
        assert state["state"] == "FAILED"
        assert str(folder) in state["error"]["message"]
        assert f"ohlcv-factory resume {run}" in answer.err
        succeed("resume", run)
        check_same(run, whole)


@pytest.mark.parametrize(("model", "number"), [("logistic", errno.ENOSPC), ("lightgbm", errno.EIO)])
def test_a_run_that_a_call_fails_ends_in_order_and_the_next_attempt_ends_equal(
    model: str, number: int, small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F2, a seeded sample."""
    run, calls = whole[model]
    for fails_at in sorted(random.Random(model).sample(range(1, calls + 1), 4)):
        check_failing_call(model, fails_at, number, small, tmp_path / str(fails_at), run)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("model", ["logistic", "lightgbm"])
def test_a_run_survives_the_failure_of_every_single_call(
    model: str, number: int, small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F2, all calls."""
    run, calls = whole[model]
    for fails_at in range(1, calls + 1):
        check_failing_call(model, fails_at, number, small, tmp_path / str(fails_at), run)
