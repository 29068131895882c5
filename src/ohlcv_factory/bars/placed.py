"""Bars on their way through the checks, with the place in its file that each of them came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.errors import DataError
from ohlcv_factory.runtime.clock import time_text

SHOWN = 3


@dataclass(frozen=True)
class Placed:
    """Bars that are not checked yet, with the row `(n,)` int64 that each had in its source."""

    bars: Bars
    source: str
    rows: np.ndarray
    sources: tuple[str, ...] = ()
    """Names of the files, where the bars came out of several."""
    file: np.ndarray | None = None
    """int32 `(n,)`: position in `sources` of the file of each bar."""

    def take(self, chosen: np.ndarray) -> Placed:
        """The bars at some positions, or those that a mask marks."""
        file = None if self.file is None else self.file[chosen]
        return replace(self, bars=self.bars.take(chosen), rows=self.rows[chosen], file=file)

    def refuse(self, bad: np.ndarray, rule: str, help: str, columns: tuple[str, ...] = ()) -> None:
        """Raise DataError (65) when any bar is marked `bad`: the rule, the count, the first rows with their values."""
        found = np.flatnonzero(bad)
        if len(found):
            listed = "; ".join(self.bar_text(position, columns) for position in found[:SHOWN])
            raise DataError(
                f"{rule}: {listed} ({len(found)} of {len(self.bars)} bars).", where=self.at(found[0]), help=help
            )

    def at(self, position: int) -> str:
        """The place of one bar: `bars.csv:5`."""
        source = self.source if self.file is None else self.sources[self.file[position]]
        return f"{source}:{self.rows[position]}"

    def bar_text(self, position: int, columns: tuple[str, ...] = ()) -> str:
        """Row, time and some values of one bar, with its file where there are several."""
        values = "".join(f", {name} {getattr(self.bars, name)[position]:g}" for name in columns)
        file = "" if self.file is None else f"{self.sources[self.file[position]]} "
        return f"{file}row {self.rows[position]} ({time_text(self.bars.time_ns[position])}{values})"


def placed_together(parts: Sequence[Placed]) -> Placed:
    """All bars of several files in order of time; of one time, in order of the files."""
    if len(parts) == 1:
        return parts[0]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part.bars, name) for part in parts])
        for name in ("time_ns", "open", "high", "low", "close", "volume")
    }
    order = np.argsort(arrays["time_ns"], kind="stable")
    codes = [part.bars.contract for part in parts]
    contract = None if codes[0] is None else np.concatenate([code for code in codes if code is not None])
    sorted_arrays: dict[str, Any] = {name: array[order] for name, array in arrays.items()}
    bars = replace(parts[0].bars, **sorted_arrays, contract=None if contract is None else contract[order])
    file = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.bars) for part in parts])
    sources = tuple(part.source for part in parts)
    rows = np.concatenate([part.rows for part in parts])
    return Placed(bars, f"{sources[0]} to {sources[-1]}", rows[order], sources, file[order])
