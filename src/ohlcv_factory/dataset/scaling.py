"""Scalers: centre and scale per column, fitted on the fit rows of one fit, stored as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.dataset.samples import Scaling
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import UsageError


@dataclass(frozen=True)
class Scaler:
    """(x - centre) / scale per column. A total function: a column without spread keeps scale 1."""

    kind: Scaling
    centre: np.ndarray
    """`(F,)` float64."""
    scale: np.ndarray
    """`(F,)` float64, positive."""

    @classmethod
    def fit(cls, kind: Scaling, X: np.ndarray) -> Scaler:
        """Fit on `(n, F)`: mean and standard deviation ("standard"), median and interquartile range ("robust"), or nothing.

        A robust column whose quartiles are equal falls back to its standard deviation.
        """
        if kind == "none":
            return cls(kind, np.zeros(X.shape[1]), np.ones(X.shape[1]))
        values = X.astype(np.float64)
        deviation = values.std(axis=0)
        if kind == "standard":
            return cls(kind, values.mean(axis=0), _positive(deviation))
        if kind == "robust":
            lower, centre, upper = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
            return cls(kind, centre, _positive(np.where(upper > lower, upper - lower, deviation)))
        raise UsageError(f"unknown scaling {kind!r}.", help="offered: none, standard, robust")

    def apply(self, X: Any) -> Any:
        """Scaled copy, float32, of `(n, F)` or of a WindowSource's table; element by element: rows do not see each other."""
        if self.kind == "none":
            return X
        if isinstance(X, WindowSource):
            return X.with_table(self.apply(X.table))
        scaled: np.ndarray = ((X - self.centre) / self.scale).astype(np.float32)
        return scaled

    def plain(self) -> dict[str, Any]:
        """JSON-ready; floats keep every digit."""
        return {"kind": self.kind, "centre": self.centre.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> Scaler:
        """Read back what `plain` gave."""
        return cls(
            stored["kind"], np.array(stored["centre"], dtype=np.float64), np.array(stored["scale"], dtype=np.float64)
        )


def _positive(spread: np.ndarray) -> np.ndarray:
    """The spread where it is one (above rounding), else 1."""
    return np.where(spread > 1e-12, spread, 1.0)
