"""Top-k checkpoints of one fit: whole or absent, written first, pruned afterwards, looked over before they are read."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ohlcv_factory.errors import FactoryError, FactoryWarning, UsageError
from ohlcv_factory.storage.atomic import TEMPORARY_PREFIX, remove_partial, storage_errors, sync_folder
from ohlcv_factory.storage.digests import folder_digests
from ohlcv_factory.storage.formats import read_json, write_json

PREFIX = "checkpoint_epoch_"
STATE = "state.json"
"""Written last into a checkpoint: epoch, metric, and the digest of every other file."""


class CheckpointWarning(FactoryWarning):
    """A checkpoint is damaged, and an earlier one is taken."""


@dataclass(frozen=True)
class Checkpoint:
    """One saved state: its folder, the epoch or round it was taken after, and the metric then."""

    path: Path
    epoch: int
    metric: float


@dataclass
class CheckpointManager:
    """Keeps the `keep_top_k` best checkpoints of a fit under `output_dir/checkpoint_epoch_NNNN/`."""

    output_dir: Path
    keep_top_k: int = 3
    mode: Literal["min", "max"] = "min"
    keep_newest: bool = False
    """Keep the newest one too, however bad its metric: a fit that was cut off continues from it."""
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.keep_top_k < 1:
            raise UsageError(
                f"keep_top_k must be at least 1, got {self.keep_top_k}.", help="keep at least one checkpoint"
            )
        if self.mode not in ("min", "max"):
            raise UsageError(f"mode must be 'min' or 'max', got {self.mode!r}.", help="min for losses, max for scores")

    @classmethod
    def reopened(cls, output_dir: Path, *, keep_newest: bool = False) -> Self:
        """The manager of a folder that an earlier process wrote to.

        What that process left half-written is removed, and so are checkpoints that are not as they were written: one
        CheckpointWarning names their files and what is left.
        """
        manager, damages = cls(output_dir, keep_newest=keep_newest), []
        remove_partial(output_dir)
        for folder in sorted(output_dir.glob(f"{PREFIX}*")):
            try:
                manager.checkpoints.append(_read(folder))
            except _DamageError as damage:
                damages.append(str(damage))
                shutil.rmtree(folder)
        manager.checkpoints.sort(key=manager._rank)
        if damages:
            left = manager.newest.path.name + " is taken" if manager.newest else "none is left: the fit starts again"
            warnings.warn(f"{'; '.join(damages)}; {left}", CheckpointWarning, stacklevel=2)
        return manager

    def save_checkpoint(
        self, save: Callable[[Path], None], epoch: int, metric_value: float, metric_name: str = "val_loss"
    ) -> Path:
        """Let `save(folder)` write the state after `epoch`, then drop what is no longer among the best.

        The new checkpoint itself is dropped when it is not among the best; its path is returned either way. NaN counts
        as the worst metric. An epoch that is saved again, after a resume, replaces what was known of it. The folder gets
        its name when everything in it is on the disk. Raises StorageError (74) when the disk refuses.
        """
        folder = self.output_dir / f"{PREFIX}{epoch:04d}"
        temporary = self.output_dir / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{folder.name}"
        with storage_errors(folder):
            temporary.mkdir(parents=True)
        try:
            with storage_errors(folder):
                save(temporary)
            state = {"epoch": epoch, "metric_name": metric_name, "metric_value": metric_value}
            write_json(temporary / STATE, {**state, "files": folder_digests(temporary)})
            _put(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.checkpoints[:] = [known for known in self.checkpoints if known.path != folder]
        self.checkpoints.append(Checkpoint(folder, epoch, metric_value))
        self._prune()
        return folder

    @property
    def best(self) -> Checkpoint | None:
        """The best checkpoint so far; the earlier one where two are equal."""
        return self.checkpoints[0] if self.checkpoints else None

    @property
    def newest(self) -> Checkpoint | None:
        """The checkpoint of the latest epoch."""
        return max(self.checkpoints, key=lambda checkpoint: checkpoint.epoch, default=None)

    def _prune(self) -> None:
        self.checkpoints.sort(key=self._rank)
        spared = self.newest if self.keep_newest else None
        for dropped in self.checkpoints[self.keep_top_k :]:
            if dropped is not spared:
                shutil.rmtree(dropped.path, ignore_errors=True)
                self.checkpoints.remove(dropped)

    def _rank(self, checkpoint: Checkpoint) -> tuple[float, int]:
        loss = checkpoint.metric if self.mode == "min" else -checkpoint.metric
        return math.inf if math.isnan(loss) else loss, checkpoint.epoch


def whole_checkpoints(output_dir: Path) -> list[Path]:
    """The checkpoints of a fit whose files are those that were written, oldest first; nothing is removed."""
    return [folder for folder in sorted(output_dir.glob(f"{PREFIX}*")) if _is_whole(folder)]


def _is_whole(folder: Path) -> bool:
    try:
        _read(folder)
    except _DamageError:
        return False
    return True


class _DamageError(Exception):
    """Says which file of a checkpoint is not as it was written."""


def _read(folder: Path) -> Checkpoint:
    """A checkpoint whose files are those that were written. Raises _DamageError with the file."""
    state = _state(folder)
    files = [known for known in folder_digests(folder) if known["path"] != STATE]
    for written in state["files"]:
        if written not in files:
            raise _DamageError(f"{folder / written['path']} is not the file that was written")
    if len(files) != len(state["files"]):
        raise _DamageError(f"{folder} holds a file that was not written with it")
    metric = state["metric_value"]
    return Checkpoint(folder, state["epoch"], math.nan if metric is None else metric)


def _state(folder: Path) -> dict[str, Any]:
    try:
        state = read_json(folder / STATE)
    except FactoryError:
        raise _DamageError(f"{folder / STATE} cannot be read") from None
    if not isinstance(state, dict) or not {"epoch", "metric_value", "files"} <= state.keys():
        raise _DamageError(f"{folder / STATE} holds no digests")
    return state


def _put(temporary: Path, folder: Path) -> None:
    """Give a whole checkpoint its name, in the place of an older one of the same epoch."""
    with storage_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(temporary, folder)
        sync_folder(folder.parent)
