"""What a run that was cut off needs to be continued: its own settings, its data, its checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.storage.checkpoints import CheckpointManager
from ohlcv_factory.storage.formats import jsonable, read_json
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.training import artifacts


def unfinished_attempt(folder: Path) -> int:
    """How many processes have worked on a run that is not finished.

    Raises InputMissingError (66) where there is no run, UsageError (2) for a finished one.
    """
    state = read_json(folder / STATE)
    if state["state"] == "FINISHED":
        raise UsageError("the run is finished.", where=str(folder), help="train a new one")
    return int(state["attempt"])


def refuse_other_start(folder: Path, settings: Mapping[str, Any], container: TimeSeriesDataContainer) -> None:
    """Raise UsageError (2) naming each key in which data or settings differ from those that the run began with."""
    changed = changed_since_start(folder, settings, container)
    if changed:
        raise UsageError(
            f"the run began with other values of: {', '.join(changed)}.",
            where=str(folder),
            help="put them back, or train a new run",
        )


def changed_since_start(folder: Path, settings: Mapping[str, Any], container: TimeSeriesDataContainer) -> list[str]:
    """The keys of settings, and the dataset, that are no longer those that a run began with."""
    start = read_json(folder / artifacts.START)
    before, now = flat_keys(start["settings"]), flat_keys(jsonable(settings))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return changed + (["dataset (its fingerprint)"] if start["data_fingerprint"] != container.fingerprint else [])


def reopened_checkpoints(target: Path, model: BaseModel) -> CheckpointManager:
    """The checkpoints to continue from; those of a model that cannot continue are removed."""
    if not model.resumable:
        shutil.rmtree(target, ignore_errors=True)
        return CheckpointManager(target)
    return CheckpointManager.reopened(target, keep_newest=True)


def flat_keys(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"model": {"lookback": 8}}` as `{"model.lookback": 8}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flat_keys(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
