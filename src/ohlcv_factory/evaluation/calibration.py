"""Make probabilities mean what they say: one temperature and one bias per class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.classification import log_loss
from ohlcv_factory.labels.classes import CLASS_COUNT

KIND = "temperature_bias"
PROBABILITY_FLOOR = 1e-12
SHARPNESS_BOUNDS = (0.05, 20.0)
"""Of 1 / temperature, so that a small sample cannot make probabilities all alike or all certain."""
BIAS_BOUNDS = (-5.0, 5.0)


@dataclass(frozen=True)
class Calibrator:
    """softmax(log p / temperature + bias), row by row (Guo et al. 2017); the biases of the three classes sum to 0.

    A row's result depends on that row alone, to the bit, in a batch of any size.

    >>> Calibrator(2.0, (0.0, 0.0, 0.0)).apply(np.array([[0.64, 0.32, 0.04]])).round(3)
    array([[0.511, 0.361, 0.128]])
    """

    temperature: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (self.temperature, *self.bias))
        if not finite or self.temperature <= 0:
            raise DataError(
                f"a calibrator needs a temperature above 0 and finite biases, got {self.temperature}, {self.bias}.",
                help="fit it again",
            )

    @property
    def is_identity(self) -> bool:
        """Whether probabilities pass unchanged, to the bit."""
        return self == IDENTITY

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(n, 3)` float64 of raw ones `(n, 3)`."""
        raw = np.asarray(probabilities, dtype=np.float64)
        return raw if self.is_identity else _softmax(_log(raw) / self.temperature + np.array(self.bias))

    def plain(self) -> dict[str, Any]:
        """JSON-ready state; its floats come back exactly."""
        return {"kind": KIND, "temperature": self.temperature, "bias": list(self.bias)}

    @classmethod
    def from_plain(cls, state: Mapping[str, Any]) -> Calibrator:
        """Read back what `plain` wrote. Raises DataError (65) when it is something else."""
        if state.get("kind") != KIND or "temperature" not in state or len(state.get("bias", ())) != CLASS_COUNT:
            raise DataError(
                f"calibrator state must hold kind {KIND!r}, temperature and three biases, got {dict(state)}.",
                help="the file is damaged, or of another version",
            )
        short, neutral, long = state["bias"]
        return cls(float(state["temperature"]), (float(short), float(neutral), float(long)))


IDENTITY = Calibrator()


def fit_calibrator(probabilities: np.ndarray, truth: np.ndarray) -> Calibrator:
    """The calibrator of least log-loss on raw probabilities `(n, 3)` and classes `(n,)`, unweighted, deterministic.

    Identity where a class does not occur (its bias would run away), or where no calibrator has a smaller loss than
    identity on these rows.
    """
    from scipy.optimize import minimize

    if len(np.unique(truth)) < CLASS_COUNT:
        return IDENTITY
    logs, outcome = _log(np.asarray(probabilities, dtype=np.float64)), np.eye(CLASS_COUNT)[truth]
    found = minimize(
        _loss_and_gradient,
        np.array([1.0, 0.0, 0.0]),
        args=(logs, outcome),
        jac=True,
        method="L-BFGS-B",
        bounds=[SHARPNESS_BOUNDS, BIAS_BOUNDS, BIAS_BOUNDS],
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 200},
    )
    sharpness, short, long = (float(value) for value in found.x)
    fitted = Calibrator(1 / sharpness, (short, -(short + long), long))
    return fitted if log_loss(truth, fitted.apply(probabilities)) < log_loss(truth, probabilities) else IDENTITY


def _loss_and_gradient(point: np.ndarray, logs: np.ndarray, outcome: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log-loss and its gradient at (sharpness, bias short, bias long); the neutral bias is minus their sum."""
    sharpness, short, long = point
    fitted = _softmax(sharpness * logs + np.array([short, -(short + long), long]))
    loss = -np.log(np.maximum((fitted * outcome).sum(axis=1), PROBABILITY_FLOOR)).mean()
    excess = fitted - outcome
    by_bias = excess.mean(axis=0)
    by_sharpness = (excess * logs).sum(axis=1).mean()
    return float(loss), np.array([by_sharpness, by_bias[0] - by_bias[1], by_bias[2] - by_bias[1]])


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(probabilities, PROBABILITY_FLOOR)))


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of `(n, 3)` by columns: the order of every sum is fixed, whatever the batch."""
    largest = np.maximum(np.maximum(logits[:, 0], logits[:, 1]), logits[:, 2])
    powers = np.exp(logits - largest[:, None])
    total = powers[:, 0] + powers[:, 1] + powers[:, 2]
    return np.asarray(powers / total[:, None])
