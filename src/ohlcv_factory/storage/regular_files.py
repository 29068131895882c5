"""Files opened so that only a regular one is ever read: no link, no pipe on which a reader waits for ever, no device."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.storage.atomic import storage_errors

CHUNK_BYTES = 1 << 20
MOST_TABLE_BYTES = 64 << 30


def open_regular(path: Path) -> BinaryIO:
    """A regular file for reading, its last component no link.

    Raises InputMissingError (66) where there is none, DataError (65) for a link, a folder, a pipe or a device, AccessError
    (77) and StorageError (74).
    """
    try:
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _told(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise irregular(path)
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file. Raises what `open_regular` does, and DataError (65) above `most_bytes`."""
    with open_regular(path) as stream, storage_errors(path):
        if os.fstat(stream.fileno()).st_size > most_bytes:
            raise DataError(
                f"{path.name} is larger than {most_bytes} bytes.", where=str(path), help="no such file is written here"
            )
        return stream.read()


def open_or_make(path: Path, more: int = 0) -> int:
    """A descriptor that reads and writes a regular file of one name, which is made where there is none; `more` are flags.

    Raises DataError (65) for a link, a second name, a pipe or a device: what is written would go elsewhere. OSError else.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | more, 0o644)
    except OSError:
        if _cause(path) == errno.ELOOP:
            raise irregular(path) from None
        raise
    if not _is_one_file(os.fstat(descriptor)):
        os.close(descriptor)
        raise irregular(path)
    return descriptor


def refuse_irregular_database(path: Path) -> None:
    """Raise DataError (65) for a link, a pipe or a device in the place of a database of SQLite, which opens it by its name.

    The same of what SQLite keeps beside it: a planted journal would be played back. A database that is not there may be
    made, and of a folder SQLite says so itself. Raises AccessError (77) and StorageError (74).
    """
    for each in database_files(path):
        with storage_errors(each):
            status = each.lstat() if os.path.lexists(each) else None
        if status is not None and not _is_one_file(status) and not stat.S_ISDIR(status.st_mode):
            raise irregular(each)


def database_files(path: Path) -> list[Path]:
    """A database of SQLite and the files that may lie beside it."""
    return [path.with_name(f"{path.name}{suffix}") for suffix in ("", "-journal", "-wal", "-shm")]


def is_ours(path: Path) -> bool:
    """Whether a regular file belongs to this account, and nobody else may write to it. Raises OSError where there is none."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def irregular(path: Path) -> DataError:
    """The error for a link, a folder, a pipe, a socket or a device where a file should be."""
    return DataError(
        f"{path.name} is no regular file.", where=str(path), help="remove it: no such thing is written here"
    )


def _is_one_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def _told(path: Path, error: OSError) -> Exception:
    number = _cause(path)
    if number == errno.ENOENT:
        return InputMissingError(f"{path} does not exist.", where=str(path), help="is this the right folder?")
    return irregular(path) if number in (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENOTDIR) else error


def _cause(path: Path) -> int | None:
    """Why a path cannot be opened; None where no more than the system's word is known."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return error.errno
    return None if stat.S_ISREG(mode) else errno.ELOOP
