"""Learn from the past, test on what comes next, move on: the past whole (expanding) or of one length (rolling)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.purge import Stretches, purged_before
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.splits.splitter import Splitter, equal_blocks

TRAIN_SHARE = 0.5
Past = Literal["expanding", "rolling"]


@dataclass(frozen=True, eq=False)
class WalkForward(Splitter):
    """Every row after the first `train_share` of the moments is tested exactly once, from earlier rows only.

    Purge and embargo lie before each tested block, as before the borders of a dataset's parts. A rolling past has the
    length of the first one. Windows of the past cannot reach what comes later, so `purge_windows` changes nothing and is
    refused. Raises UsageError (2) for fewer than 1 fold or a share outside 0 to 1.

    >>> [[rows.tolist() for rows in fold] for fold in WalkForward(2, spans=1, embargo_bars=1).split(range(8))]
    [[[0, 1, 2], [4, 5]], [[0, 1, 2, 3, 4], [6, 7]]]
    """

    n_splits: int = 5
    train_share: float = TRAIN_SHARE
    """Share of the distinct moments before the first tested block."""
    past: Past = "expanding"

    def __post_init__(self) -> None:
        if self.n_splits < 1:
            raise UsageError(f"n_splits must be at least 1, got {self.n_splits}.", where="n_splits", help="5 is usual")
        if not 0 < self.train_share < 1:
            raise UsageError(
                f"train_share must lie between 0 and 1, got {self.train_share}.",
                where="train_share",
                help=f"{TRAIN_SHARE}: half of the rows before the first test",
            )
        if self.past not in ("expanding", "rolling"):
            raise UsageError(f"past must be expanding or rolling, got {self.past!r}.", where="past", help="expanding")
        if self.purge_windows:
            raise UsageError(
                "purge_windows: windows of earlier rows never reach a later block.",
                where="purge_windows",
                help="leave it out",
            )

    @property
    def tested(self) -> tuple[tuple[int, ...], ...]:
        """One block a fold, in time order."""
        return tuple((group,) for group in range(self.n_splits))

    def block_borders(self, spans: LabelSpans) -> np.ndarray:
        """Equal shares of the distinct moments after the first past."""
        return equal_blocks(spans, self.n_splits, self.train_share)

    def training(self, spans: LabelSpans, test: Stretches, embargo: tuple[int, ...]) -> Stretches:
        """The rows before the block, from the first one or from one past's length before it."""
        return purged_before(spans, test[0], embargo[0], self._first_row(spans, test))

    def offered(self, spans: LabelSpans, test: Stretches) -> int:
        """The rows of the past."""
        return test[0][0] - self._first_row(spans, test)

    def _first_row(self, spans: LabelSpans, test: Stretches) -> int:
        if self.past == "expanding":
            return 0
        moments = spans.beginnings
        length = np.searchsorted(moments, self.block_borders(spans)[0])
        return int(moments[np.searchsorted(moments, test[0][0]) - length])
