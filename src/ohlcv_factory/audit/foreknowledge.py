"""Does a column hold the answer? Its correlation with what comes next, against the most that a market ever gives away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.audit.violation import Violation, overall
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.labels.classes import LONG, SHORT

TEST = "label in features"
BLOCK_ROWS = 4096
FOREKNOWLEDGE_LIMIT = 0.5
"""|correlation| of one column with the next return or with the label's direction that no honest column has: a quarter of the
variance of what comes next. The hour that a bar lies in, stamped at its start, has 0.64 with the next return."""


@dataclass(frozen=True)
class Foreknowledge:
    """Correlation of every column of a container with what comes next, by target, `(F,)` each."""

    container: TimeSeriesDataContainer
    found: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, container: TimeSeriesDataContainer) -> Foreknowledge:
        """With the next bar's return and with the direction of the label; 0 for a constant column."""
        rows = np.flatnonzero(container.labels.scored)
        label = container.labels.label[rows]
        direction = (label == LONG).astype(np.float64) - (label == SHORT)
        following = _next_return(container, rows)
        known = np.isfinite(following)
        features = container.table[container.table_row[rows]]
        with_return = _with_each(features[known], following[known])
        return cls(
            container, {"the next bar's return": with_return, "the label's direction": _with_each(features, direction)}
        )

    @property
    def strongest(self) -> float:
        """The largest |correlation| of any column."""
        return float(max(np.abs(each).max(initial=0.0) for each in self.found.values()))

    def violations(self) -> Iterator[Violation]:
        """Columns that know more than any honest column could."""
        names, symbols = self.container.feature_names, ", ".join(self.container.symbols)
        for target, each in self.found.items():
            for column in np.flatnonzero(np.abs(each) > FOREKNOWLEDGE_LIMIT).tolist():
                words = (
                    f"its correlation with {target} is {each[column]:+.2f}, at most {FOREKNOWLEDGE_LIMIT} is credible"
                )
                yield overall(TEST, names[column], symbols, words, float(abs(each[column])))


def _next_return(container: TimeSeriesDataContainer, rows: np.ndarray) -> np.ndarray:
    """log(close[t+1] / close[t]) of some rows, NaN at the last bar."""
    following = np.full(len(rows), np.nan)
    for code, market in enumerate(container.markets):
        own = container.index["symbol_code"][rows] == code
        logs = np.log(market.bars.close)
        following[own] = np.append(np.diff(logs), np.nan)[container.index["row"][rows][own]]
    return following


def _with_each(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column `(n, F)` with a target `(n,)`, `(F,)` float64, by blocks of rows to save memory."""
    centred, mean = target - target.mean(), columns.mean(axis=0, dtype=np.float64)
    shared, squares = np.zeros(columns.shape[1]), np.zeros(columns.shape[1])
    for start in range(0, len(columns), BLOCK_ROWS):
        block = columns[start : start + BLOCK_ROWS] - mean
        shared += centred[start : start + BLOCK_ROWS] @ block
        squares += np.einsum("ij,ij->j", block, block)
    size = np.sqrt(squares * (centred @ centred))
    found: np.ndarray = np.divide(shared, size, out=np.zeros_like(shared), where=size > 0)
    return found
