"""Top-k checkpoints of one fit: whole or absent, written first, pruned afterwards."""

from __future__ import annotations

import math
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from ohlcv_factory.errors import UsageError
from ohlcv_factory.storage.atomic import TEMPORARY_PREFIX, storage_errors, sync_folder
from ohlcv_factory.storage.formats import read_json, write_json

PREFIX = "checkpoint_epoch_"
STATE = "state.json"
"""Written last into a checkpoint."""


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
        """The manager of a folder that an earlier process wrote to; what that process left half-written is removed."""
        manager = cls(output_dir, keep_newest=keep_newest)
        for half_written in output_dir.glob(f"{TEMPORARY_PREFIX}*"):
            shutil.rmtree(half_written)
        for folder in sorted(output_dir.glob(f"{PREFIX}*")):
            if (folder / STATE).is_file():
                state = read_json(folder / STATE)
                metric = state["metric_value"]
                manager.checkpoints.append(Checkpoint(folder, state["epoch"], math.nan if metric is None else metric))
        manager.checkpoints.sort(key=manager._rank)
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
        temporary.mkdir(parents=True)
        try:
            save(temporary)
            write_json(temporary / STATE, {"epoch": epoch, "metric_name": metric_name, "metric_value": metric_value})
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


def _put(temporary: Path, folder: Path) -> None:
    """Give a whole checkpoint its name, in the place of an older one of the same epoch."""
    with storage_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(temporary, folder)
        sync_folder(folder.parent)
