"""A lock that ends with its process, also on kill -9."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohlcv_factory.errors import LockedError

POLL_SECONDS = 0.1


@contextmanager
def folder_lock(folder: Path, what: str, *, patience_seconds: float = 0.0) -> Iterator[None]:
    """Hold `folder` alone; no file is left in it.

    Raises LockedError (75) where another process still holds it when the patience is over.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        given_up = time.monotonic() + patience_seconds
        while not _locked(descriptor):
            if time.monotonic() >= given_up:
                raise LockedError(f"{what} is still at work.", where=str(folder), help="wait for it, or end it")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
