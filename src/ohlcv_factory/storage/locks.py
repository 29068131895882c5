"""A lock that ends with its process, also on kill -9."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohlcv_factory.errors import FactoryError, LockedError
from ohlcv_factory.storage.atomic import storage_errors
from ohlcv_factory.storage.regular_files import read_regular

POLL_SECONDS = 0.1
HOLDER = "state.json"
"""Where a folder says which process works on it."""
MOST_HOLDER_BYTES = 1 << 20
NETWORK_SYSTEMS = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "virtiofs",
}  # fmt: skip
MOUNTS = Path("/proc/mounts")


@contextmanager
def folder_lock(folder: Path, what: str, *, patience_seconds: float = 0.0) -> Iterator[None]:
    """Hold `folder` alone; no file is left in it.

    Raises LockedError (75), naming the process where the folder says it, where another one still holds it when the
    patience is over.
    """
    with storage_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        given_up = time.monotonic() + patience_seconds
        while not _locked(descriptor):
            if time.monotonic() >= given_up:
                raise LockedError(
                    f"{what} is still at work{_holder(folder)}.", where=str(folder), help="wait for it, or end it"
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def refuse_held(folder: Path, what: str) -> None:
    """Raise LockedError (75), naming the process, while another one holds the folder."""
    with folder_lock(folder, what):
        pass


def on_network(folder: Path) -> bool:
    """Whether a folder lies on a file system whose locks may not reach the other machines; False where none is told."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return False
    place = os.path.realpath(folder)
    mounts = [line.split()[1:3] for line in lines]
    around = [(point, kind) for point, kind in mounts if point == "/" or f"{place}/".startswith(f"{point}/")]
    return bool(around) and max(around, key=lambda mount: len(mount[0]))[1] in NETWORK_SYSTEMS


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(folder: Path) -> str:
    """` (process 4711 on host)`, as far as the folder says it."""
    try:
        facts = json.loads(read_regular(folder / HOLDER, MOST_HOLDER_BYTES))
        return f" (process {facts['pid']} on {facts['host']})"
    except (FactoryError, OSError, ValueError, KeyError, TypeError):
        return ""
