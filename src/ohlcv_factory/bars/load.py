"""Vendor files and frames in, checked bars out, with an account of everything that was assumed on the way.

What a file does not say, its dialect does not prove and no option declares is refused where a wrong guess would change
prices or times (zone, day-first dates, decimal comma), and otherwise assumed and listed (bar size, order, symbol,
dropped columns).

`folders` names the files, `files` and `frames` give tables, `symbols` and `columns` find what is in them, `times`,
`numbers` and `volumes` read it, `cleaning` repairs by name, `checks` judges it, `joining` makes one series of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from ohlcv_factory.bars.account import BarFile, ReadAccount
from ohlcv_factory.bars.columns import find_columns, may_be_wanted
from ohlcv_factory.bars.dialect import filled_options
from ohlcv_factory.bars.files import file_bytes, file_table, typed_table
from ohlcv_factory.bars.folders import FoundFile, found_files
from ohlcv_factory.bars.frames import frame_columns
from ohlcv_factory.bars.joining import joined
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.parts import Part, table_parts
from ohlcv_factory.bars.symbols import symbols_in
from ohlcv_factory.bars.table import SHOWN, Table, refuse_repeated_names
from ohlcv_factory.errors import DataError, unknown_name
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.progress import track

__all__ = ["BarFile", "ReadAccount", "ReadOptions", "bars_from_frame", "read_bars", "read_sources"]


def read_sources(
    paths: Iterable[Path | str], options: ReadOptions = ReadOptions(), *, clock: Clock = system_clock
) -> tuple[BarFile, ...]:
    """Bars of every symbol in files and folders; several files of one symbol are joined in order of time.

    A folder stands for the bar files below it. Where files overlap they must agree row for row. Symbols come in the
    order of the files. Raises as `read_bars` does.
    """
    found, notes = found_files([Path(path) for path in paths])
    parts: dict[str, list[Part]] = {}
    others: dict[str, list[str]] = {}
    for file in track(found, "reading"):
        table = _checked_table(file, options, None)
        in_file = table_parts(table, options)
        for part in in_file:
            parts.setdefault(part.symbol, []).append(part)
        if not in_file:
            others[file.source] = _other_symbols(table, options)
    if not parts:
        raise unknown_name("symbol", str(options.symbol), set().union(*others.values()), where=found[0].source)
    notes += tuple(f"left out: {source} (no row of {options.symbol})" for source in others)
    return tuple(joined(each, options, clock(), notes) for each in parts.values())


def read_bars(
    path: Path | str, options: ReadOptions = ReadOptions(), *, clock: Clock = system_clock, sha256: str | None = None
) -> BarFile:
    """Bars of one symbol from a file of any dialect of `data dialects`, packed or not; its content decides which.

    Rows in messages are lines of a text file, the header being row 1, and positions from 1 in any other file.
    `sha256` is the file's recorded digest, where there is one. Raises InputMissingError (66), AccessError (77),
    UsageError (2) for options that cannot apply, MissingExtraError (69) for DBN without the extra `databento`,
    DataError (65) with row, column and value for everything else.
    """
    path = Path(path)
    table = _checked_table(FoundFile(path, path.name), options, sha256)
    return _only_symbol(table, options, clock)


def bars_from_frame(
    frame: Any, options: ReadOptions = ReadOptions(), *, name: str = "frame", clock: Clock = system_clock
) -> BarFile:
    """Bars of one symbol from a polars or pandas frame; times in a column, or in a pandas DatetimeIndex.

    Rows in messages are positions from 1. `name` stands for the file name. Raises as `read_bars` does.
    """
    columns = frame_columns(frame)
    refuse_repeated_names([column.name for column in columns], name, may_be_wanted(options.columns))
    return _only_symbol(typed_table(pl.DataFrame(columns), name, None, options), options, clock)


def _checked_table(file: FoundFile, options: ReadOptions, sha256: str | None) -> Table:
    """The table of a file whose digest is the recorded one."""
    content = file_bytes(file.path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, digest):
        raise DataError(
            f"{file.source} has SHA-256 {digest[:12]}…, recorded was {str(sha256)[:12]}….",
            where=str(file.path),
            help="the file was changed or damaged: restore it",
        )
    return file_table(file.path, file.source, content, digest, options)


def _only_symbol(table: Table, options: ReadOptions, clock: Clock) -> BarFile:
    parts = table_parts(table, options)
    if not parts:
        raise unknown_name("symbol", str(options.symbol), _other_symbols(table, options), where=table.source)
    if len(parts) > 1:
        named = ", ".join(repr(part.symbol) for part in parts[:SHOWN])
        column = find_columns(table, filled_options(options, table.dialect, False, table.frame.columns).columns).symbol
        values = table.frame[str(column)].cast(pl.String)
        table.refuse(
            values != values[0],
            values,
            f"is another symbol than {values[0]!r} (there are {len(parts)}: {named} …)",
            "one series at a time: --symbol NAME, or read_sources for all of them",
        )
    return joined(parts, options, clock(), ())


def _other_symbols(table: Table, options: ReadOptions) -> list[str]:
    filled = filled_options(options, table.dialect, options.dialect is not None, table.frame.columns)
    return symbols_in(table, find_columns(table, filled.columns))
