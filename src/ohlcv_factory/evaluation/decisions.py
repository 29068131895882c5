"""From calibrated probabilities to what is done: a class per row, neutral where nothing is.

A row's decision depends on that row alone. A neutral decision opens no trade, and closes none.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.plain_state import PlainState, read_back
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

Kind = Literal["argmax", "threshold", "conformal"]


class DecisionRule(PlainState):
    """Probabilities `(n, 3)` to classes `(n,)` int8."""

    @abstractmethod
    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The class of each row, int8 `(n,)`."""

    def sets(self, probabilities: np.ndarray) -> np.ndarray | None:
        """The prediction set of each row, bool `(n, 3)`; None for a rule that makes no sets."""
        return None

    @property
    @abstractmethod
    def words(self) -> str:
        """When this rule acts, as a person reads it."""

    @staticmethod
    def from_plain(state: Mapping[str, Any]) -> DecisionRule:
        """Read back what `plain` wrote. Raises DataError (65) when it is something else."""
        return read_back(KINDS, state, "a decision rule")


@dataclass(frozen=True)
class Argmax(DecisionRule):
    """The most probable class."""

    kind = "argmax"

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable class of each row, the first of equal ones."""
        return np.asarray(probabilities.argmax(axis=1).astype(np.int8))

    @property
    def words(self) -> str:
        """When this rule acts."""
        return "the most probable class"

    def plain(self) -> dict[str, Any]:
        """JSON-ready state."""
        return {"kind": self.kind}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        return cls()


ARGMAX = Argmax()


@dataclass(frozen=True)
class Threshold(DecisionRule):
    """A side when its probability is high enough, the more probable one where both are; neutral otherwise.

    >>> Threshold(0.5, 0.4).decide(np.array([[0.1, 0.5, 0.4], [0.4, 0.3, 0.3], [0.5, 0.0, 0.5]])).tolist()
    [2, 1, 1]
    """

    short: float | None
    """The probability from which on a row is short; None: never."""
    long: float | None

    kind = "threshold"

    def __post_init__(self) -> None:
        given = [value for value in (self.short, self.long) if value is not None]
        if not all(0 <= value <= 1 for value in given):
            raise DataError(f"thresholds lie between 0 and 1, got {self.short}, {self.long}.", help="fit them again")

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The side of each row, neutral where no threshold is reached, or both are by equal probabilities."""
        short, long = (
            np.where(probabilities[:, code] >= (math.inf if least is None else least), probabilities[:, code], -1.0)
            for code, least in ((SHORT, self.short), (LONG, self.long))
        )
        return np.where(short > long, SHORT, np.where(long > short, LONG, NEUTRAL)).astype(np.int8)

    @property
    def words(self) -> str:
        """When this rule acts."""
        ends = [("short", self.short), ("long", self.long)]
        acts = [f"{name} from a probability of {least:.3f}" for name, least in ends if least is not None]
        never = [f"never {name}" for name, least in ends if least is None]
        return ", ".join(acts + never)

    def plain(self) -> dict[str, Any]:
        """JSON-ready state."""
        return {"kind": self.kind, "short": self.short, "long": self.long}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        short, long = (None if state[name] is None else float(state[name]) for name in ("short", "long"))
        return cls(short, long)


@dataclass(frozen=True)
class Conformal(DecisionRule):
    """The direction where the prediction set holds one direction and nothing else; neutral otherwise.

    A set holds every class that is as likely as the truth was in the given share of the calibration rows: the least
    ambiguous sets (Sadinle, Lei and Wasserman 2019). On rows that are exchangeable with those, sets hold the truth at
    least that often. A set may be empty.
    """

    coverage: float
    """Share of sets that are to hold the truth."""
    scores: tuple[float, ...]
    """1 - probability of the truth on each calibration row, ascending."""

    kind = "conformal"

    def __post_init__(self) -> None:
        ascending = all(0 <= low <= high <= 1 for low, high in zip((0.0, *self.scores), self.scores, strict=False))
        if not 0 < self.coverage < 1 or not self.scores or not ascending:
            raise DataError(
                f"conformal sets need a coverage between 0 and 1 and ascending scores between them, got "
                f"{self.coverage} and {len(self.scores)} scores.",
                help="fit them again",
            )

    @cached_property
    def largest_score(self) -> float:
        """Of a class that belongs to a set: the finite-sample quantile of the scores; 1 where they are too few."""
        rank = math.ceil((len(self.scores) + 1) * self.coverage)
        return self.scores[rank - 1] if rank <= len(self.scores) else 1.0

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """The classes that cannot be ruled out in each row, bool `(n, 3)`."""
        return np.asarray(1 - probabilities <= self.largest_score)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """The direction of each row whose set is that direction alone, neutral otherwise."""
        return decided_by_sets(self.sets(probabilities))

    @property
    def words(self) -> str:
        """When this rule acts."""
        return f"where the set of {100 * self.coverage:g} % coverage is one direction alone"

    def plain(self) -> dict[str, Any]:
        """JSON-ready state."""
        return {"kind": self.kind, "coverage": self.coverage, "scores": list(self.scores)}

    @classmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """From what `plain` wrote."""
        return cls(float(state["coverage"]), tuple(map(float, state["scores"])))


def decided_by_sets(sets: np.ndarray) -> np.ndarray:
    """Sets `(n, 3)` to classes int8 `(n,)`: a single direction, else neutral, which is no trade."""
    alone = sets.sum(axis=1) == 1
    return np.where(alone & sets[:, SHORT], SHORT, np.where(alone & sets[:, LONG], LONG, NEUTRAL)).astype(np.int8)


KINDS: dict[str, type[DecisionRule]] = {each.kind: each for each in (Argmax, Threshold, Conformal)}
