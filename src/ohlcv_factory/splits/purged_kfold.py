"""K blocks, each tested once while the others teach, purged on both sides (López de Prado 2018, chapter 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.splits.splitter import Splitter, equal_blocks


@dataclass(frozen=True, eq=False)
class PurgedKFold(Splitter):
    """Every row is tested exactly once. Raises UsageError (2) under 2 folds.

    >>> [[rows.tolist() for rows in fold] for fold in PurgedKFold(3, spans=1, embargo_bars=1).split(range(9))]
    [[[5, 6, 7, 8], [0, 1, 2]], [[0, 1, 8], [3, 4, 5]], [[0, 1, 2, 3, 4], [6, 7, 8]]]
    """

    n_splits: int = 5

    def __post_init__(self) -> None:
        if self.n_splits < 2:
            raise UsageError(
                f"n_splits must be at least 2, got {self.n_splits}: one block is tested, the others teach.",
                where="n_splits",
                help="5 is usual",
            )

    @property
    def tested(self) -> tuple[tuple[int, ...], ...]:
        """One block a fold."""
        return tuple((group,) for group in range(self.n_splits))

    def block_borders(self, spans: LabelSpans) -> np.ndarray:
        """Equal shares of the distinct moments."""
        return equal_blocks(spans, self.n_splits)
