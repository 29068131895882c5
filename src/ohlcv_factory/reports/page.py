"""One self-contained HTML page: sections in order, tables that scroll in their own box, nothing from the network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = "page.css"


@dataclass(frozen=True)
class Section:
    """One part of a page. `html` is markup: whoever makes it escapes what comes from data (`text`)."""

    title: str
    id: str
    html: str


@dataclass(frozen=True)
class Markup:
    """A piece of finished HTML, to be put into a table as it is."""

    html: str


def compose(title: str, lead: str, sections: Sequence[Section], colophon: str, *, script: str = "") -> str:
    """The page: title and lead (markup), links to the sections, the sections, a last line.

    `script` is a file of this folder, such as `sort_tables.js`; the page's policy lets its exact text run and no other.
    """
    links = "".join(f'<li><a href="#{section.id}">{text(section.title)}</a></li>' for section in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>\n{_own_file(STYLE)}</style>\n</head>\n<body>\n"
        f'<header>\n<h1>{text(title)}</h1>\n{lead}\n<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n'
        f"<main>\n{''.join(map(_section, sections))}</main>\n<footer>{text(colophon)}</footer>\n"
        f"{_script_element(script)}</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """Any value as inert text."""
    return escape(str(value), quote=True)


def paragraph(words: Any, kind: str = "") -> str:
    """Inert text as a paragraph; `kind` is a class of the style sheet, such as `note`."""
    return f"<p{_class(kind)}>{text(words)}</p>\n"


def heading(words: Any) -> str:
    """A heading inside a section."""
    return f"<h3>{text(words)}</h3>\n"


def bullets(items: Iterable[Any]) -> str:
    """A list of inert texts."""
    return f"<ul>{''.join(f'<li>{_cell_html(item)}</li>' for item in items)}</ul>\n"


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Names with their values."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{_cell_html(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{rows}</dl>\n'


def table(columns: Sequence[str], *bodies: Sequence[Sequence[Any]], caption: str = "", kind: str = "") -> str:
    """A table in a box of its own that scrolls sideways; the first cell of a row is its name and stays in view.

    Each body is a group of rows, set apart from the one before. Cells are inert text unless they are `Markup`.
    """
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in columns)
    groups = "".join(f"<tbody>{''.join(map(_row, body))}</tbody>" for body in bodies if body)
    words = paragraph(caption, "caption") if caption else ""
    return (
        f'{words}<div class="scroll" tabindex="0" role="group" aria-label="{text(caption or columns[0])}">'
        f"<table{_class(kind)}><thead><tr>{head}</tr></thead>{groups}</table></div>\n"
    )


def cards(items: Iterable[tuple[str, str]]) -> str:
    """Titled pieces of markup, side by side where there is room."""
    pieces = (f'<article class="card"><h4>{text(title)}</h4>{html}</article>' for title, html in items)
    return f'<div class="cards">{"".join(pieces)}</div>\n'


def _row(cells: Sequence[Any]) -> str:
    values = "".join(f"<td>{_cell_html(cell)}</td>" for cell in cells[1:])
    return f'<tr><th scope="row">{_cell_html(cells[0])}</th>{values}</tr>'


def _cell_html(cell: Any) -> str:
    return cell.html if isinstance(cell, Markup) else text(cell)


def _section(section: Section) -> str:
    return f'<section id="{section.id}">\n<h2>{text(section.title)}</h2>\n{section.html}</section>\n'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _policy(script: str) -> str:
    if not script:
        return POLICY
    digest = b64encode(sha256(_own_file(script).encode()).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"


def _script_element(script: str) -> str:
    return f"<script>{_own_file(script)}</script>\n" if script else ""


@cache
def _own_file(name: str) -> str:
    return files("ohlcv_factory.reports").joinpath(name).read_text(encoding="utf-8")
