"""A disk that refuses, is full, or may not be written: the old state or the new one, a sentence, and the next attempt ends equal."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import call, succeed
from faulty_runs import MAIN, check_same, check_whole, command, hurt, only_run, surroundings, whole_run

from ohlcv_factory.dataset.store import MANIFEST as DATASET_MANIFEST
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.cache import CACHE_VARIABLE, KNOWN
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.manifests import manifest_digest

NOBODY = 65534
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
        if state["state"] == "FINISHED":  # what is printed of it could not be read
            check_same(run, whole)
            continue
        assert state["state"] == "FAILED"
        assert str(folder) in state["error"]["message"]
        assert f"ohlcv-factory resume {run}" in answer.err
        succeed("resume", run)
        check_same(run, whole)


@pytest.mark.parametrize(
    ("model", "number"),
    [("logistic", errno.ENOSPC), pytest.param("lightgbm", errno.EIO, marks=pytest.mark.slow)],
)
def test_a_run_that_a_call_fails_ends_in_order_and_the_next_attempt_ends_equal(
    model: str, number: int, small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F2, a seeded sample."""
    run, calls = whole[model]
    for fails_at in sorted(random.Random(model).sample(range(1, calls + 1), 3)):
        check_failing_call(model, fails_at, number, small, tmp_path / str(fails_at), run)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("model", "step"), [("logistic", 1), ("lightgbm", 5)])
def test_a_run_survives_the_failure_of_every_call(
    model: str, step: int, small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F2: ENOSPC and EIO in turn, at all calls; at every fifth where the many of checkpoints are alike."""
    run, calls = whole[model]
    for turn, fails_at in enumerate(range(1, calls + 1, step)):
        number = (errno.ENOSPC, errno.EIO)[turn % 2]
        check_failing_call(model, fails_at, number, small, tmp_path / str(fails_at), run)


IN_NAMESPACE = ("unshare", "--mount", "--propagation", "private", "bash", "-c")
"""A mount that no other process sees, and that ends with its own."""


def mountable() -> bool:
    """Whether this process may mount a file system in a namespace of its own."""
    probe = "mount -t tmpfs -o size=64k tmpfs /mnt"
    try:
        return subprocess.run([*IN_NAMESPACE, probe], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


MOUNTABLE = mountable()
LIMITED = """
import os, resource, signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["MOST_BYTES"]),) * 2)
"""
"""A process that can write no file beyond a size: what a full disk is to one that is not root."""


@pytest.mark.skipif(MOUNTABLE, reason="a disk of its own is filled instead")
def test_a_file_that_finds_no_room_is_74_and_with_room_the_resume_ends_equal(
    small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F5 without root."""
    run, _ = whole["lightgbm"]
    largest = max((run / "checkpoints").rglob("model.txt"), key=lambda path: path.stat().st_size)
    answer = hurt(LIMITED, command("lightgbm", small, tmp_path / "runs"), MOST_BYTES=str(largest.stat().st_size - 1))
    check_full(answer, only_run(tmp_path / "runs"), "File too large")
    succeed("resume", only_run(tmp_path / "runs"))
    check_same(only_run(tmp_path / "runs"), run)


def check_full(answer: subprocess.CompletedProcess[str], run: Path, says: str) -> None:
    """Exit 74 with what happened, where, what is kept and how to go on."""
    assert answer.returncode == 74, answer.stderr
    assert says in answer.stderr and "make room" in answer.stderr
    assert f"checkpoints and all that is finished are kept: ohlcv-factory resume {run}" in answer.stderr
    assert "Traceback" not in answer.stderr
    check_whole(run)
    assert list((run / "checkpoints").glob("checkpoint_epoch_*"))


needs_mount = pytest.mark.skipif(not MOUNTABLE, reason="needs root and mount namespaces")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user that modes apply to")


def in_namespace(folder: Path, script: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """`ohlcv-factory` is `$FACTORY`, its arguments are `$@`; the file that it is lies in `folder`."""
    (folder / "factory.py").write_text(MAIN)
    environment = surroundings(FACTORY=f"{sys.executable} {folder / 'factory.py'}")
    command = [*IN_NAMESPACE, script, "bash", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@needs_mount
def test_a_run_that_fills_its_disk_goes_on_to_the_same_bytes_when_there_is_room(
    small: Path, whole: dict[str, tuple[Path, int]], tmp_path: Path
) -> None:
    """F5 on a disk of its own, which then grows."""
    disk, run = tmp_path / "disk", whole["lightgbm"][0]
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size=160k tmpfs {disk}
        $FACTORY "$@"; code=$?
        run=$(dirname {disk}/runs/*/state.json)
        cp -r {disk} {tmp_path}/full
        mount -o remount,size=20m {disk}
        $FACTORY resume $run >&2 || exit 99
        cp -r {disk} {tmp_path}/grown
        exit $code
    """
    answer = in_namespace(tmp_path, script, command("lightgbm", small, disk / "runs"))
    full = only_run(tmp_path / "full" / "runs")
    shown = disk / "runs" / full.name
    assert answer.returncode == 74, answer.stderr
    assert "No space left on device" in answer.stderr and "make room" in answer.stderr
    assert f"checkpoints and all that is finished are kept: ohlcv-factory resume {shown}" in answer.stderr
    check_whole(full)
    check_same(only_run(tmp_path / "grown" / "runs"), run)


@needs_mount
def test_a_read_only_disk_is_74_before_any_training(small: Path, tmp_path: Path) -> None:
    """F6: a mount that lets nothing be written."""
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o ro tmpfs {tmp_path}/disk; $FACTORY "$@"'
    answer = in_namespace(tmp_path, script, command("lightgbm", small, tmp_path / "disk" / "runs"))
    check_refused(answer, 74, "Read-only file system")


@needs_root
def test_a_folder_that_may_not_be_written_is_77_before_any_training(small: Path) -> None:
    """F6: as a user of no rights; root ignores modes."""
    becoming_nobody = f"""
import os, lightgbm, ohlcv_factory.cli.scores, ohlcv_factory.training.trainer
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
"""
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to others
        os.chmod(place, 0o755)
        shutil.copytree(small, Path(place) / "dataset")
        cache = {"NUMBA_CACHE_DIR": str(Path(place) / "compiled"), CACHE_VARIABLE: str(Path(place) / "known")}
        for folder in cache.values():
            Path(folder).mkdir()
            os.chown(folder, NOBODY, NOBODY)
        # a dataset that is known: the user of no rights may not start this Python again to try a foreign one
        (Path(place) / "known" / KNOWN).write_text(f"{manifest_digest(small, DATASET_MANIFEST)}\n")
        os.chown(Path(place) / "known" / KNOWN, NOBODY, NOBODY)
        answer = hurt(becoming_nobody, command("lightgbm", Path(place) / "dataset", Path(place) / "runs"), **cache)
    check_refused(answer, 77, "cannot be written")


def check_refused(answer: subprocess.CompletedProcess[str], code: int, says: str) -> None:
    assert answer.returncode == code, answer.stderr
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr and "resume" not in answer.stderr
