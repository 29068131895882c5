"""Which folders a tracker can be told of."""

from __future__ import annotations

from pathlib import Path

from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.training.tracking.spool import SPOOL
from ohlcv_factory.training.tracking.tracked_run import RECIPES


def tracked_folders(folder: Path, *, untracked: bool = False) -> list[Path]:
    """The run or study of a folder, or all below it that were tracked; `untracked`: the others too.

    Raises InputMissingError (66) where there is none.
    """
    if not folder.is_dir():
        raise InputMissingError(f"{folder} does not exist.", where=str(folder), help="give a run folder")
    if (folder / STATE).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.rglob(STATE) if untracked or path.with_name(SPOOL).is_file())
    runs = [path for path in found if any((path / recipe).is_file() for recipe in RECIPES)]
    if not runs:
        raise InputMissingError(
            f"{folder} holds no run that was tracked.", where=str(folder), help="--track mlflow shows all of its runs"
        )
    return runs
