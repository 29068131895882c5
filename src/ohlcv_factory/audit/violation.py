"""What an audit finds: which test, which column, which bar, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.runtime.clock import time_text


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    test: str
    feature: str
    symbol: str
    bar: int | None
    """Position in the bars that were audited; None where it is not about one bar."""
    time: str
    size: float | None
    """The difference, in the column's own unit; None where a value is missing on one side."""
    complaint: str

    @property
    def sentence(self) -> str:
        """All of it in words."""
        place = self.feature if self.bar is None else f"{self.feature}, bar {self.bar} ({self.time})"
        return f"{place}: {self.complaint}"


def at_bar(test: str, feature: str, bars: Bars, bar: int, size: float | None, complaint: str) -> Violation:
    """A violation at one bar."""
    return Violation(test, feature, bars.symbol, bar, time_text(bars.time_ns[bar]), size, complaint)


def overall(test: str, feature: str, symbol: str, complaint: str, size: float | None = None) -> Violation:
    """A violation that is not about one bar."""
    return Violation(test, feature, symbol, None, "", size, complaint)


def worst_difference(got: np.ndarray, expected: np.ndarray) -> int | None:
    """Position of the largest difference of two columns `(n,)`; None where they are equal bit for bit.

    Any NaN equals any other; a value that is missing on one side only is larger than every difference.
    """
    differs = (got != expected) & ~(np.isnan(got) & np.isnan(expected))
    if not differs.any():
        return None
    with np.errstate(invalid="ignore"):
        size = np.where(np.isnan(got) | np.isnan(expected), np.inf, np.abs(got - expected))
    return int(np.argmax(np.where(differs, size, -1.0)))


def difference(got: float, expected: float) -> float | None:
    """|got - expected|, or None where that is no number."""
    size = abs(got - expected)
    return float(size) if np.isfinite(size) else None


def largest_of_each(violations: Iterable[Violation]) -> list[Violation]:
    """One violation for each test and column, the largest, in the order in which they were first found."""
    found: dict[tuple[str, str, str], Violation] = {}
    for one in violations:
        key = (one.test, one.feature, one.symbol)
        if key not in found or _rank(one) > _rank(found[key]):
            found[key] = one
    return list(found.values())


def _rank(violation: Violation) -> float:
    return np.inf if violation.size is None else violation.size
