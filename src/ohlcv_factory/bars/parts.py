"""The rows of one symbol in one file: times, values and contracts as they were read, not judged yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from ohlcv_factory.bars.checks import refuse_wrong_epoch
from ohlcv_factory.bars.columns import find_columns
from ohlcv_factory.bars.dialect import Dialect, filled_options
from ohlcv_factory.bars.numbers import column_numbers, price_scale
from ohlcv_factory.bars.options import ReadOptions, refuse_options
from ohlcv_factory.bars.schema import COLUMNS
from ohlcv_factory.bars.symbols import SymbolRows, by_symbol
from ohlcv_factory.bars.table import Table
from ohlcv_factory.bars.times import TimeFacts, utc_times
from ohlcv_factory.bars.volumes import base_volume, read_volume
from ohlcv_factory.errors import DataError

RTYPE_SECONDS = {32: 1, 33: 60, 34: 3600, 35: 86_400}
"""Databento's record types of bars."""


@dataclass(frozen=True)
class Part:
    """Rows of one symbol in one file; arrays have shape `(n,)`."""

    symbol: str
    source: str
    digest: str | None
    source_rows: int
    """Rows of the whole file, other symbols included."""
    rows: np.ndarray
    """int64: where each row stands in the file."""
    stamp_ns: np.ndarray
    """int64 nanoseconds since 1970 UTC, of that end of the bar which `stamp` names."""
    values: Mapping[str, np.ndarray]
    """Prices and volume, float64."""
    contract: pl.Series | None
    stamp: Literal["open", "close"]
    sort: bool
    seconds: int | None
    """Length of a bar, where the file says it."""
    dialect: str | None
    notes: tuple[str, ...]


def table_parts(table: Table, options: ReadOptions) -> list[Part]:
    """What a table holds of each symbol; of `options.symbol` alone where that is set, nothing when it is absent.

    Raises UsageError (2) for options that cannot apply, DataError (65) with row, column and value for the rest.
    """
    if not table.is_text:
        refuse_options(options, ("delimiter", "decimal", "thousands", "encoding"), f"{table.source} is no text file")
    filled = _filled(table, options)
    columns = find_columns(table, filled.columns)
    if not len(table.rows):
        raise DataError(f"{table.source} has columns and 0 bars.", where=table.source, help="export a longer period")
    return [_part(rows, len(table.rows), filled, options) for rows in by_symbol(table, columns, filled)]


def _filled(table: Table, options: ReadOptions) -> ReadOptions:
    """The options that act: what was said, what the dialect knows, general defaults."""
    dialect = table.dialect
    filled = filled_options(options, dialect, options.dialect is not None, table.frame.columns)
    if dialect is not None and dialect.stamp is None and options.stamp is None:
        raise DataError(
            f"{dialect.name} files do not say which end of the bar their times name.",
            where=table.source,
            help="--stamp open or --stamp close",
        )
    if "volume" in options.columns:
        return filled
    return filled.model_copy(update={"columns": {**filled.columns, **base_volume(table)}})


def _part(found: SymbolRows, source_rows: int, filled: ReadOptions, options: ReadOptions) -> Part:
    table = found.table
    columns = find_columns(table, filled.columns)
    stamp_ns, time_notes = utc_times(table, columns.time, filled, _time_facts(table.dialect, options))
    refuse_wrong_epoch(stamp_ns, table.source)
    prices = [columns.values[name] for name in COLUMNS[:4]]
    scale, scale_note = price_scale(table, prices, options)
    values = {name: _scaled(column_numbers(table, columns.values[name], filled), scale) for name in COLUMNS[:4]}
    volume, columns, volume_note = read_volume(table, columns, filled, declared="volume" in options.columns)
    values["volume"] = _scaled(volume, options.volume_scale)
    seconds, size_note = _record_seconds(table)
    said = (
        _dialect_note(table.dialect, options),
        *table.notes,
        found.note,
        *time_notes,
        scale_note,
        volume_note,
        size_note,
    )
    scaled = f"volume: x {options.volume_scale:g} (declared)" if options.volume_scale != 1 else ""
    return Part(
        symbol=found.symbol,
        source=table.source,
        digest=table.digest,
        source_rows=source_rows,
        rows=table.rows,
        stamp_ns=stamp_ns,
        values=values,
        contract=found.contract,
        stamp=filled.stamp or "open",
        sort=bool(filled.sort),
        seconds=seconds,
        dialect=table.dialect.name if table.dialect else None,
        notes=tuple(note for note in (*said, scaled, columns.note()) if note),
    )


def _scaled(values: np.ndarray, scale: float) -> np.ndarray:
    if scale != 1:
        values *= scale
    return values


def _dialect_note(dialect: Dialect | None, options: ReadOptions) -> str:
    if dialect is None:
        return "dialect: none, columns by their names"
    return f"dialect: {dialect.name} ({'declared' if options.dialect else 'by its content'})"


def _time_facts(dialect: Dialect | None, options: ReadOptions) -> TimeFacts:
    if dialect is None:
        return TimeFacts()
    origin = "declared" if options.tz else f"dialect {dialect.name}"
    return TimeFacts(dialect.time_formats(options.dialect is not None), origin, dialect.zone_help)


def _record_seconds(table: Table) -> tuple[int | None, str]:
    """The bar size that Databento's record type names; several in one file are refused."""
    if table.dialect is None or table.dialect.name != "databento" or "rtype" not in table.frame.columns:
        return None, ""
    column = table.frame["rtype"].cast(pl.Int64, strict=False)
    table.refuse(column.is_null(), table.frame["rtype"], "is no record type", "mend or remove these rows")
    table.refuse(column != column[0], column, f"is another record type than {column[0]}", "one bar size in one file")
    return RTYPE_SECONDS.get(column[0]), ""
