"""Learning rate by epoch, as a function of what is known when the epoch begins: nothing to save, nothing to resume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal["cosine", "plateau", "none"]
LOWEST_SHARE = 0.01
"""Of the base rate, at the end of a cosine."""
PLATEAU_FACTOR = 0.5


@dataclass(frozen=True)
class Schedule:
    """Warm-up for the first epochs, then a cosine, halving at plateaus of the stop loss, or a constant."""

    name: ScheduleName
    epochs: int
    warmup_epochs: int
    plateau_patience: int

    def share(self, epoch: int, stop_losses: Sequence[float]) -> float:
        """Share of the base rate in `epoch` (from 1), given the stop losses of the epochs before it."""
        if epoch <= self.warmup_epochs:
            return epoch / (self.warmup_epochs + 1)
        if self.name == "cosine":
            done = (epoch - 1 - self.warmup_epochs) / max(1, self.epochs - self.warmup_epochs)
            return LOWEST_SHARE + (1 - LOWEST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if self.name == "plateau":
            return float(PLATEAU_FACTOR ** plateaus(stop_losses, self.plateau_patience))
        return 1.0


def plateaus(losses: Sequence[float], patience: int) -> int:
    """How often `patience` epochs in a row brought no new lowest loss; counting starts again after each time."""
    lowest, waited, count = math.inf, 0, 0
    for loss in losses:
        lowest, waited = (loss, 0) if loss < lowest else (lowest, waited + 1)
        if waited > patience:
            count, waited = count + 1, 0
    return count
