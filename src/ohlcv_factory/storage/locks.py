"""A lock that ends with its process, also on kill -9."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ohlcv_factory.errors import LockedError


@contextmanager
def folder_lock(folder: Path, what: str) -> Iterator[None]:
    """Hold `folder` alone; no file is left in it. Raises LockedError (75) where another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(f"{what} is still at work.", where=str(folder), help="wait for it, or end it") from None
        yield
    finally:
        os.close(descriptor)
