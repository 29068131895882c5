"""Prices and volumes out of a column of numbers or of text in a declared notation."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import Table
from ohlcv_factory.errors import DataError

ABSENT = ("", "nan", "null", "none", "na", "n/a", "#n/a", "#ref!", "-")
"""What stands for no number, in lower case."""


def column_numbers(table: Table, name: str | None, options: ReadOptions) -> np.ndarray:
    """Values of the column `name` as float64 `(n,)`; zeros where it is None.

    Where bad rows may be dropped, what stands for no number is NaN.

    Raises DataError (65) with column, row and text of what is no number in the declared notation.
    """
    if name is None:
        return np.zeros(len(table.rows))
    column = table.frame[name]
    if column.dtype == pl.String or column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
        numbers = _text_numbers(column, options)
        if numbers.null_count() and "drop_bad_rows" in options.cleaning:
            absent = column.is_null() | column.str.strip_chars().str.to_lowercase().is_in(ABSENT)
            numbers = numbers.set(absent, np.nan)
        if numbers.null_count():
            bad = column.filter(numbers.is_null())[0]
            table.refuse(numbers.is_null(), column, "is not a number", _number_help(bad or "", options))
    elif column.dtype.is_numeric():
        numbers = column.cast(pl.Float64)
        if "drop_bad_rows" in options.cleaning:
            numbers = numbers.fill_null(np.nan)
        table.refuse(numbers.is_null(), column, "is not a number", "mend or remove these rows")
    else:
        raise DataError(
            f"{name} holds {column.dtype}, not numbers.", where=table.source, help="is it the right column?"
        )
    return numbers.to_numpy(writable=True)


def _text_numbers(column: pl.Series, options: ReadOptions) -> pl.Series:
    """Float64, null where the text is no number in the declared notation."""
    plain = options.decimal == "." and options.thousands is None
    text = column if plain else _plain_notation(column.str.strip_chars(), options)
    numbers = text.cast(pl.Float64, strict=False)
    return text.str.strip_chars().cast(pl.Float64, strict=False) if numbers.null_count() else numbers


def _plain_notation(text: pl.Series, options: ReadOptions) -> pl.Series:
    """Numbers without thousands marks and with a decimal point; null where the marks do not stand as they must."""
    if options.thousands is not None:
        mark = re.escape(options.thousands)
        grouped = text.str.contains(rf"^[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:[^\d{mark}].*)?$")
        usable = grouped | ~text.str.contains(options.thousands, literal=True)
        text = text.set(~usable, None).str.replace_all(options.thousands, "", literal=True)
    if options.decimal != ".":
        text = text.set(text.str.contains(".", literal=True), None).str.replace_all(options.decimal, ".", literal=True)
    return text


def _number_help(value: str, options: ReadOptions) -> str:
    if options.decimal == "." and options.thousands is None:
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", value.strip()):
            return "--thousands ','"
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", value.strip()):
            return "--thousands ',' or --decimal ','"
        if re.fullmatch(r"[+-]?\d*,\d+", value.strip()):
            return "--decimal ','"
    return "mend or remove these rows"


def price_scale(table: Table, names: Sequence[str], options: ReadOptions) -> tuple[float, str]:
    """The factor on prices and what it rests on; the dialect's acts where every price is a whole number."""
    if options.price_scale is not None:
        return options.price_scale, f"prices: x {options.price_scale:g} (declared)"
    scale = table.dialect.whole_price_scale if table.dialect else None
    if scale is None or table.dialect is None or not all(_is_whole(table.frame[name]) for name in names):
        return 1.0, ""
    return scale, f"prices: whole numbers x {scale:g} (dialect {table.dialect.name})"


def _is_whole(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return column.dtype.is_integer()
    return not column.str.contains(".", literal=True).any()
