"""HTML that a notebook shows of an object: plain tables in the notebook's own style, every value inert text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any


def html_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A titled table; the first cell of a row is its name, floats have three decimals, None is a dash."""
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in header)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return f"<table><caption><b>{_text(title)}</b></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_paragraph(words: str) -> str:
    """Words as inert text."""
    return f"<p>{_text(words)}</p>"


def _row(row: Sequence[Any]) -> str:
    cells = "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
    return f'<th scope="row">{_text(row[0])}</th>{cells}'


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return escape(f"{value:.3f}" if isinstance(value, float) else str(value))
