"""Files that are whole or absent: temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ohlcv_factory.errors import AccessError, FactoryError, OutputError, StorageError

TEMPORARY_PREFIX = ".partial-"
RUN_SEAL, DATASET_SEAL = "manifest.json", "dataset.json"
"""The manifests of runs and studies, and of datasets. They are written last: a folder that holds one is finished."""
MADE_BY, HEAD_BYTES = b'"ohlcv-model-factory ', 1 << 16
"""What stands at the head of a manifest of ours; files of that name are common."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PROBE_BYTES = 1 << 16
DISK_ERRORS = (*FULL, errno.EROFS, errno.EIO)
"""What no other path on this disk would mend."""


def write_bytes(path: Path, payload: bytes) -> None:
    """Put `payload` at `path` in one step; an interruption leaves the old file or the new one."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(payload)

    write_with(path, write)


def write_text(path: Path, text: str) -> None:
    """Put UTF-8 text at `path` in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let a library write its own file under a temporary name of the same suffix, then put it at `path`.

    Raises StorageError (74) with the path when the disk refuses.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name}")
    with storage_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _let_write(write, temporary)
            sync_file(temporary)
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _let_write(write: Callable[[Path], object], temporary: Path) -> None:
    """Let a library write; where the disk made it fail, raise that instead of the library's own words."""
    try:
        write(temporary)
    except OSError:
        raise
    except Exception as error:
        refused = _refusal(temporary, error)
        if refused is not None:
            raise refused from error
        raise


def _refusal(temporary: Path, error: Exception) -> OSError | None:
    """What the disk has against a file, as the library quotes it or as writing on by ourselves shows it."""
    for number in DISK_ERRORS:
        if os.strerror(number) in str(error):
            return OSError(number, os.strerror(number))
    try:
        with temporary.open("ab") as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as refused:
        return refused
    return None


def sync_file(path: Path) -> None:
    """Flush a written file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename survives a power cut."""
    sync_file(path)


def create_folder(path: Path, *, must_be_new: bool = False) -> None:
    """Make an output folder and prove that it can be written, before any work is spent.

    Raises OutputError (73) when it cannot be created, is not empty or lies inside a finished run, study or dataset,
    AccessError (77) when it may not be written, StorageError (74) for a full, failing or read-only disk.
    """
    try:
        _refuse_inside_sealed(path)
        path.mkdir(parents=True, exist_ok=True)
        if must_be_new and any(path.iterdir()):
            raise OutputError(f"{path} is not empty.", where=str(path), help="choose a new folder, or remove this one")
        probe = path / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()
    except PermissionError as error:
        if isinstance(error, FactoryError):
            raise
        raise AccessError(f"{path} cannot be written.", where=str(path), help="choose another folder") from None
    except OSError as error:
        if isinstance(error, FactoryError):
            raise
        if error.errno in DISK_ERRORS:
            raise _storage_error(path, error) from None
        raise OutputError(
            f"{path} cannot be created: {error.strerror or error}.", where=str(path), help="choose another folder"
        ) from None


def _refuse_inside_sealed(path: Path) -> None:
    """A folder whose manifest lists every file is refused by all commands once there is one more in it."""
    for folder in path.resolve().parents:
        if any(_is_ours(folder / name) for name in (RUN_SEAL, DATASET_SEAL)):
            raise OutputError(
                f"{path} lies inside {folder}, which is finished: one file more would spoil it.",
                where=str(path),
                help="choose a folder outside of it",
            )


def _is_ours(manifest: Path) -> bool:
    if not manifest.is_file():
        return False
    with manifest.open("rb") as stream:
        return MADE_BY in stream.read(HEAD_BYTES)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that gets its name when the block ends well, in the place of what was there; else it is removed."""
    temporary = folder.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{folder.name}")
    with storage_errors(folder):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        with storage_errors(folder):
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(temporary, folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_partial(folder: Path) -> None:
    """Remove what killed processes left half-written below a folder; nobody may be writing there."""
    for left in list(folder.rglob(f"{TEMPORARY_PREFIX}*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def replace_folder(folder: Path, newer: Path) -> None:
    """Put the folder `newer` in the place of `folder`; both lie side by side on one disk.

    Between two renames `folder` is missing for a moment; the old one then waits as `previous_folder`.
    """
    previous = previous_folder(folder)
    with storage_errors(folder):
        os.rename(folder, previous)
        os.rename(newer, folder)
        sync_folder(folder.parent)
        shutil.rmtree(previous)


def previous_folder(folder: Path) -> Path:
    """Where `replace_folder` keeps the old folder until the new one is in place."""
    return folder.with_name(f"{folder.name}.previous")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours, with the path and what to do."""
    try:
        yield
    except PermissionError as error:
        if isinstance(error, FactoryError):
            raise
        raise AccessError(f"{path}: {error.strerror or error}.", where=str(path), help="check owner and mode") from None
    except OSError as error:
        if isinstance(error, FactoryError):
            raise
        raise _storage_error(path, error) from None


def _storage_error(path: Path, error: OSError) -> StorageError:
    advice = "make room and start again" if error.errno in FULL else "check the disk"
    return StorageError(f"{path}: {error.strerror or error}.", where=str(path), help=advice)
