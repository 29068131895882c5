"""What a model asks to be fed, and what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.labels.classes import CLASS_COUNT, NEUTRAL

INDEX_DTYPE = np.dtype([("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
"""Key of a sample: symbol (position in a tuple of names), open time of its bar, row of its bar in the symbol's bars."""

SYMBOL = "symbol"
"""Name of the column that holds the code of each row's symbol, for models that declare `static_symbol`."""

Layout = Literal["tabular", "sequence", "predictions"]
Scaling = Literal["none", "standard", "robust"]


@dataclass(frozen=True)
class InputSpec:
    """What a model wants: layout of X, feature set, scaling, bars per window. Code branches on this, never on a family."""

    layout: Layout = "tabular"
    feature_set: str = "boosting_optimal"
    scaling: Scaling = "none"
    lookback: int = 1
    needs_market: bool = False
    """Whether each row's own label rule is wanted, in the fit and in `predict`: `Samples.market`."""
    static_symbol: bool = False
    """Whether the symbol of each row is wanted where a dataset has several: as code in a last column, never scaled."""
    padded: bool = False
    """Whether windows may be longer than the history of a row: they reach back to the first bar of the series (of the
    contract, where rolls are cut) and hold NaN before it, on their left. They hold raw columns only: open, high, low, close,
    volume."""
    calibrated: bool = False
    """Whether a model on predictions reads those of its members after their calibrators, not the raw ones."""

    def __post_init__(self) -> None:
        if self.padded and not self.is_sequence:
            raise UsageError("only windows are padded.", where="InputSpec", help='layout="sequence", or padded=False')

    @property
    def is_sequence(self) -> bool:
        """Whether X has a time axis."""
        return self.layout == "sequence"

    @property
    def is_ensemble(self) -> bool:
        """Whether X holds the out-of-fold probabilities of other models, three columns each, and named context columns."""
        return self.layout == "predictions"


@dataclass(frozen=True)
class RowMarket:
    """What a model may know of each row's own label rule: all known at the close of bar t, arrays of shape `(n,)`.

    Prices are those of the row's own contract, as in labels. Raw columns of a window are adjusted forward over rolls: a
    price of a window times `close` over the window's newest close is a price of the contract.
    """

    close: np.ndarray
    atr: np.ndarray
    """ATR(14) at the close of t, price units; NaN in the first 14 bars of a contract."""
    k_up: np.ndarray
    """Barrier distances in ATR; NaN for fixed-horizon labels, which have a threshold instead."""
    k_down: np.ndarray
    threshold: np.ndarray
    """Return from the entry that makes a fixed-horizon label long, and its negative short; NaN for barriers."""
    max_bars: np.ndarray
    """Scheduled bars to the vertical barrier."""

    @classmethod
    def joined(cls, parts: Sequence[RowMarket]) -> RowMarket:
        """The rows of several, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    @property
    def known(self) -> np.ndarray:
        """Whether the rule of each row is known, bool `(n,)`: not before ATR or sigma are warm, nor where nothing moves."""
        known: np.ndarray = (self.k_up * self.atr > 0) | (self.threshold > 0)
        return known

    def take(self, rows: np.ndarray | slice) -> RowMarket:
        """The same for some rows."""
        return RowMarket(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Samples:
    """Rows for a model: n samples with F features.

    Labels are 0 short, 1 neutral, 2 long. `label_end` is when each label's realised path ended (ns since 1970 UTC).
    """

    X: Any
    """`(n, F)` float32, finite; for a sequence model a WindowSource, `(n, lookback, F)` on the bars of each window, NaN
    only where a window is padded."""
    y: np.ndarray
    """`(n,)` int8."""
    weight: np.ndarray
    """`(n,)` float64, positive."""
    index: np.ndarray
    """`(n,)` of INDEX_DTYPE."""
    label_end: np.ndarray
    """`(n,)` int64."""
    feature_names: tuple[str, ...]
    market: RowMarket | None = None
    """Each row's own label rule, for models that ask for it."""
    symbols: tuple[str, ...] = ()
    """What the codes 0, 1, … in the last column of X, `symbol`, stand for; empty where X has no such column."""

    def __post_init__(self) -> None:
        n = len(self.X)
        for name in ("y", "weight", "index", "label_end"):
            if len(getattr(self, name)) != n:
                raise DataError(
                    f"Samples.{name} has {len(getattr(self, name))} rows, X has {n}.", help="one per sample"
                )
        if self.market is not None and len(self.market.close) != n:
            raise DataError(f"Samples.market has {len(self.market.close)} rows, X has {n}.", help="one per sample")
        if self.X.shape[-1] != len(self.feature_names):
            raise DataError(
                f"X has {self.X.shape[-1]} columns, {len(self.feature_names)} names were given.",
                help="one name per column",
            )
        if bool(self.symbols) != (SYMBOL in self.feature_names[-1:]):
            raise DataError(
                f"Samples.symbols is {list(self.symbols)}, the last column is {list(self.feature_names[-1:])}.",
                help=f"symbols belong to a last column {SYMBOL!r}",
            )

    @classmethod
    def to_predict(
        cls, X: Any, feature_names: tuple[str, ...], market: RowMarket | None, symbols: tuple[str, ...] = ()
    ) -> Samples:
        """Rows that are only to be predicted: neutral labels of weight 1 stand in for what nobody knows yet."""
        count = len(X)
        return cls(
            X=X,
            y=np.full(count, NEUTRAL, dtype=np.int8),
            weight=np.ones(count),
            index=np.zeros(count, dtype=INDEX_DTYPE),
            label_end=np.zeros(count, dtype=np.int64),
            feature_names=feature_names,
            market=market,
            symbols=symbols,
        )

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: np.ndarray | slice) -> Samples:
        """The same for some rows (positions or a slice)."""
        parts = {name: getattr(self, name)[rows] for name in ("y", "weight", "index", "label_end")}
        return replace(self, X=taken(self.X, rows), **parts, market=self.market.take(rows) if self.market else None)

    def with_symbol(self, names: tuple[str, ...], codes: np.ndarray) -> Samples:
        """The same with the code of each row's symbol, `(n,)`, as a last column."""
        columns = (*self.feature_names, SYMBOL)
        return replace(self, X=with_codes(self.X, codes), feature_names=columns, symbols=names)

    def class_counts(self) -> np.ndarray:
        """Rows per class, shape `(3,)`."""
        return np.bincount(self.y, minlength=CLASS_COUNT)


def taken(X: Any, rows: np.ndarray | slice) -> Any:
    """Some rows of a matrix, or some of the windows of a source, which stay a view."""
    return X.take(rows) if isinstance(X, WindowSource) else X[rows]


def with_codes(X: Any, codes: np.ndarray) -> Any:
    """X with one more column, last: the code of each sample `(n,)`, at all bars of its window."""
    if isinstance(X, WindowSource):
        return X.with_table(np.column_stack([X.table, _table_codes(X, codes)]).astype(np.float32, copy=False))
    return np.column_stack([X, codes]).astype(np.float32, copy=False)


def _table_codes(windows: WindowSource, codes: np.ndarray) -> np.ndarray:
    """The code of each row of the table, `(N,)`: that of the next window to end, as a window stays within a symbol."""
    if not len(windows):
        return np.zeros(len(windows.table))
    order = np.argsort(windows.ends, kind="stable")
    following = np.searchsorted(windows.ends[order], np.arange(len(windows.table)))
    found: np.ndarray = codes[order][np.minimum(following, len(codes) - 1)]
    return found
