"""A file is the old one or the new one, whatever fails in between, and the error says which kind of failure it was."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ohlcv_factory.errors import AccessError, FactoryError, InputMissingError, OutputError, StorageError
from ohlcv_factory.storage import atomic

STEPS = ["mkdir", "write_bytes", "fsync 1", "replace", "fsync 2"]


def fail_at(step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one step of the writer fail: the second fsync is that of the folder."""
    name, _, turn = step.partition(" ")
    owner = Path if name in ("mkdir", "write_bytes") else os
    genuine: Callable[..., object] = getattr(owner, name)
    calls = 0

    def failing(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == int(turn or 1):
            raise error
        return genuine(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)


def test_a_file_is_written_with_its_folders_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    atomic.write_text(path, "schön\n")
    assert path.read_bytes() == b"sch\xc3\xb6n\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["c.txt"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_step_leaves_the_old_file_or_the_new_one(
    step: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    fail_at(step, OSError(number, os.strerror(number)), monkeypatch)
    with pytest.raises(StorageError) as caught:
        atomic.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == ("new" if step == "fsync 2" else "old")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert caught.value.exit_code == 74
    assert caught.value.where == str(path)


@pytest.mark.parametrize("step", STEPS)
def test_an_interruption_leaves_the_old_file_or_the_new_one(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    fail_at(step, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == ("new" if step == "fsync 2" else "old")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_library_that_dies_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.ubj"
    path.write_text("old")
    suffixes = []

    def write(temporary: Path) -> None:
        suffixes.append(temporary.suffix)
        temporary.write_text("ne")
        raise ValueError("the library's own error")

    with pytest.raises(ValueError, match="the library's own error"):
        atomic.write_with(path, write)
    assert suffixes == [".ubj"]
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.ubj"]


def test_a_library_that_writes_nothing_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        atomic.write_with(tmp_path / "a.bin", lambda temporary: None)


@pytest.mark.parametrize(
    ("raised", "kind", "what", "help"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StorageError, "No space left on device.", "make room"),
        (OSError(errno.EIO, "Input/output error"), StorageError, "Input/output error.", "check the disk"),
        (OSError("no number"), StorageError, "no number.", "check the disk"),
        (PermissionError(errno.EACCES, "Permission denied"), AccessError, "Permission denied.", "owner and mode"),
    ],
)
def test_the_systems_errors_become_ours(raised: OSError, kind: type[FactoryError], what: str, help: str) -> None:
    with pytest.raises(kind) as caught, atomic.storage_errors(Path("a.txt")):
        raise raised
    assert type(caught.value) is kind
    assert caught.value.what == f"a.txt: {what}"
    assert help in caught.value.help


@pytest.mark.parametrize("kind", [AccessError, InputMissingError, OutputError, StorageError])
def test_our_own_errors_pass_as_they_are(kind: type[FactoryError]) -> None:
    own = kind("what")
    with pytest.raises(kind) as caught, atomic.storage_errors(Path("a.txt")):
        raise own
    assert caught.value is own


def test_a_new_output_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    atomic.create_folder(tmp_path / "a" / "b", must_be_new=True)
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_an_output_folder_that_must_be_new_is_refused_when_it_holds_something(tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("kept")
    atomic.create_folder(tmp_path)
    with pytest.raises(OutputError, match="is not empty") as caught:
        atomic.create_folder(tmp_path, must_be_new=True)
    assert type(caught.value) is OutputError
    assert caught.value.exit_code == 73
    assert (tmp_path / "run.txt").read_text() == "kept"


@pytest.mark.parametrize("seal", (atomic.RUN_SEAL, atomic.DATASET_SEAL))
def test_no_output_folder_is_made_inside_what_is_finished(seal: str, tmp_path: Path) -> None:
    (tmp_path / "finished").mkdir()
    (tmp_path / "finished" / seal).write_text('{"created_by": "ohlcv-model-factory 0.1.0"}')
    with pytest.raises(OutputError, match=r"runs lies inside .*finished, which is finished") as caught:
        atomic.create_folder(tmp_path / "finished" / "deep" / "runs")
    assert caught.value.exit_code == 73
    assert [path.name for path in (tmp_path / "finished").iterdir()] == [seal]


def test_a_manifest_of_another_program_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "an extension of a browser"}')
    atomic.create_folder(tmp_path / "runs", must_be_new=True)
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("below", ["", "runs"])
def test_a_file_in_the_way_of_an_output_folder_is_an_output_error(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be created") as caught:
        atomic.create_folder(tmp_path / "file" / below)
    assert caught.value.exit_code == 73


@pytest.mark.parametrize(
    ("number", "kind", "exit_code"),
    [(errno.EACCES, AccessError, 77), (errno.EROFS, StorageError, 74), (errno.ENOSPC, StorageError, 74)],
)
@pytest.mark.parametrize("step", ["mkdir", "write_bytes"])
def test_an_output_folder_that_cannot_be_written_is_refused_before_any_work(
    step: str,
    number: int,
    kind: type[FactoryError],
    exit_code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_at(step, OSError(number, os.strerror(number)), monkeypatch)
    with pytest.raises(kind) as caught:
        atomic.create_folder(tmp_path / "runs")
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert caught.value.where == str(tmp_path / "runs")


def test_a_whole_folder_gets_its_name_when_its_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "new" / "results"
    with atomic.whole_folder(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "a.txt").read_text() == "a"
    with atomic.whole_folder(target) as folder:
        (folder / "b.txt").write_text("b")
    assert [path.name for path in target.iterdir()] == ["b.txt"]
    assert [path.name for path in target.parent.iterdir()] == ["results"]


def test_a_whole_folder_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with atomic.whole_folder(target) as folder:
        (folder / "a.txt").write_text("a")
    with pytest.raises(ZeroDivisionError), atomic.whole_folder(target) as folder:
        (folder / "a.txt").write_text("half")
        raise ZeroDivisionError
    assert (target / "a.txt").read_text() == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / f"{atomic.TEMPORARY_PREFIX}0-folder").mkdir()
    (tmp_path / f"{atomic.TEMPORARY_PREFIX}0-folder" / "file").write_text("half")
    (tmp_path / f"{atomic.TEMPORARY_PREFIX}1-file").write_text("half")
    (tmp_path / "kept").write_text("whole")
    atomic.remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
