"""How well classes and probabilities meet the truth, from codes `(n,)` and probabilities `(n, 3)` of scored rows.

Averages over classes take the classes that occur in the truth; `classes_present` names them. A number that is undefined
is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ohlcv_factory.evaluation import confusion
from ohlcv_factory.evaluation.significance import (
    Difference,
    Interval,
    Statistic,
    bootstrap_intervals,
    paired_differences,
    wilson_interval,
)
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES, NEUTRAL

RELIABILITY_BINS = 15
PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Smallest probability that log-loss takes a logarithm of."""


def classification_scores(
    truth: np.ndarray, decision: np.ndarray, probabilities: np.ndarray | None, uniqueness: np.ndarray
) -> dict[str, Any]:
    """The classification block of the metrics schema, JSON-ready.

    truth, decision: `(n,)` classes of scored rows; probabilities: `(n, 3)` calibrated, None for a rule that has none;
    uniqueness: `(n,)` average uniqueness of each label.
    """
    matrix = confusion.confusion_matrix(truth, decision)
    return {
        "rows": len(truth),
        "classes_present": [CLASS_NAMES[code] for code in np.flatnonzero(matrix.sum(axis=1))],
        **class_scores(matrix),
        **probability_scores(truth, decision, probabilities),
        **direction_scores(truth, decision, uniqueness),
    }


MATRIX_SCORES = {
    "accuracy": confusion.accuracy,
    "macro_f1": confusion.macro_f1,
    "weighted_f1": confusion.weighted_f1,
    "balanced_accuracy": confusion.balanced_accuracy,
    "mcc": confusion.matthews_correlation,
}


def class_scores(matrix: np.ndarray) -> dict[str, Any]:
    """Accuracy, F1 and their kin from a confusion matrix."""
    f1 = confusion.f1_by_class(matrix).tolist()
    return {
        **{name: _defined(score(matrix)) for name, score in MATRIX_SCORES.items()},
        "per_class_f1": {name: _defined(value) for name, value in zip(CLASS_NAMES, f1, strict=True)},
        "confusion_matrix": matrix.tolist(),
    }


def _defined(value: float | np.ndarray) -> float | None:
    """A plain number, None for NaN."""
    number = float(value)
    return None if math.isnan(number) else number


def probability_scores(truth: np.ndarray, decision: np.ndarray, probabilities: np.ndarray | None) -> dict[str, Any]:
    """Log-loss, Brier score and calibration error; all None without probabilities or rows."""
    if probabilities is None or len(truth) == 0:
        return dict.fromkeys(("log_loss", "brier", "ece", "reliability"))
    curve = reliability(truth, decision, probabilities)
    return {
        "log_loss": log_loss(truth, probabilities),
        "brier": brier_score(truth, probabilities),
        "ece": calibration_error(curve),
        "reliability": curve,
    }


def log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -log(probability of the true class), in nats; ln 3 = 1.0986 knows nothing."""
    return float(row_losses(truth, probabilities).mean())


def row_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """-log(probability of the true class) of each row, `(n,)` in nats."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(chosen, PROBABILITY_FLOOR, 1.0)))


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over rows of the **sum** over classes of (probability - outcome)², 0 to 2 (Brier 1950).

    2/3 knows nothing. Half of it is the two-class form that scikit-learn scales to 0 to 1.
    """
    return float(row_brier(truth, probabilities).mean())


def row_brier(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The Brier score of each row, `(n,)`."""
    outcome = np.eye(CLASS_COUNT)[truth]
    return np.asarray(((probabilities - outcome) ** 2).sum(axis=1))


