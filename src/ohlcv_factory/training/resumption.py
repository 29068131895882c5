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
from ohlcv_factory.storage.formats import jsonable, read_json, told_as_damage
from ohlcv_factory.storage.run_state import FINISHED, STATE
from ohlcv_factory.training import artifacts


def unfinished_attempt(folder: Path) -> int:
    """How many processes have worked on a run that is not finished.

    Raises InputMissingError (66) where there is no run, UsageError (2) for a finished one, DataError (65) for a damaged state.
    """
    values = read_json(folder / STATE)
    with told_as_damage(folder / STATE):
        state, attempt = str(values["state"]), int(values["attempt"])
    if state == FINISHED:
        raise UsageError("the run is finished.", where=str(folder), help="train a new one")
    return attempt


def refuse_other_start(folder: Path, settings: Mapping[str, Any], container: TimeSeriesDataContainer) -> None:
    """Raise UsageError (2) with each key in which data or settings differ from those that the run began with."""
    changed = changed_since_start(folder, settings, container)
    if changed:
        raise UsageError(
            f"the run began with other values: {'; '.join(changed)}.",
            where=str(folder),
            help="put them back, or begin anew with those of now: a run by resume RUN --fork, a study in another folder",
        )


def changed_since_start(folder: Path, settings: Mapping[str, Any], container: TimeSeriesDataContainer) -> list[str]:
    """What is no longer as a run began with it, then and now: keys of its settings, and its data by their digest."""
    before, then = _began_with(folder / artifacts.START)
    now, there = flat_keys(jsonable(settings)), container.fingerprint
    keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    changed = [f"{key}: {_word(before, key)} then, {_word(now, key)} now" for key in keys]
    return changed + ([f"dataset: digest {then[:12]} then, {there[:12]} now"] if then != there else [])


def _began_with(start: Path) -> tuple[dict[str, Any], str]:
    """Settings by dotted key and the fingerprint of the data. Raises DataError (65) for a file that says neither."""
    values = read_json(start)
    with told_as_damage(start):
        return flat_keys(values["settings"]), str(values["data_fingerprint"])


def _word(values: Mapping[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "not there"


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
