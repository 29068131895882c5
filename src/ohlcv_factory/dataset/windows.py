"""Windows of bars as a view: one table of features, and for each sample the row at which its window ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcv_factory.errors import DataError

if TYPE_CHECKING:
    import torch

Rows = int | slice | np.ndarray


@dataclass(frozen=True)
class WindowSource:
    """n windows of `lookback` bars over one table; looks like a float32 array `(n, lookback, F)`, holds no copy.

    A window ends at its row of the table and takes its history from the rows before it. Windows are cut by position in
    the bar series before rows are chosen, so that choosing rows never closes a gap between bars. A padded window
    (`starts`) may be longer than its history: it holds NaN for the bars that do not exist, on its left.
    """

    table: np.ndarray
    """`(N, F)` float32: the features of all bars, one symbol after the other."""
    ends: np.ndarray
    """`(n,)` int64: row of the table at which each window ends."""
    lookback: int
    starts: np.ndarray | None = None
    """`(n,)` int64: first row of the table that each window may read; None where all bars of all windows exist."""

    def __post_init__(self) -> None:
        if self.lookback < 1:
            raise DataError(f"a window needs at least one bar, got lookback={self.lookback}.", help="lookback >= 1")
        inside = (self.firsts >= 0) & (self.firsts <= self.ends) & (self.ends < len(self.table))
        if not inside.all():
            raise DataError(
                f"windows of {self.lookback} bars end at rows {self.ends.min()} to {self.ends.max()} of a table of "
                f"{len(self.table)} rows: a window must lie inside it.",
                help="a shorter lookback, or build the dataset with more history_bars",
            )

    @classmethod
    def of_array(cls, windows: np.ndarray, *, padded: bool = False) -> WindowSource:
        """A source over plain windows `(n, lookback, F)`; `padded` takes bars of NaN on the left for bars that do not exist."""
        count, lookback, features = windows.shape
        table = np.ascontiguousarray(windows, dtype=np.float32).reshape(count * lookback, features)
        ends = np.arange(1, count + 1) * lookback - 1
        if not padded:
            return cls(table, ends, lookback)
        absent = np.isnan(table).all(axis=1).reshape(count, lookback)
        return cls.padded(table, ends, lookback, ends - lookback + 1 + np.minimum(_leading(absent), lookback - 1))

    @classmethod
    def padded(cls, table: np.ndarray, ends: np.ndarray, lookback: int, starts: np.ndarray) -> WindowSource:
        """Windows that read their table from `starts` on, `(n,)`; a plain source where each has all its bars."""
        complete = bool((starts <= ends - lookback + 1).all())
        return cls(table, ends, lookback, None if complete else starts)

    @property
    def firsts(self) -> np.ndarray:
        """The first row of the table that each window reads, int64 `(n,)`."""
        oldest = self.ends - self.lookback + 1
        return oldest if self.starts is None else np.maximum(oldest, self.starts)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Windows, bars per window, features."""
        return len(self.ends), self.lookback, self.table.shape[1]

    @property
    def ndim(self) -> int:
        """Three, as the array that it stands for."""
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return self.table.dtype

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, rows: Rows) -> np.ndarray:
        """A copy of some windows, `(b, lookback, F)`; `(lookback, F)` for a single position."""
        positions = self.positions(rows)
        if self.starts is None:
            windows: np.ndarray = self.table[positions]
            return windows
        windows = self.table[np.maximum(positions, 0)]
        windows[positions < np.asarray(self.starts[rows])[..., None]] = np.nan
        return windows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All windows as one array: lookback times the memory of the table."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def used_rows(self) -> np.ndarray:
        """Which rows of the table any window reads, bool `(N,)`."""
        change = np.zeros(len(self.table) + 1, dtype=np.int64)
        np.add.at(change, self.firsts, 1)
        np.add.at(change, self.ends + 1, -1)
        used: np.ndarray = np.cumsum(change)[:-1] > 0
        return used

    def take(self, rows: slice | np.ndarray) -> WindowSource:
        """A source of some of the windows, over the same table."""
        return WindowSource(
            self.table, self.ends[rows], self.lookback, None if self.starts is None else self.starts[rows]
        )

    def with_table(self, table: np.ndarray) -> WindowSource:
        """The same windows over another table of as many rows: a scaled one, or some of the columns."""
        return WindowSource(table, self.ends, self.lookback, self.starts)

    def positions(self, rows: Rows) -> np.ndarray:
        """Rows of the table that some windows are made of, int64 `(b, lookback)`; before `starts` where one is padded."""
        positions: np.ndarray = np.asarray(self.ends[rows])[..., None] + np.arange(1 - self.lookback, 1)
        return positions

    def torch(self, device: str = "cpu", *, stored_on: str | None = None) -> TorchWindows:
        """The same windows as tensors on a device; a torch `Dataset`. `stored_on` holds the table where the device cannot."""
        return TorchWindows(self, device, stored_on or device)


class TorchWindows:
    """Windows gathered per batch from one tensor; has the two methods of a map-style torch `Dataset`."""

    def __init__(self, source: WindowSource, device: str, stored_on: str) -> None:
        import torch

        self.device, self.store, self.lookback = torch.device(device), torch.device(stored_on), source.lookback
        self.table = torch.from_numpy(np.require(source.table, requirements=["C", "W"])).to(self.store)
        self.ends = torch.from_numpy(np.ascontiguousarray(source.ends)).to(self.store)
        self.steps = torch.arange(1 - source.lookback, 1, device=self.store)
        self.starts: torch.Tensor | None = None
        if source.starts is not None:
            self.starts = torch.from_numpy(np.ascontiguousarray(source.starts)).to(self.store)
            nothing = self.table.new_full((1, self.table.shape[1]), float("nan"))
            self.table = torch.cat([self.table, nothing])  # its last row stands for bars that do not exist

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> torch.Tensor:
        """One window, `(lookback, F)`."""
        positions = self.ends[row] + self.steps
        if self.starts is not None:
            positions = self._existing(positions, self.starts[row])
        return self.table[positions].to(self.device)

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        """Some windows, `(b, lookback, F)`; `rows` is int64 `(b,)` on the device."""
        rows = rows.to(self.store)
        positions = self.ends.index_select(0, rows)[:, None] + self.steps  # (b, lookback)
        if self.starts is not None:
            positions = self._existing(positions, self.starts.index_select(0, rows)[:, None])
        gathered = self.table.index_select(0, positions.flatten())
        return gathered.view(len(rows), self.lookback, -1).to(self.device)

    def _existing(self, positions: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        """Rows of the table, the one of NaN for those before a window's start."""
        return positions.masked_fill(positions < starts, len(self.table) - 1)


def _leading(absent: np.ndarray) -> np.ndarray:
    """How many bars of each window are absent before its first one, `(n,)`; `absent` is bool `(n, lookback)`."""
    present = np.logical_not(absent)
    leading: np.ndarray = np.where(present.any(axis=1), present.argmax(axis=1), absent.shape[1])
    return leading
