"""What a model can say about its own answers: named arrays whose axes have names and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["weights", "series", "contributions"]
"""Weights are shares that sum to 1 along the last axis; series continue in the units of the features that were fed;
contributions sum along the last axis to the raw score of a class, its logarithm before the softmax."""
Label = str | int
BASE = "(base)"
"""What the raw score of a class is before any feature is known: the last of its contributions."""


@dataclass(frozen=True)
class Meaning:
    """What one array of an explanation is, and the names of its axes after the rows.

    Named axes: `feature` and `seen feature` (the columns of X), `contribution` (the same and `BASE`), `class`, `known
    feature` (those known in advance), `bar` (0 is the bar of the decision, negative before it), `step ahead`, and what the
    model numbers itself, such as `head` or `layer`.
    """

    kind: Kind
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What a model says about each of n rows."""

    kind: Kind
    values: np.ndarray
    """float32, rows first: `(n, …)`."""
    axes: Mapping[str, tuple[Label, ...]]
    """Name and labels of each axis after the rows, in order."""

    def take(self, rows: slice | np.ndarray) -> Explanation:
        """The same for some rows."""
        return replace(self, values=self.values[rows])

    def among(self, rows: np.ndarray, count: int) -> Explanation:
        """The same at some of `count` rows; nothing, NaN, is said about the others."""
        values = np.full((count, *self.values.shape[1:]), np.nan, dtype=self.values.dtype)
        values[rows] = self.values
        return replace(self, values=values)


@dataclass(frozen=True)
class InputNames:
    """What the axes of a model's explanations are labelled with."""

    features: tuple[str, ...]
    known: tuple[str, ...]
    lookback: int

    def explanation(self, meaning: Meaning, values: np.ndarray) -> Explanation:
        """An array `(n, …)` with the labels of its axes."""
        sizes = zip(meaning.axes, values.shape[1:], strict=True)
        return Explanation(meaning.kind, values, {axis: self._labels(axis, size) for axis, size in sizes})

    def _labels(self, axis: str, size: int) -> tuple[Label, ...]:
        named = {"feature": self.features, "seen feature": self.features, "known feature": self.known}
        if axis in named:
            return named[axis][:size]  # the symbol, which no such axis holds, is the last feature
        first = 1 - self.lookback if axis == "bar" else 1
        return tuple(range(first, first + size))


def joined(blocks: Sequence[Mapping[str, Explanation]], rows: int) -> dict[str, Explanation]:
    """The first `rows` rows of some blocks, one after the other."""
    if not blocks:
        return {}
    return {
        name: replace(first, values=np.concatenate([block[name].values for block in blocks])[:rows])
        for name, first in blocks[0].items()
    }
