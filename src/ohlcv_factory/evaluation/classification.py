"""How well classes and probabilities meet the truth, from codes `(n,)` and probabilities `(n, 3)` of scored rows.

Averages over classes take the classes that occur in the truth; `classes_present` names them. A number that is undefined
is None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ohlcv_factory.evaluation.significance import Interval, wilson_interval
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES, LONG, NEUTRAL, SHORT

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
    matrix = confusion_matrix(truth, decision)
    return {
        "rows": len(truth),
        "classes_present": [CLASS_NAMES[code] for code in np.flatnonzero(matrix.sum(axis=1))],
        **class_scores(matrix),
        **probability_scores(truth, decision, probabilities),
        **direction_scores(truth, decision, uniqueness),
    }


def confusion_matrix(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """Counts `(3, 3)` int64: rows truth, columns decision, order short, neutral, long."""
    cells = truth.astype(np.int64) * CLASS_COUNT + decision
    return np.bincount(cells, minlength=CLASS_COUNT**2).reshape(CLASS_COUNT, CLASS_COUNT)


def class_scores(matrix: np.ndarray) -> dict[str, Any]:
    """Accuracy, F1 and their kin from a confusion matrix."""
    support, decided, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    present = support > 0
    if not present.any():
        names = ("accuracy", "macro_f1", "weighted_f1", "balanced_accuracy", "mcc")
        return dict.fromkeys(names) | {"per_class_f1": dict.fromkeys(CLASS_NAMES), "confusion_matrix": matrix.tolist()}
    f1 = 2 * hits / np.maximum(support + decided, 1)
    return {
        "accuracy": float(hits.sum() / support.sum()),
        "macro_f1": float(f1[present].mean()),
        "weighted_f1": float(f1 @ support / support.sum()),
        "per_class_f1": {name: float(f1[code]) if present[code] else None for code, name in enumerate(CLASS_NAMES)},
        "confusion_matrix": matrix.tolist(),
        "balanced_accuracy": float((hits[present] / support[present]).mean()),
        "mcc": matthews_correlation(matrix),
    }


def matthews_correlation(matrix: np.ndarray) -> float | None:
    """Correlation of truth and decision over three classes (Gorodkin 2004); None when either never varies."""
    cells = matrix.astype(np.float64)
    support, decided, total = cells.sum(axis=1), cells.sum(axis=0), cells.sum()
    covariance = np.trace(cells) * total - (support * decided).sum()
    spread = (total**2 - (support**2).sum()) * (total**2 - (decided**2).sum())
    return float(covariance / math.sqrt(spread)) if spread > 0 else None


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
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(chosen, PROBABILITY_FLOOR, 1.0)).mean())


def brier_score(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over rows of the **sum** over classes of (probability - outcome)², 0 to 2 (Brier 1950).

    2/3 knows nothing. Half of it is the two-class form that scikit-learn scales to 0 to 1.
    """
    outcome = np.eye(CLASS_COUNT)[truth]
    return float(((probabilities - outcome) ** 2).sum(axis=1).mean())


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
    two marginals when truth and decision know nothing of each other. None where there is no such row.
    """
    both = (truth != NEUTRAL) & (decision != NEUTRAL)
    rows, effective = int(both.sum()), float(uniqueness[both].sum())
    rate, chance, interval = _direction_rates(truth[both], decision[both], effective)
    return {
        "direction_hit_rate": rate,
        "direction_hit_rate_interval": interval,
        "independent_rate": chance,
        "direction_rows": rows,
        "direction_effective_rows": effective,
    }


def _direction_rates(
    truth: np.ndarray, decision: np.ndarray, effective: float
) -> tuple[float | None, float | None, Interval | None]:
    """Hit rate, independent rate and interval of rows that hold only short and long."""
    if len(truth) == 0:
        return None, None, None
    rate = float((truth == decision).mean())
    chance = sum(float((truth == side).mean() * (decision == side).mean()) for side in (SHORT, LONG))
    return rate, chance, wilson_interval(rate, effective)
