"""Every choice of k of N blocks tested while the others teach: many backtest paths from one history.

López de Prado 2018, chapter 12. C(N, k) folds, each block predicted by C(N - 1, k - 1) of them: as many paths, each of
which holds every row once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.splits.splitter import Splitter, equal_blocks


@dataclass(frozen=True, eq=False)
class CombinatorialPurgedCV(Splitter):
    """Tested blocks that touch are one block for purge and embargo.

    Raises UsageError (2) unless 1 <= n_test_groups < n_groups.

    >>> len(CombinatorialPurgedCV(6, 2).tested), CombinatorialPurgedCV(6, 2).n_paths
    (15, 5)
    """

    n_groups: int = 6
    n_test_groups: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.n_test_groups < self.n_groups:
            raise UsageError(
                f"n_test_groups must be between 1 and n_groups - 1, got {self.n_test_groups} of {self.n_groups} groups: "
                f"{max(0, self.n_groups - self.n_test_groups)} are left to learn from.",
                where="n_test_groups",
                help="6 groups and 2 test groups make 15 folds and 5 paths",
            )

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """C(n_groups, n_test_groups)."""
        return math.comb(self.n_groups, self.n_test_groups)

    @property
    def tested(self) -> tuple[tuple[int, ...], ...]:
        """The choices in lexicographic order."""
        return tuple(combinations(range(self.n_groups), self.n_test_groups))

    @property
    def n_paths(self) -> int:
        """C(n_groups - 1, n_test_groups - 1)."""
        return math.comb(self.n_groups - 1, self.n_test_groups - 1)

    @property
    def paths(self) -> np.ndarray:
        """The number (from 1) of the fold that predicts each block on each path, int64 `(n_paths, n_groups)`.

        Path p takes each block from the p-th fold that tests it.

        >>> CombinatorialPurgedCV(4, 2).paths.tolist()
        [[1, 1, 2, 3], [2, 4, 4, 5], [3, 5, 6, 6]]
        """
        folds = [
            [number for number, groups in enumerate(self.tested, 1) if group in groups]
            for group in range(self.n_groups)
        ]
        return np.array(folds, dtype=np.int64).T

    def block_borders(self, spans: LabelSpans) -> np.ndarray:
        """Equal shares of the distinct moments."""
        return equal_blocks(spans, self.n_groups)
