"""The experiments folder around runs and studies: where it is, and in what order things happened in it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from ohlcv_factory.storage.atomic import storage_errors
from ohlcv_factory.storage.regular_files import open_or_make

RUNS_FOLDER, STUDIES_FOLDER = "runs", "studies"
TRAINING_RECIPE = Path("config") / "training_config.yaml"
STUDY_RECIPE = Path("config") / "study.yaml"
TUNING_RECIPE = Path("config") / "tuning.yaml"
BARRIER_RECIPE = Path("config") / "barrier_tuning.yaml"
"""What repeats a run, a cross-validation, a search of settings, a search of barriers: each folder holds one of them."""
COUNTER = "counter"
_DIGITS = 20


def experiments_folder(output_dir: Path) -> Path:
    """Above `runs/` or `studies/`, or the output folder itself where that has another name."""
    return output_dir.parent if output_dir.name in (RUNS_FOLDER, STUDIES_FOLDER) else output_dir


def inside(place: Path, name: str = RUNS_FOLDER) -> Path:
    """`place/runs` (or `place/studies`) where there is one, as in an experiments folder; else the place itself."""
    return place / name if (place / name).is_dir() else place


def next_number(folder: Path) -> int:
    """1, 2, 3 … across all processes that count in `folder`, whatever their clocks say.

    The file has one fixed size and is written in place, so that counting needs no room on a full disk. Raises
    StorageError (74) when the disk refuses, DataError (65) for a link or a pipe in its place.
    """
    path = folder / COUNTER
    with storage_errors(path):
        descriptor = open_or_make(path)
        try:
            with suppress(OSError):  # a file system without locks: two that end at once may then have one number
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            known = os.pread(descriptor, _DIGITS, 0).strip()
            number = 1 + (int(known) if known.isdigit() else 0)
            os.pwrite(descriptor, f"{number:>{_DIGITS}}".encode(), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return number
