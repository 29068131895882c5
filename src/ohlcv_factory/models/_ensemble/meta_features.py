"""Columns that a meta-learner reads, made of member probabilities `(n, members, 3)`; each row from itself alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

MetaFeature = Literal["confidence", "entropy", "margin", "agreement", "volatility", "trend"]
REGIMES = {"volatility": "volatility_regime", "trend": "trend_regime"}
"""Meta-features that are columns of the catalogue: the state of the market at the close of the row's bar."""
FLOOR = 1e-6
"""Smallest probability that a logarithm sees: a member that says "never" does not outweigh all others."""


def log_ratios(probabilities: np.ndarray) -> np.ndarray:
    """`(n, 2 * members)`: log P(short) / P(neutral) and log P(long) / P(neutral) of each member.

    Three probabilities have two degrees of freedom; a linear model on all three could not tell its weights apart.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))
    ratios = logs[:, :, [SHORT, LONG]] - logs[:, :, [NEUTRAL]]
    return np.asarray(ratios.reshape(len(ratios), -1))


def plain_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """`(n, 3 * members)`: as they are."""
    return probabilities.reshape(len(probabilities), -1)


def confidence(probabilities: np.ndarray) -> np.ndarray:
    """`(n, members)`: the largest probability."""
    return np.asarray(probabilities.max(axis=2))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """`(n, members)`: Shannon's entropy in nats, from 0 (certain) to log 3."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, FLOOR))).sum(axis=2))


def margin(probabilities: np.ndarray) -> np.ndarray:
    """`(n, members)`: the largest probability less the second largest."""
    ordered = np.sort(probabilities, axis=2)
    return np.asarray(ordered[:, :, -1] - ordered[:, :, -2])


def agreement(probabilities: np.ndarray) -> np.ndarray:
    """`(n, 1)`: share of the members that choose the class which most of them choose."""
    return np.asarray(votes(probabilities).max(axis=1, keepdims=True) / probabilities.shape[1])


def votes(probabilities: np.ndarray) -> np.ndarray:
    """`(n, classes)`: how many members find each class the most probable; ties go to the lower class code."""
    chosen = probabilities.argmax(axis=2)
    return np.stack([(chosen == code).sum(axis=1) for code in range(probabilities.shape[2])], axis=1).astype(float)


META_FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "confidence": confidence,
    "entropy": entropy,
    "margin": margin,
    "agreement": agreement,
}
"""Those that follow from the probabilities alone."""