def reliability(truth: np.ndarray, decision: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """15 equal-width bins of the decided class's probability: edges, rows, mean confidence and accuracy."""
    confidence = probabilities[np.arange(len(decision)), decision]
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    rows = np.bincount(bins, minlength=RELIABILITY_BINS)
    confidences, hits = (
        np.bincount(bins, values, minlength=RELIABILITY_BINS) for values in (confidence, truth == decision)
    )
    return [
        {
            "low": position / RELIABILITY_BINS,
            "high": (position + 1) / RELIABILITY_BINS,
            "rows": int(count),
            "confidence": float(confidences[position] / count) if count else None,
            "accuracy": float(hits[position] / count) if count else None,
        }
        for position, count in enumerate(rows)
    ]


def calibration_error(curve: list[dict[str, Any]]) -> float | None:
    """Expected calibration error of a reliability curve: |accuracy - confidence|, weighted by rows (Naeini 2015)."""
    filled = [each for each in curve if each["rows"]]
    total = sum(each["rows"] for each in filled)
    if not total:
        return None
    return float(sum(each["rows"] * abs(each["accuracy"] - each["confidence"]) for each in filled) / total)


def direction_scores(truth: np.ndarray, decision: np.ndarray, uniqueness: np.ndarray) -> dict[str, Any]:
    """Hit rate of direction over rows where truth and decision are both not neutral, and what chance would give.

    The Wilson interval counts each row with its average uniqueness. `independent_rate` is the hit rate of the same
    two marginals when truth and decision know nothing of each other, `direction_edge` the hit rate above it. None where
    there is no such row.
    """
    both = (truth != NEUTRAL) & (decision != NEUTRAL)
    matrix, effective = confusion.confusion_matrix(truth, decision), float(uniqueness[both].sum())
    rate = _defined(confusion.direction_hit_rate(matrix))
    return {
        "direction_hit_rate": rate,
        "direction_hit_rate_interval": None if rate is None else wilson_interval(rate, effective),
        "independent_rate": _defined(confusion.independent_rate(matrix)),
        "direction_edge": _defined(confusion.direction_edge(matrix)),
        "direction_rows": int(both.sum()),
        "direction_effective_rows": effective,
    }


CELLS = CLASS_COUNT**2
INTERVAL_SCORES = MATRIX_SCORES | {
    "direction_hit_rate": confusion.direction_hit_rate,
    "direction_edge": confusion.direction_edge,
}
ROW_SCORES = {"log_loss": row_losses, "brier": row_brier}
BOUNDS = {"mcc": (-1.0, 1.0), "direction_edge": (-1.0, 1.0), "log_loss": (0.0, math.inf), "brier": (0.0, 2.0)}
"""Where a score can lie, when not in 0 to 1."""


def classification_intervals(
    truth: np.ndarray, decision: np.ndarray, probabilities: np.ndarray | None, *, block_rows: int, seed: int = 0
) -> dict[str, Interval | None]:
    """90 % intervals of the scores by stationary block bootstrap of rows; None where one is undefined.

    truth, decision: `(n,)` classes of scored rows **in time order**. Blocks must outlast the overlap of labels. The
    calibration error has none: it is a mean of absolute values, which resampling pushes up.
    """
    columns, statistics = score_columns(truth, decision, probabilities), score_statistics(probabilities is not None)
    found = bootstrap_intervals(columns, statistics, block_length=block_rows, seed=seed)
    return {name: _within(found.get(name), *BOUNDS.get(name, (0.0, 1.0))) for name in (*INTERVAL_SCORES, *ROW_SCORES)}


def classification_differences(
    truth: np.ndarray,
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    *,
    block_rows: int,
    seed: int = 0,
) -> dict[str, Difference]:
    """Every score of the first model less the second's on the same rows, with 90 % intervals by the same blocks of rows.

    first, second: decision `(n,)` and probabilities `(n, 3)`; rows as in `classification_intervals`. Of log-loss and
    Brier score a difference below 0 speaks for the first. Raises DataError (65) for rows that do not pair.
    """
    tables = [score_columns(truth[: len(model[0])], *model) for model in (first, second)]
    return paired_differences(tables[0], tables[1], score_statistics(True), block_length=block_rows, seed=seed)


def score_columns(truth: np.ndarray, decision: np.ndarray, probabilities: np.ndarray | None) -> np.ndarray:
    """The columns whose means the scores are functions of: nine cells, and each row's losses, `(n, 9 or 11)`."""
    losses = [] if probabilities is None else [of(truth, probabilities) for of in ROW_SCORES.values()]
    return np.column_stack([confusion.cell_columns(truth, decision), *losses])


def score_statistics(with_probabilities: bool) -> dict[str, Statistic]:
    """Every score that has an interval, as a statistic of the means of `score_columns`."""
    losses = {name: _column(CELLS + place) for place, name in enumerate(ROW_SCORES)} if with_probabilities else {}
    return {name: _of_cells(score) for name, score in INTERVAL_SCORES.items()} | losses


def _of_cells(score: Callable[[np.ndarray], np.ndarray]) -> Statistic:
    """A score of confusion matrices as a statistic of column means."""
    return lambda means: score(means[:, :CELLS].reshape(-1, CLASS_COUNT, CLASS_COUNT))


def _column(place: int) -> Statistic:
    return lambda means: means[:, place]


def _within(interval: Interval | None, low: float, high: float) -> Interval | None:
    """The part of an interval in which the score can lie."""
    return interval and Interval(*(min(max(end, low), high) for end in interval))
