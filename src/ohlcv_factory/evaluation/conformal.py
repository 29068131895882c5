"""Prediction sets that hold the truth as often as they say: split conformal, and adaptive where the market drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.decisions import Conformal, decided_by_sets
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.labels.classes import CLASS_NAMES, NEUTRAL

STEP = 0.005
"""How far one known label moves the level (Gibbs and Candès 2021)."""


def fit_conformal(probabilities: np.ndarray, truth: np.ndarray, coverage: float) -> Conformal:
    """Split conformal sets from calibrated probabilities `(n, 3)` and classes `(n,)` of rows used for nothing else.

    Raises DataError (65) without rows.
    """
    scores = 1 - np.asarray(probabilities, dtype=np.float64)[np.arange(len(truth)), truth]
    return Conformal(coverage, tuple(np.sort(np.clip(scores, 0.0, 1.0)).tolist()))


@dataclass(frozen=True)
class AdaptiveSets:
    """Sets of n rows whose level followed the labels that were known by then."""

    sets: np.ndarray
    """`(n, 3)` bool."""
    miss_rate: np.ndarray
    """`(n,)`: the share of misses that each set was made for; below 0 it held everything, above 1 nothing."""


def adaptive_sets(
    rule: Conformal, predictions: Predictions, close_ns: np.ndarray, label_end_ns: np.ndarray, *, step: float = STEP
) -> AdaptiveSets:
    """Adaptive conformal inference over predictions of any symbols (Gibbs and Candès 2021).

    close_ns `(n,)`: when each row's set is made; label_end_ns `(n,)`: when its label is known. A label moves the level of
    sets that are made at or after that moment and of no other, so rows between wait for it. Rows that are not scored get
    sets and move nothing. Raises DataError (65) for a label that ends by its own row.
    """
    if not (label_end_ns > close_ns)[predictions.scored].all():
        raise DataError("a label ends after its own row's close.", help="give the close of its last bar")
    order = np.argsort(close_ns, kind="stable")
    scored = np.flatnonzero(predictions.scored)
    known = scored[np.argsort(label_end_ns[scored], kind="stable")]
    scores = 1 - predictions.probabilities
    sets, miss_rate = _adapt(
        np.array(rule.scores), scores, predictions.truth, order, close_ns, known, label_end_ns, rule.coverage, step
    )
    return AdaptiveSets(sets, miss_rate)


@njit(cache=True, nogil=True)
def _adapt(  # type: ignore[no-untyped-def]
    calibration, scores, truth, order, close_ns, known, label_end_ns, coverage, step
):
    """One pass in time order; `known` lists scored rows by the end of their labels."""
    count = len(calibration)
    sets, miss_rate = np.zeros(scores.shape, np.bool_), np.zeros(len(scores))
    level, place = 1 - coverage, 0
    for row in order:
        while place < len(known) and label_end_ns[known[place]] <= close_ns[row]:
            missed = not sets[known[place], truth[known[place]]]
            level += step * ((1 - coverage) - missed)
            place += 1
        rank = math.ceil((count + 1) * (1 - level))
        largest = math.inf if rank > count else (calibration[rank - 1] if rank >= 1 else -math.inf)
        sets[row] = scores[row] <= largest
        miss_rate[row] = level
    return sets, miss_rate


def coverage_scores(sets: np.ndarray, truth: np.ndarray, coverage: float) -> dict[str, Any]:
    """How sets `(n, 3)` of scored rows kept their promise, JSON-ready; None where there is no row."""
    if not len(truth):
        return {"nominal": coverage, "rows": 0} | dict.fromkeys(SET_SCORES)
    held, sizes = sets[np.arange(len(truth)), truth], sets.sum(axis=1)
    return {
        "nominal": coverage,
        "rows": len(truth),
        "coverage": float(held.mean()),
        "coverage_by_class": {
            name: float(held[truth == code].mean()) if (truth == code).any() else None
            for code, name in enumerate(CLASS_NAMES)
        },
        "mean_size": float(sizes.mean()),
        "empty_share": float((sizes == 0).mean()),
        "acted_share": float((decided_by_sets(sets) != NEUTRAL).mean()),
    }


SET_SCORES = ("coverage", "coverage_by_class", "mean_size", "empty_share", "acted_share")
