"""Top-k checkpoints of one fit: written first, pruned afterwards."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ohlcv_factory.errors import UsageError
from ohlcv_factory.storage.formats import write_json


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
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.keep_top_k < 1:
            raise UsageError(
                f"keep_top_k must be at least 1, got {self.keep_top_k}.", help="keep at least one checkpoint"
            )
        if self.mode not in ("min", "max"):
            raise UsageError(f"mode must be 'min' or 'max', got {self.mode!r}.", help="min for losses, max for scores")

    def save_checkpoint(
        self, save: Callable[[Path], None], epoch: int, metric_value: float, metric_name: str = "val_loss"
    ) -> Path:
        """Let `save(folder)` write the state after `epoch`, then drop what is no longer among the best.

        The new checkpoint itself is dropped when it is not among the best; its path is returned either way. NaN counts
        as the worst metric. An epoch that is saved again, after a resume, replaces what was known of it.
        """
        folder = self.output_dir / f"checkpoint_epoch_{epoch:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        save(folder)
        write_json(folder / "state.json", {"epoch": epoch, "metric_name": metric_name, "metric_value": metric_value})
        self.checkpoints[:] = [known for known in self.checkpoints if known.path != folder]
        self.checkpoints.append(Checkpoint(folder, epoch, metric_value))
        self._prune()
        return folder

    @property
    def best(self) -> Checkpoint | None:
        """The best checkpoint so far; the earlier one where two are equal."""
        return self.checkpoints[0] if self.checkpoints else None

    def _prune(self) -> None:
        self.checkpoints.sort(key=self._rank)
        for dropped in self.checkpoints[self.keep_top_k :]:
            shutil.rmtree(dropped.path, ignore_errors=True)
        del self.checkpoints[self.keep_top_k :]

    def _rank(self, checkpoint: Checkpoint) -> tuple[float, int]:
        loss = checkpoint.metric if self.mode == "min" else -checkpoint.metric
        return math.inf if math.isnan(loss) else loss, checkpoint.epoch
