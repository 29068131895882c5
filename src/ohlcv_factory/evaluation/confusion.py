"""Scores of confusion matrices: one, or a stack of them such as the resamples of a bootstrap.

Every function takes counts or shares `(..., 3, 3)`, rows truth, columns decision, order short, neutral, long, and gives
one number per matrix `(...)`, NaN where it is undefined. Averages over classes take those that occur in the truth.
"""

from __future__ import annotations

import numpy as np

from ohlcv_factory.labels.classes import CLASS_COUNT, LONG, SHORT

SIDES = np.array([SHORT, LONG])


def confusion_matrix(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Counts `(3, 3)` int64 of classes `(n,)`."""
    counts = np.bincount(_cell(truth, decision), minlength=CLASS_COUNT**2)
    return np.asarray(counts.reshape(CLASS_COUNT, CLASS_COUNT))


def cell_columns(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """0/1 columns `(n, 9)`, which cell each row falls in: their means, reshaped, are a matrix of shares."""
    return np.asarray(np.eye(CLASS_COUNT**2)[_cell(truth, decision)])


def _cell(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    return np.asarray(truth.astype(np.int64) * CLASS_COUNT + decision)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of decisions that are the truth."""
    return _ratio(_hits(matrix).sum(axis=-1), matrix.sum(axis=(-1, -2)))


def f1_by_class(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class, `(..., 3)`; NaN for a class that does not occur."""
    support = matrix.sum(axis=-1)
    return _ratio(np.where(support > 0, 2 * _hits(matrix), np.nan), support + matrix.sum(axis=-2))


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes."""
    return _mean_of_present(f1_by_class(matrix), matrix)


def weighted_f1(matrix: np.ndarray) -> np.ndarray:
    """F1 weighted by the rows of each class."""
    support = matrix.sum(axis=-1)
    weighted = np.where(support > 0, f1_by_class(matrix), 0.0) * support
    return _ratio(weighted.sum(axis=-1), support.sum(axis=-1))


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall of the classes."""
    return _mean_of_present(_ratio(_hits(matrix), matrix.sum(axis=-1)), matrix)


def matthews_correlation(matrix: np.ndarray) -> np.ndarray:
    """Correlation of truth and decision over three classes (Gorodkin 2004); NaN when either never varies."""
    cells = matrix.astype(np.float64)
    support, decided, total = cells.sum(axis=-1), cells.sum(axis=-2), cells.sum(axis=(-1, -2))
    covariance = _hits(cells).sum(axis=-1) * total - (support * decided).sum(axis=-1)
    spread = (total**2 - (support**2).sum(axis=-1)) * (total**2 - (decided**2).sum(axis=-1))
    return _ratio(covariance, np.sqrt(np.where(spread > TINY * total**4, spread, 0.0)))


def direction_hit_rate(matrix: np.ndarray) -> np.ndarray:
    """Of rows where truth and decision are both not neutral, the share where they agree."""
    sides = _sides(matrix)
    return _ratio(_hits(sides).sum(axis=-1), sides.sum(axis=(-1, -2)))


def independent_rate(matrix: np.ndarray) -> np.ndarray:
    """The hit rate that the marginals of those rows give when truth and decision know nothing of each other."""
    sides = _sides(matrix)
    total = sides.sum(axis=(-1, -2))
    truth, decision = (_ratio(sides.sum(axis=axis), total[..., None]) for axis in (-1, -2))
    return np.asarray((truth * decision).sum(axis=-1))


def direction_edge(matrix: np.ndarray) -> np.ndarray:
    """Direction hit rate minus independent rate."""
    return np.asarray(direction_hit_rate(matrix) - independent_rate(matrix))


TINY = 1e-15
"""Spreads below this share of total⁴ are rounding: a constant decision has one of 1e-17."""


def _hits(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(np.diagonal(matrix, axis1=-2, axis2=-1))


def _sides(matrix: np.ndarray) -> np.ndarray:
    """The four cells `(..., 2, 2)` of rows where neither truth nor decision is neutral."""
    return np.asarray(matrix[..., SIDES[:, None], SIDES])


def _mean_of_present(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    present = matrix.sum(axis=-1) > 0
    return _ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan))
