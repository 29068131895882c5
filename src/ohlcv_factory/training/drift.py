"""Whether features at prediction time look like those of the training rows at all: another market or scale does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ohlcv_factory.errors import FactoryWarning

QUANTILES = (0.01, 0.99)
MOSTLY = 0.5
"""A column has drifted when at least this share of its values lies outside those quantiles; 2 % do in training."""
SHOWN = 3


class DriftWarning(FactoryWarning):
    """Features lie where the model never saw any."""


@dataclass(frozen=True)
class TrainingRange:
    """Where 98 % of each column's training values lie, float32 `(F,)` each."""

    columns: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, columns: tuple[str, ...]) -> Self:
        """The range of some training rows, unscaled float32 `(n, F)`."""
        low, high = np.quantile(X, QUANTILES, axis=0).astype(np.float32)
        return cls(columns, low, high)

    def outside(self, X: np.ndarray) -> np.ndarray:
        """Share of each column's values outside its range, float64 `(F,)`."""
        outside: np.ndarray = np.mean((self.low > X) | (self.high < X), axis=0)
        return outside

    def note(self, X: np.ndarray, symbol: str) -> str | None:
        """A sentence when columns lie mostly outside their range, the worst named; None when none does, or none is watched."""
        if not self.columns:
            return None
        shares = self.outside(X) if len(X) else np.zeros(len(self.columns))
        drifted = np.flatnonzero(shares >= MOSTLY)
        if not len(drifted):
            return None
        worst = drifted[np.argsort(-shares[drifted], kind="stable")][:SHOWN]
        named = ", ".join(f"{self.columns[place]} ({shares[place]:.0%})" for place in worst)
        return (
            f"{symbol}: {len(drifted)} of {len(self.columns)} features lie mostly outside the training range: {named}; "
            "another market, unit or bar size?"
        )

    def plain(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"columns": list(self.columns), "low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """What `plain` wrote."""
        low, high = (np.array(values[name], dtype=np.float32) for name in ("low", "high"))
        return cls(tuple(values["columns"]), low, high)
