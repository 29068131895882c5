"""Delimited text in, a table of text columns out; a line that does not fit the header is refused with its number."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ohlcv_factory.bars.columns import may_be_wanted
from ohlcv_factory.bars.detection import chosen_fit, line_fits
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import Table, distinct_names, refuse_repeated_names
from ohlcv_factory.bars.wide import YFINANCE, is_wide, wide_table
from ohlcv_factory.errors import DataError, UsageError

ADDRESS = re.compile(r"https?://\S+")
LONGEST_HEAD = 1 << 16
"""Characters among which the first lines are looked for."""


def text_table(content: bytes, source: str, digest: str, options: ReadOptions) -> Table:
    """Every field as text; lines without any field are left out, and the numbers of the others kept.

    Columns have the names of the header, or of the dialect where there is none. Raises UsageError (2) for marks that
    cannot be meant, DataError (65) with the line for the rest.
    """
    _check_marks(options)
    text = _decoded(content, source, options.encoding)
    skipped, notes = _address(text)
    first = _line(text, skipped)
    if options.dialect in (None, YFINANCE) and is_wide(text, options.delimiter or ","):
        return wide_table(text, source, digest, options.delimiter or ",")
    where = f"{source}:{skipped + 1}"
    fits = line_fits(first, _line(text, skipped + 1), options, where)
    separator = fits[0].separator if fits else options.delimiter or ","
    if fits and not fits[0].has_header:
        body = Body(text, skipped, source, separator)
        frame, lines = body.columns([f"column {number}" for number in range(1, body.width() + 1)])
        dialect = chosen_fit(fits, frame, where).dialect
        frame.columns = list(dialect.names)
        notes = (*notes, f"no header: columns {', '.join(dialect.names)}")
        return Table(frame, lines, source, digest, is_text=True, dialect=dialect, notes=notes)
    names = _header(first, source, skipped + 1, separator)
    known = chosen_fit(fits, pl.DataFrame(), where).dialect if fits else None
    declared = {**(known.declared_columns(names) if known else {}), **options.columns}
    refuse_repeated_names(names, where, may_be_wanted(declared))
    frame, lines = Body(text, skipped + 1, source, separator).columns(distinct_names(names))
    return Table(frame, lines, source, digest, is_text=True, dialect=known, notes=notes)


@dataclass(frozen=True)
class Body:
    """The lines of a text below the first `skip` of them."""

    text: str
    skip: int
    source: str
    separator: str

    def width(self) -> int:
        """Fields of the first line."""
        return len(next(_records(self, 1), (1, []))[1])

    def columns(self, names: list[str]) -> tuple[pl.DataFrame, np.ndarray]:
        """The fields as text under these names, and the line of each row."""
        try:
            frame = pl.read_csv(
                io.BytesIO(self.text.encode()),
                separator=self.separator,
                has_header=False,
                skip_lines=self.skip,
                schema=dict.fromkeys(names, pl.String()),
            )
        except pl.exceptions.PolarsError as error:
            _refuse_field_counts(self, len(names))
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{self.source} cannot be read as text: {reason}.", where=self.source, help="check its quotes"
            ) from None
        blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
        if (frame.to_series(-1).is_null() & ~blank).any():
            _refuse_field_counts(self, len(names))
        if not blank.any():
            return frame, np.arange(self.skip + 1, self.skip + 1 + len(frame))
        lines = np.arange(self.skip + 1, self.skip + 1 + len(frame))[~blank.to_numpy()]
        return frame.filter(~blank), lines


def _line(text: str, place: int) -> str:
    """One of the first lines, without its end."""
    return next(itertools.islice(io.StringIO(text[:LONGEST_HEAD]), place, None), "").rstrip("\r\n")


def _address(text: str) -> tuple[int, tuple[str, ...]]:
    """How many lines to skip for a web address in the first of them, and a note on that."""
    address = _line(text, 0).strip().strip('",;')
    return (1, (f"line 1 skipped: {address}",)) if ADDRESS.fullmatch(address) else (0, ())


def _check_marks(options: ReadOptions) -> None:
    """Delimiter, decimal and thousands marks that can be told apart."""
    for name, mark in (("delimiter", options.delimiter), ("thousands", options.thousands)):
        if mark is not None and (len(mark.encode()) != 1 or mark.isalnum() or mark in '"\r\n-+'):
            raise UsageError(
                f"{name} must be one character, no letter or digit, got {mark!r}.",
                where=f"--{name}",
                help="for example ';'",
            )
    if options.decimal == options.thousands:
        raise UsageError(
            f"decimal and thousands are both {options.decimal!r}.", where="--thousands", help="tell them apart"
        )


def _decoded(content: bytes, source: str, encoding: str) -> str:
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        likely = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise DataError(
            f"byte {error.start} (row {row}) is not {encoding}: 0x{content[error.start]:02x}.",
            where=f"{source}:{row}",
            help=f"save the file as UTF-8, or --encoding {likely}",
        ) from None
    if "\0" in text:
        position = text.index("\0")
        row = text.count("\n", 0, position) + 1
        raise DataError(
            f"row {row} holds a NUL byte (character {position}).", where=f"{source}:{row}", help="export it again"
        )
    return text


def _header(line: str, source: str, number: int, delimiter: str) -> list[str]:
    _, names = next(_records(Body(line, 0, source, delimiter), 1), (1, []))
    other = next((mark for mark in ";\t|," if mark in line), None)
    if len(names) <= 1 and other:
        raise DataError(
            f"1 column with delimiter {delimiter!r}; the header looks like {other!r}: {line[:80]}",
            where=f"{source}:{number}",
            help=f"--delimiter {other!r}",
        )
    return [name.strip() for name in names]


def _refuse_field_counts(body: Body, width: int) -> None:
    """The first line whose number of fields is not that of the header."""
    for row, fields in _records(body, None):
        if fields and len(fields) != width:
            cut = len(fields) < width
            count = (
                f"{len(fields)} of {width} fields (file cut?)"
                if cut
                else f"{len(fields)} fields, the header has {width}"
            )
            raise DataError(f"row {row} has {count}.", where=f"{body.source}:{row}", help="mend or remove this row")


def _records(body: Body, count: int | None) -> Iterator[tuple[int, list[str]]]:
    """The line on which each of the first `count` records begins, and its fields."""
    stream = io.StringIO(body.text, newline="")
    for _ in range(body.skip):
        stream.readline()
    reader = csv.reader(stream, delimiter=body.separator)
    row = body.skip + 1
    try:
        for fields in itertools.islice(reader, count):
            yield row, fields
            row = body.skip + 1 + reader.line_num
    except csv.Error as error:
        raise DataError(f"row {row}: {error}.", where=f"{body.source}:{row}", help="check its quotes") from None
