"""JSON in, a table out: lists of numbers as exchanges answer them, or lists of named values."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import polars as pl

from ohlcv_factory.bars.detection import chosen_fit, not_like, record_fits
from ohlcv_factory.bars.dialects import dialect_named
from ohlcv_factory.bars.options import ReadOptions, named_dialect
from ohlcv_factory.bars.table import SHOWN, Table
from ohlcv_factory.errors import DataError

ENVELOPES = ("bars", "data", "candles", "result")


def json_table(content: bytes, source: str, digest: str, options: ReadOptions) -> Table:
    """The bars of a JSON document; rows are counted from 1.

    Raises DataError (65) for what is no list of bars, UsageError (2) for a dialect that it is not in.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        raise DataError(f"{source} is not complete JSON: {error}.", where=source, help="download it again") from None
    records = _records(document)
    if not records or not isinstance(records[0], list | dict):
        raise DataError(f"{source} holds no list of bars.", where=source, help="give [[time, open, ...], ...]")
    kind = type(records[0])
    other = next((row for row, record in enumerate(records, start=1) if type(record) is not kind), None)
    if other is not None:
        raise DataError(f"row {other} is no {kind.__name__}.", where=f"{source}:{other}", help="mend this row")
    return _listed(records, source, digest, options) if kind is list else _named(records, source, digest, options)


def _records(document: Any) -> Any:
    """The list of bars, out of `{"bars": [...]}` or `{"bars": {"SPY": [...]}}` where it is in one."""
    if not isinstance(document, dict):
        return document
    inner = next((document[name] for name in ENVELOPES if name in document), None)
    if isinstance(inner, dict):
        each = [(symbol, bar) for symbol, bars in inner.items() for bar in (bars if isinstance(bars, list) else [bars])]
        return [{**bar, "s": symbol} if isinstance(bar, dict) else bar for symbol, bar in each]
    symbol = document.get("symbol")
    return [{**bar, "s": symbol} if isinstance(bar, dict) and symbol else bar for bar in inner or []]


def _listed(records: list[list[Any]], source: str, digest: str, options: ReadOptions) -> Table:
    width = len(records[0])
    odd = next((row for row, record in enumerate(records, start=1) if len(record) != width), None)
    if odd is not None:
        raise DataError(
            f"row {odd} has {len(records[odd - 1])} of {width} values.", where=f"{source}:{odd}", help="mend it"
        )
    first = [str(value) for value in records[0]]
    fits = [fit for fit in record_fits(first, options) if not fit.has_header]
    if not fits:
        if (wanted := named_dialect(options)) is not None:
            raise not_like(dialect_named(wanted), ", ".join(first), source)
        raise DataError(
            f"no known list of bars: {', '.join(first[:SHOWN])}, … ({width} values).", where=source, help="give CSV"
        )
    frame = _frame(records, source, orient="row")
    dialect = chosen_fit(fits, frame, source).dialect
    frame.columns = list(dialect.names)
    notes = (f"no header: columns {', '.join(dialect.names)}",)
    return Table(frame, _positions(frame), source, digest, is_text=False, dialect=dialect, notes=notes)


def _named(records: list[dict[str, Any]], source: str, digest: str, options: ReadOptions) -> Table:
    frame = _frame(records, source)
    fits = record_fits(frame.columns, options)
    dialect = chosen_fit(fits, frame, source).dialect if fits else None
    return Table(frame, _positions(frame), source, digest, is_text=False, dialect=dialect)


def _frame(records: list[Any], source: str, orient: Literal["row"] | None = None) -> pl.DataFrame:
    try:
        return pl.DataFrame(records, orient=orient, strict=False, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{source} holds values that fit no column: {reason}.", where=source, help="mend them"
        ) from None


def _positions(frame: pl.DataFrame) -> np.ndarray:
    return np.arange(1, len(frame) + 1)
