"""Which members an ensemble needs: forward selection by the log-loss of their mean, judged on later rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.evaluation.classification import log_loss


@dataclass(frozen=True)
class MemberChoice:
    """The members in the order in which they were added, and how many of them stay."""

    order: tuple[str, ...]
    losses: tuple[float, ...]
    """Log-loss of the mean of the first 1, 2, … members on the judging rows, in nats."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """Those up to the smallest loss; fewer members where losses are equal."""
        return self.order[: int(np.argmin(self.losses)) + 1]

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"order": list(self.order), "losses": list(self.losses), "chosen": list(self.chosen)}


def greedy_choice(
    probabilities: Mapping[str, np.ndarray], truth: np.ndarray, choosing: np.ndarray, judging: np.ndarray
) -> MemberChoice:
    """Add the member that lowers the log-loss of the plain mean most, again and again (Caruana et al. 2004).

    probabilities `(n, 3)` out of fold by member, truth `(n,)`; the order comes from the rows `choosing`, the number of
    members from the later rows `judging` (purged from the first), or from `choosing` where there are none.
    """
    judges = judging if len(judging) else choosing
    order: list[str] = []
    losses: list[float] = []
    while len(order) < len(probabilities):
        rest = [name for name in probabilities if name not in order]
        order.append(min(rest, key=lambda name: _loss([*order, name], probabilities, truth, choosing)))
        losses.append(_loss(order, probabilities, truth, judges))
    return MemberChoice(tuple(order), tuple(losses))


def _loss(names: list[str], probabilities: Mapping[str, np.ndarray], truth: np.ndarray, rows: np.ndarray) -> float:
    return log_loss(truth[rows], np.mean([probabilities[name][rows] for name in names], axis=0))
