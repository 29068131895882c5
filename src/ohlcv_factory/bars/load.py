"""Vendor files and frames in, checked bars out, with an account of everything that was assumed on the way.

The reader itself knows no vendor. What a file does not say and no option declares is refused where a wrong guess would
change prices or times (zone, day-first dates, decimal comma), and otherwise assumed and listed (bar size, order,
symbol, dropped columns).

`files` and `frames` give a table, `columns` finds what is in it, `times` and `numbers` read it, `checks` judges it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.bars.checks import check_bars, common_step, refuse_wrong_epoch
from ohlcv_factory.bars.columns import find_columns, one_symbol
from ohlcv_factory.bars.files import file_bytes, file_table
from ohlcv_factory.bars.frames import frame_columns
from ohlcv_factory.bars.numbers import column_numbers
from ohlcv_factory.bars.options import ReadOptions, refuse_options
from ohlcv_factory.bars.schema import COLUMNS, NANOSECONDS, Bars
from ohlcv_factory.bars.sizes import bar_seconds, size_text
from ohlcv_factory.bars.table import Table, refuse_repeated_names
from ohlcv_factory.bars.times import utc_times
from ohlcv_factory.errors import DataError
from ohlcv_factory.runtime.clock import Clock, system_clock, time_text
from ohlcv_factory.storage.digests import array_digest

__all__ = ["BarFile", "ReadAccount", "ReadOptions", "bars_from_frame", "read_bars"]


@dataclass(frozen=True)
class ReadAccount:
    """Where bars came from and what was assumed to read them; part of the dataset's manifest."""

    source: str
    sha256: str
    """Of the file's bytes; of times, prices and volumes as read where the source is a frame."""
    rows: int
    """Rows in the source; `len(bars)` may be smaller, see the warnings."""
    first: str
    """Open time of the first bar, ISO 8601 UTC."""
    last: str
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class BarFile:
    """Checked bars with the account of reading them."""

    bars: Bars
    account: ReadAccount


def read_bars(
    path: Path | str, options: ReadOptions = ReadOptions(), *, clock: Clock = system_clock, sha256: str | None = None
) -> BarFile:
    """Bars of one symbol from a CSV (also gzipped) or Parquet file; its content decides which of them it is.

    Rows in messages are lines of a text file, the header being row 1, and positions from 1 in a Parquet file.
    `sha256` is the file's recorded digest, where there is one. Raises InputMissingError (66), AccessError (77),
    UsageError (2) for options that cannot apply, DataError (65) with row, column and value for everything else.
    """
    path = Path(path)
    content = file_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, digest):
        raise DataError(
            f"{path.name} has SHA-256 {digest[:12]}…, recorded was {str(sha256)[:12]}….",
            where=str(path),
            help="the file was changed or damaged: restore it",
        )
    return _bar_file(file_table(path, content, digest, options), options, clock)


def bars_from_frame(
    frame: Any, options: ReadOptions = ReadOptions(), *, name: str = "frame", clock: Clock = system_clock
) -> BarFile:
    """Bars of one symbol from a polars or pandas frame; times in a column, or in a pandas DatetimeIndex.

    Rows in messages are positions from 1. `name` stands for the file name. Raises as `read_bars` does.
    """
    columns = frame_columns(frame)
    refuse_repeated_names([column.name for column in columns], where=name)
    table = pl.DataFrame(columns)
    return _bar_file(Table(table, np.arange(1, len(table) + 1), name, None, is_text=False), options, clock)


def _bar_file(table: Table, options: ReadOptions, clock: Clock) -> BarFile:
    """Columns, symbol, times and numbers out of the table, checked, with the account of it."""
    if not table.is_text:
        refuse_options(options, ("delimiter", "decimal", "thousands", "encoding"), f"{table.source} is no text file")
    columns = find_columns(table, options.columns)
    if not len(table.rows):
        raise DataError(f"{table.source} has columns and 0 bars.", where=table.source, help="export a longer period")
    part, symbol, symbol_note = one_symbol(table, columns.symbol, options.symbol)
    time_ns, time_notes = utc_times(part, columns.time, options)
    refuse_wrong_epoch(time_ns, table.source)
    seconds, size_note = _bar_size(time_ns, options, table.source)
    if options.stamp == "close":
        time_ns = time_ns - seconds * NANOSECONDS
    values: dict[str, Any] = {name: column_numbers(part, columns.values.get(name), options) for name in COLUMNS}
    bars, warnings = check_bars(
        Bars(symbol=symbol, time_ns=time_ns, **values, bar_seconds=seconds),
        now=clock(),
        source=table.source,
        rows=part.rows,
        sort=options.sort,
        on_duplicate=options.on_duplicate,
        max_jump=options.max_jump,
    )
    digest = table.digest or array_digest(time_ns, *values.values())
    order = "sorted by time" if np.any(np.diff(time_ns) < 0) else "ascending, as it came"
    stamp = f"stamp: {options.stamp} of the bar" + (", shifted to the open" if options.stamp == "close" else "")
    assumed = (symbol_note, *time_notes, stamp, size_note, f"order: {order}", columns.note())
    first, last = time_text(bars.time_ns[0]), time_text(bars.time_ns[-1])
    return BarFile(bars, ReadAccount(table.source, digest, len(table.rows), first, last, assumed, warnings))


def _bar_size(time_ns: np.ndarray, options: ReadOptions, source: str) -> tuple[int, str]:
    if options.bar_size is not None:
        return bar_seconds(options.bar_size), f"bar size: {options.bar_size} (declared)"
    seconds = common_step(time_ns, source)
    return seconds, f"bar size: {size_text(seconds)} (most common step)"
