"""Predictions with their (symbol, time): the join key of the whole project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.decisions import DecisionRule
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES, LONG, SHORT, class_words

if TYPE_CHECKING:
    import polars as pl


SET_COLUMNS = tuple(f"set_{name}" for name in CLASS_NAMES)


@dataclass(frozen=True)
class Predictions:
    """Probabilities of n rows, before and after the calibrator, the decision, and what is known of the truth.

    Rows without a label have `labelled` False and a meaningless `truth`; `scored` is labelled and not ambiguous.
    """

    index: np.ndarray
    """`(n,)` of `dataset.samples.INDEX_DTYPE`."""
    symbols: tuple[str, ...]
    raw: np.ndarray
    """`(n, 3)` float64, as the model gave them, columns short, neutral, long."""
    probabilities: np.ndarray
    """`(n, 3)` float64, after the calibrator."""
    decision: np.ndarray
    """`(n,)` int8 class."""
    truth: np.ndarray
    """`(n,)` int8 class."""
    labelled: np.ndarray
    """`(n,)` bool."""
    scored: np.ndarray
    """`(n,)` bool."""
    horizon: int
    sets: np.ndarray | None = None
    """`(n, 3)` bool, the classes that each row's prediction set holds; None where the decision rule makes no sets."""

    def __post_init__(self) -> None:
        shape = (len(self.index), CLASS_COUNT)
        for name in ("raw", "probabilities"):
            if getattr(self, name).shape != shape:
                raise DataError(
                    f"{name} must have shape {shape}, got {getattr(self, name).shape}.", help="one row each"
                )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def codes(self) -> np.ndarray:
        """The symbol codes that occur, ascending."""
        return np.flatnonzero(np.bincount(self.index["symbol_code"]))

    def take(self, rows: np.ndarray | slice) -> Predictions:
        """The same for some rows."""
        arrays = ("index", "raw", "probabilities", "decision", "truth", "labelled", "scored", "sets")
        parts = {name: getattr(self, name)[rows] for name in arrays if getattr(self, name) is not None}
        return Predictions(symbols=self.symbols, horizon=self.horizon, **parts)

    @classmethod
    def concat(cls, pieces: Sequence[Predictions]) -> Predictions:
        """The rows of several predictions of the same symbols and horizon, one after the other.

        Raises DataError (65) where they belong to different ones, or only some of them have an optional column.
        """
        columns: dict[str, Any] = {}
        for field in fields(cls):
            values = [getattr(piece, field.name) for piece in pieces]
            arrays = [isinstance(value, np.ndarray) for value in values]
            if (any(arrays) and not all(arrays)) or (not any(arrays) and any(value != values[0] for value in values)):
                raise DataError(
                    f"predictions differ in {field.name}: they cannot be joined.", help="join like with like"
                )
            columns[field.name] = np.concatenate(values) if arrays[0] else values[0]
        return cls(**columns)

    def decided_by(self, rule: DecisionRule) -> Predictions:
        """The same probabilities with the decisions of another rule."""
        return replace(self, decision=rule.decide(self.probabilities), sets=rule.sets(self.probabilities))

    def side(self) -> np.ndarray:
        """The decision as a wanted position: -1, 0, +1, int8 `(n,)`."""
        position: np.ndarray = (self.decision == LONG).astype(np.int8) - (self.decision == SHORT).astype(np.int8)
        return position

    @property
    def frame(self) -> pl.DataFrame:
        """One row per bar: symbol, time (UTC), row, probabilities, decision in words, truth and flags, and sets."""
        import polars as pl

        columns: dict[str, object] = {
            "symbol": np.array(self.symbols)[self.index["symbol_code"]],
            "time": pl.Series(self.index["time_ns"].copy()).cast(pl.Datetime("ns", "UTC")),
            "row": self.index["row"].copy(),
        }
        for code, name in enumerate(CLASS_NAMES):
            columns[f"raw_{name}"] = self.raw[:, code].copy()
        for code, name in enumerate(CLASS_NAMES):
            columns[f"p_{name}"] = self.probabilities[:, code].copy()
        columns["decision"] = class_words(self.decision)
        columns["truth"] = pl.Series(class_words(self.truth)).zip_with(
            pl.Series(self.labelled), pl.Series([None] * len(self), dtype=pl.String)
        )
        columns |= {"labelled": self.labelled, "scored": self.scored}
        if self.sets is not None:
            columns |= {name: self.sets[:, code].copy() for code, name in enumerate(SET_COLUMNS)}
        return pl.DataFrame(columns)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, horizon: int) -> Predictions:
        """Read back what `frame` wrote."""
        names = frame["symbol"].unique(maintain_order=True).to_list()
        index = np.empty(
            len(frame), dtype=np.dtype([("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
        )
        index["symbol_code"] = (
            frame["symbol"].replace_strict({name: code for code, name in enumerate(names)}).to_numpy()
        )
        index["time_ns"] = frame["time"].dt.timestamp("ns").to_numpy()
        index["row"] = frame["row"].to_numpy()
        codes = {name: code for code, name in enumerate(CLASS_NAMES)}
        truth = frame["truth"].fill_null(CLASS_NAMES[0]).replace_strict(codes).to_numpy().astype(np.int8)
        return cls(
            index=index,
            symbols=tuple(names),
            raw=frame.select(f"raw_{name}" for name in CLASS_NAMES).to_numpy(),
            probabilities=frame.select(f"p_{name}" for name in CLASS_NAMES).to_numpy(),
            decision=frame["decision"].replace_strict(codes).to_numpy().astype(np.int8),
            truth=truth,
            labelled=frame["labelled"].to_numpy(),
            scored=frame["scored"].to_numpy(),
            horizon=horizon,
            sets=frame.select(SET_COLUMNS).to_numpy() if set(SET_COLUMNS) <= set(frame.columns) else None,
        )
