"""Lean's bar files: milliseconds since midnight, and the day only in the name of the file."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from ohlcv_factory.bars.delimited import text_table
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import Table

NAME = re.compile(r"(\d{8})_(.+?)_(?:minute|second)_trade\.csv$", re.IGNORECASE)
LEAN = "lean"


def is_lean(name: str, options: ReadOptions) -> bool:
    """Whether a file of that name holds a day of Lean's bars."""
    return options.dialect in (None, LEAN) and NAME.search(name) is not None


def lean_table(content: bytes, name: str, source: str, digest: str, options: ReadOptions) -> Table:
    """The bars of one day, with wall clock times and the symbol of the file's name.

    `name` is that of the text file itself, `source` that of its archive. Raises DataError (65) with the line of what
    cannot be read.
    """
    day, symbol = re.search(NAME, name).groups()  # type: ignore[union-attr]
    table = text_table(content, source, digest, options.model_copy(update={"dialect": LEAN}))
    column = table.frame["time"]
    elapsed = column.cast(pl.Int64, strict=False)
    table.refuse(elapsed.is_null(), column, "is no whole number of milliseconds", "mend or remove these rows")
    midnight = pl.Series([day]).str.to_datetime("%Y%m%d", time_unit="ms")[0]
    times = pl.select(pl.lit(midnight, dtype=pl.Datetime("us")) + pl.lit(elapsed).cast(pl.Duration("ms"))).to_series()
    frame = table.frame.with_columns(times.alias("time"), pl.lit(symbol.upper()).alias("symbol"))
    return replace(table, frame=frame, notes=(*table.notes, f"day: {day} (from the name {name})"))
