"""The canonical bars of one symbol: what every other module reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcv_factory.errors import DataError

if TYPE_CHECKING:
    import polars as pl

NANOSECONDS = 1_000_000_000
COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Bars:
    """Bars of one symbol, checked, ascending, stamped with their **open** time in UTC.

    All arrays have shape `(n,)`. A minute without a trade is absent: nothing may assume a regular grid.
    `bar_seconds` is the declared length of one bar, not the distance between rows.
    """

    symbol: str
    time_ns: np.ndarray
    """int64, nanoseconds since 1970-01-01 UTC, strictly ascending."""
    open: np.ndarray
    """float64, price units, as are high, low and close."""
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    """float64; 0 everywhere where the market reports none."""
    bar_seconds: int
    contract: np.ndarray | None = None
    """int32, position of each bar's futures contract in `contract_names`; None for a series without rolls.

    Prices are those of the contract itself: a roll is where the code changes, and the step across it was no trade.
    """
    contract_names: tuple[str, ...] = ()
    """Contracts in the order in which they come."""

    def __post_init__(self) -> None:
        lengths = {len(self.time_ns), *(len(getattr(self, name)) for name in COLUMNS)}
        if self.contract is not None:
            lengths.add(len(self.contract))
        if len(lengths) != 1:
            raise DataError(f"{self.symbol}: columns of different length: {sorted(lengths)}.", help="one value per bar")
        if self.bar_seconds < 1:
            raise DataError(
                f"{self.symbol}: bar_seconds must be at least 1, got {self.bar_seconds}.", help="declare --bar-size"
            )

    def __len__(self) -> int:
        return len(self.time_ns)

    @cached_property
    def close_time_ns(self) -> np.ndarray:
        """When each bar is complete and its values are known: open time + bar length."""
        return self.time_ns + self.bar_seconds * NANOSECONDS

    @cached_property
    def has_volume(self) -> bool:
        """Whether any bar carries volume at all."""
        return bool(np.any(self.volume > 0))

    @cached_property
    def roll_rows(self) -> np.ndarray:
        """Rows of the first bar of every contract but the first, int64 `(rolls,)`."""
        if self.contract is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(np.diff(self.contract)) + 1

    def take(self, rows: slice | np.ndarray) -> Bars:
        """Some of the bars: a slice as views, positions or a mask as copies."""
        arrays = {name: getattr(self, name)[rows] for name in ("time_ns", *COLUMNS)}
        return replace(self, **arrays, contract=None if self.contract is None else self.contract[rows])

    def head(self, count: int) -> Bars:
        """The first `count` bars: what was known at the close of bar `count - 1`."""
        return self.slice(0, count)

    def slice(self, start: int, stop: int) -> Bars:
        """Bars `start` to `stop - 1`, as views."""
        return self.take(slice(start, stop))

    def followed_by(self, later: Bars) -> Bars:
        """These bars and then later ones of the same series; contracts are the same where their names are.

        Raises DataError (65) when only one of the two names its contracts.
        """
        if (self.contract is None) != (later.contract is None):
            raise DataError(f"{self.symbol}: some bars name their contract, others do not.", help="name all, or none")
        arrays: dict[str, Any] = {
            name: np.concatenate((getattr(self, name), getattr(later, name))) for name in ("time_ns", *COLUMNS)
        }
        if self.contract is None or later.contract is None:
            return replace(self, **arrays)
        names = tuple(dict.fromkeys((*self.contract_names, *later.contract_names)))
        codes = np.array([names.index(name) for name in later.contract_names], dtype=np.int32)[later.contract]
        return replace(self, **arrays, contract=np.concatenate((self.contract, codes)), contract_names=names)

    def frame(self) -> pl.DataFrame:
        """A polars frame with `timestamp` (UTC), the five columns, and `contract` by name where there are several."""
        import polars as pl

        time = pl.Series("timestamp", self.time_ns).cast(pl.Datetime("ns", "UTC"))
        columns = [time, *(pl.Series(name, getattr(self, name)) for name in COLUMNS)]
        if self.contract is not None:
            columns.append(pl.Series("contract", np.array(self.contract_names, dtype=object)[self.contract].tolist()))
        return pl.DataFrame(columns)
