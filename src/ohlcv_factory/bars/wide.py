"""Headers of two or three rows, a field and a ticker above every column: how yfinance writes its frames."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import polars as pl

from ohlcv_factory.bars.dialects import dialect_named
from ohlcv_factory.bars.table import Table, folded_name
from ohlcv_factory.errors import DataError

YFINANCE = "yfinance"
FIELDS = frozenset({"open", "high", "low", "close", "adjclose", "volume"})
LONGEST_HEAD = 1 << 16
CORNERS = frozenset({"price", "ticker", ""})
"""What may stand above the times in the first two header rows."""


def is_wide(text: str, delimiter: str) -> bool:
    """Whether the first two lines are the header rows of a frame with (field, ticker) columns."""
    head = _first_rows(text, delimiter, 2)
    return (
        len(head) == 2 and all(row and folded_name(row[0]) in CORNERS for row in head) and _field_row(head) is not None
    )


def wide_table(text: str, source: str, digest: str | None, delimiter: str) -> Table:
    """One row for each time and ticker, with the line that it came from."""
    head = _first_rows(text, delimiter, 3) or _first_rows(text, delimiter, 2)  # the third may be damaged
    place = _field_row(head[:2]) or 0
    fields, tickers = head[place][1:], head[1 - place][1:]
    if len(fields) != len(tickers):
        raise DataError(
            f"header rows 1 and 2 have {len(head[0])} and {len(head[1])} fields.", where=f"{source}:2", help="mend them"
        )
    named_time = len(head) > 2 and len(head[2]) > 0 and not any(head[2][1:])
    time = (head[2][0] if named_time else "") or "Date"
    rows = 3 if named_time else 2
    body = "".join(text.splitlines(keepends=True)[rows:])
    try:
        frame = pl.read_csv(
            io.BytesIO(body.encode()),
            separator=delimiter,
            has_header=False,
            schema=dict.fromkeys([time, *(str(column) for column in range(len(fields)))], pl.String()),
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} cannot be read as text: {reason}.", where=source, help="mend its rows") from None
    lines = np.arange(rows + 1, rows + 1 + len(frame))
    return long_table(frame, list(zip(fields, tickers, strict=True)), lines, source, digest)


def long_table(
    frame: pl.DataFrame, columns: list[tuple[str, str]], lines: np.ndarray, source: str, digest: str | None
) -> Table:
    """A first column of times and one column for each (field, ticker), as rows of one ticker below the other.

    A ticker has no bar at a time where none of its fields has a value.
    """
    time = frame.columns[0]
    tickers = list(dict.fromkeys(ticker for _, ticker in columns))
    blocks, rows, absent = [], [], 0
    for ticker in tickers:
        places = {field: place for place, (field, other) in enumerate(columns, start=1) if other == ticker}
        block = frame.select(time, *(pl.nth(place).alias(field) for field, place in places.items()))
        empty = block.select(pl.all_horizontal(pl.exclude(time).is_null())).to_series()
        absent += int(empty.sum())
        blocks.append(block.filter(~empty).with_columns(pl.lit(ticker).alias("symbol")))
        rows.append(lines[~empty.to_numpy()])
    notes = [f"header rows: field and ticker ({len(tickers)} tickers)"]
    notes += [f"{absent} times without any value of a ticker: no bar"] if absent else []
    return Table(
        pl.concat(blocks, how="diagonal"),
        np.concatenate(rows),
        source,
        digest,
        is_text=True,
        dialect=dialect_named(YFINANCE),
        notes=tuple(notes),
    )


def _first_rows(text: str, delimiter: str, count: int) -> list[list[str]]:
    lines = list(itertools.islice(io.StringIO(text[:LONGEST_HEAD]), count))
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return []


def _field_row(head: list[list[str]]) -> int | None:
    """Which of two rows holds the names of fields."""
    for place, row in enumerate(head):
        if len(row) > 1 and {folded_name(name) for name in row[1:]} <= FIELDS and "close" in map(folded_name, row[1:]):
            return place
    return None
