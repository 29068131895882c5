"""What commands print: text for people, JSON for programs, tables in plain columns."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import typer


def emit(values: Any, text: str, as_json: bool) -> None:
    """Print `values` as JSON, or `text`. A reader that has heard enough (`| head`) is no error."""
    if as_json:
        from ohlcv_factory.storage.formats import jsonable

        text = json.dumps(jsonable(values), ensure_ascii=False)
    try:
        typer.echo(text)
    except BrokenPipeError:
        say_nothing_more()


def say(words: str) -> None:
    """A line on standard error beside the results; to nobody where the terminal is gone."""
    with suppress(OSError, ValueError):
        print(words, file=sys.stderr, flush=True)


def say_nothing_more() -> None:
    """Let what is still buffered go nowhere, or the interpreter stumbles over it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned plain-text columns: numbers to the right, words to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(str(line[column])) for line in [header, *cells]) for column in range(len(header))]
    numeric = [all(not isinstance(row[column], str) for row in rows) for column in range(len(header))]

    def line(values: Sequence[str]) -> str:
        pairs = zip(values, widths, numeric, strict=True)
        return "  ".join(value.rjust(width) if right else value.ljust(width) for value, width, right in pairs).rstrip()

    return "\n".join([line(list(header)), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def fact_lines(facts: Mapping[str, Any]) -> str:
    """`name: value`, a line for each fact."""
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
