"""What a model asks to be fed, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.labels.classes import CLASS_COUNT

INDEX_DTYPE = np.dtype([("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
"""Key of a sample: symbol (position in a tuple of names), open time of its bar, row of its bar in the symbol's bars."""

SYMBOL = "symbol"
"""Name of the column that holds the code of each row's symbol, for models that declare `static_symbol`."""

Layout = Literal["tabular", "sequence"]
Scaling = Literal["none", "standard", "robust"]


@dataclass(frozen=True)
class InputSpec:
    """What a model wants: layout of X, feature set, scaling, bars per window. Code branches on this, never on a family."""

    layout: Layout = "tabular"
    feature_set: str = "boosting_optimal"
    scaling: Scaling = "none"
    lookback: int = 1
    needs_market: bool = False
    static_symbol: bool = False
    """Whether the symbol of each row is wanted where a dataset has several: as code in a last column, never scaled."""

    @property
    def is_sequence(self) -> bool:
        """Whether X has a time axis."""
        return self.layout != "tabular"


@dataclass(frozen=True)
class RowMarket:
    """What a model may know of each row's own label rule: all known at the close of bar t, arrays of shape `(n,)`."""

    close: np.ndarray
    atr: np.ndarray
    """ATR(14) at the close of t, price units."""
    k_up: np.ndarray
    """Barrier distances in ATR; NaN for fixed-horizon labels, which have a threshold instead."""
    k_down: np.ndarray
    threshold: np.ndarray
    """Return from the entry that makes a fixed-horizon label long, and its negative short; NaN for barriers."""
    max_bars: np.ndarray
    """Scheduled bars to the vertical barrier."""

    def take(self, rows: np.ndarray | slice) -> RowMarket:
        """The same for some rows."""
        return RowMarket(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Samples:
    """Rows for a model: n samples with F features.

    Labels are 0 short, 1 neutral, 2 long. `label_end` is when each label's realised path ended (ns since 1970 UTC).
    """

    X: Any
    """`(n, F)` float32, finite; for a sequence model a WindowSource, `(n, lookback, F)` on the bars of each window."""
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
    symbols: tuple[str, ...] = ()
    """What the codes 0, 1, … in the last column of X, `symbol`, stand for; empty where X has no such column."""

    def __post_init__(self) -> None:
        n = len(self.X)
        for name in ("y", "weight", "index", "label_end"):
            if len(getattr(self, name)) != n:
                raise DataError(
                    f"Samples.{name} has {len(getattr(self, name))} rows, X has {n}.", help="one per sample"
                )
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

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: np.ndarray | slice) -> Samples:
        """The same for some rows (positions or a slice)."""
        parts = {name: getattr(self, name)[rows] for name in ("y", "weight", "index", "label_end")}
        X = self.X.take(rows) if isinstance(self.X, WindowSource) else self.X[rows]
        return replace(self, X=X, **parts, market=self.market.take(rows) if self.market else None)

    def with_symbol(self, names: tuple[str, ...], codes: np.ndarray) -> Samples:
        """The same with the code of each row's symbol, `(n,)`, as a last column."""
        columns = (*self.feature_names, SYMBOL)
        return replace(self, X=with_codes(self.X, codes), feature_names=columns, symbols=names)

    def class_counts(self) -> np.ndarray:
        """Rows per class, shape `(3,)`."""
        return np.bincount(self.y, minlength=CLASS_COUNT)


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
