"""What commands print: text for people, JSON for programs, tables in plain columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer


def emit(values: Any, text: str, as_json: bool) -> None:
    """Print `values` as JSON, or `text`."""
    if as_json:
        from ohlcv_factory.storage.formats import jsonable

        typer.echo(json.dumps(jsonable(values), ensure_ascii=False))
    else:
        typer.echo(text)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned plain-text columns: numbers to the right, words to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(str(line[column])) for line in [header, *cells]) for column in range(len(header))]
    numeric = [all(not isinstance(row[column], str) for row in rows) for column in range(len(header))]

    def line(values: Sequence[str]) -> str:
        pairs = zip(values, widths, numeric, strict=True)
        return "  ".join(value.rjust(width) if right else value.ljust(width) for value, width, right in pairs).rstrip()

    return "\n".join([line(list(header)), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
