"""Maps that make probabilities mean what they say; each is a few numbers that JSON holds.

A row's result depends on that row alone, to the bit, in a batch of any size.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.plain_state import PlainState, read_back

PROBABILITY_FLOOR = 1e-12
SIGMOID_LIMIT = 20.0
"""Largest slope and intercept of a sigmoid: no exponential overflows, and no row of three probabilities vanishes."""
Triple = tuple[float, float, float]


class Calibrator(PlainState):
    """Probabilities to probabilities, row by row."""

    @abstractmethod
    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(n, 3)` float64 of raw ones `(n, 3)`."""

    @property
    def is_identity(self) -> bool:
        """Whether probabilities pass unchanged, to the bit."""
        return False

    @staticmethod
    def from_plain(state: Mapping[str, Any]) -> Calibrator:
        """Read back what `plain` wrote. Raises DataError (65) when it is something else."""
        return read_back(KINDS, state, "calibrator state")


@dataclass(frozen=True)
class TemperatureBias(Calibrator):
    """softmax(log p / temperature + bias), row by row (Guo et al. 2017); the biases of the three classes sum to 0.

    >>> TemperatureBias(2.0, (0.0, 0.0, 0.0)).apply(np.array([[0.64, 0.32, 0.04]])).round(3)
    array([[0.511, 0.361, 0.128]])
    """

    temperature: float = 1.0
    bias: Triple = (0.0, 0.0, 0.0)

    kind = "temperature_bias"

    def __post_init__(self) -> None:
        _require_finite(self, self.temperature, *self.bias)
        if self.temperature <= 0:
            raise DataError(
                f"a calibrator needs a temperature above 0, got {self.temperature}.",
                help="fit it again",
            )

    @property
    def is_identity(self) -> bool:
        """Temperature 1 without bias."""
        return self == IDENTITY

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(n, 3)` float64 of raw ones `(n, 3)`."""
        raw = np.asarray(probabilities, dtype=np.float64)
        return raw if self.is_identity else softmax(log(raw) / self.temperature + np.array(self.bias))

    def plain(self) -> dict[str, Any]:
        """JSON-ready state; its floats come back exactly."""
        return {"kind": self.kind, "temperature": self.temperature, "bias": list(self.bias)}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        return cls(float(state["temperature"]), _triple(state["bias"]))


@dataclass(frozen=True)
class Sigmoid(Calibrator):
    """Each class against the rest: 1 / (1 + exp(-slope · logit p - intercept)), then scaled to sum to 1 (Platt 1999).

    >>> Sigmoid((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)).apply(np.array([[0.5, 0.3, 0.2]])).round(3)
    array([[0.5, 0.3, 0.2]])
    """

    slope: Triple
    intercept: Triple

    kind = "sigmoid"

    def __post_init__(self) -> None:
        _require_finite(self, *self.slope, *self.intercept)
        if max(map(abs, (*self.slope, *self.intercept))) > SIGMOID_LIMIT:
            raise DataError(
                f"slopes and intercepts of a sigmoid lie within {SIGMOID_LIMIT:.0f}, got {self.slope}, {self.intercept}.",
                help="fit it again",
            )

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(n, 3)` float64 of raw ones `(n, 3)`."""
        z = logit(np.asarray(probabilities, dtype=np.float64)) * np.array(self.slope) + np.array(self.intercept)
        return _scaled(1 / (1 + np.exp(-z)))

    def plain(self) -> dict[str, Any]:
        """JSON-ready state; its floats come back exactly."""
        return {"kind": self.kind, "slope": list(self.slope), "intercept": list(self.intercept)}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        return cls(_triple(state["slope"]), _triple(state["intercept"]))


class Curve(NamedTuple):
    """Knots of a rising curve, straight between them and level beyond."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Isotonic(Calibrator):
    """Each class against the rest by a rising curve of steps, then scaled to sum to 1 (Zadrozny and Elkan 2002)."""

    curves: tuple[Curve, Curve, Curve]

    kind = "isotonic"

    def __post_init__(self) -> None:
        for curve in self.curves:
            _require_finite(self, *curve.x, *curve.y)
            rising = all(np.all(np.diff(values) >= 0) for values in curve)
            if not curve.x or len(curve.x) != len(curve.y) or not rising or not 0 < curve.y[0] <= curve.y[-1] < 1:
                raise DataError(
                    f"an isotonic curve needs rising knots with values between 0 and 1, got {str(curve)[:200]}.",
                    help="fit it again",
                )

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities `(n, 3)` float64 of raw ones `(n, 3)`."""
        raw = np.asarray(probabilities, dtype=np.float64)
        return _scaled(np.stack([np.interp(raw[:, code], *curve) for code, curve in enumerate(self.curves)], axis=1))

    def plain(self) -> dict[str, Any]:
        """JSON-ready state; its floats come back exactly."""
        return {"kind": self.kind, "curves": [{"x": list(curve.x), "y": list(curve.y)} for curve in self.curves]}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        short, neutral, long = (Curve(_floats(each["x"]), _floats(each["y"])) for each in state["curves"])
        return cls((short, neutral, long))


KINDS: dict[str, type[Calibrator]] = {each.kind: each for each in (TemperatureBias, Sigmoid, Isotonic)}


def log(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities of at least 1e-12."""
    return np.asarray(np.log(np.maximum(probabilities, PROBABILITY_FLOOR)))


def logit(probabilities: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) of probabilities that are kept 1e-12 away from 0 and 1."""
    inside = np.clip(probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.asarray(np.log(inside / (1 - inside)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of `(n, 3)` by columns: the order of every sum is fixed, whatever the batch."""
    largest = np.maximum(np.maximum(logits[:, 0], logits[:, 1]), logits[:, 2])
    return _scaled(np.exp(logits - largest[:, None]))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Positive values `(n, 3)` divided by the sum of their row."""
    total = values[:, 0] + values[:, 1] + values[:, 2]
    return np.asarray(values / total[:, None])


def _require_finite(calibrator: Calibrator, *numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        raise DataError(f"a {calibrator.kind} calibrator needs finite numbers, got {numbers[:6]}.", help="fit it again")


def _triple(values: Sequence[Any]) -> Triple:
    short, neutral, long = _floats(values)
    return short, neutral, long


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


IDENTITY = TemperatureBias()
