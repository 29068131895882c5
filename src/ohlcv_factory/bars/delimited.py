"""Delimited text in, a table of text columns out; a line that does not fit the header is refused with its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
import polars as pl

from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import Table, refuse_repeated_names
from ohlcv_factory.errors import DataError, UsageError


def text_table(content: bytes, source: str, digest: str, options: ReadOptions) -> Table:
    """Every field as text; lines without any field are left out, and the numbers of the others kept.

    Raises UsageError (2) for marks or an encoding that cannot be meant, DataError (65) with the line for the rest.
    """
    _check_marks(options)
    text = _decoded(content, source, options.encoding)
    header = _header(text, source, options.delimiter)
    refuse_repeated_names(header, where=f"{source}:1")
    try:
        frame = pl.read_csv(io.BytesIO(text.encode()), separator=options.delimiter, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        _refuse_field_counts(text, len(header), source, options.delimiter)
        reason = str(error).splitlines()[0]
        raise DataError(f"{source} cannot be read as text: {reason}.", where=source, help="check its quotes") from None
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if (frame.to_series(-1).is_null() & ~blank).any():
        _refuse_field_counts(text, len(header), source, options.delimiter)
    lines = np.arange(2, len(frame) + 2)[~blank.to_numpy()]
    return Table(frame.filter(~blank), lines, source, digest, is_text=True)


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
    except LookupError:
        raise UsageError(
            f"encoding {encoding!r} is not known.", where="--encoding", help="utf-8, utf-16, latin-1 …"
        ) from None
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


def _header(text: str, source: str, delimiter: str) -> list[str]:
    end = text.find("\n")
    line = (text if end < 0 else text[:end]).rstrip("\r")
    _, names = next(_records(line, source, delimiter), (1, []))
    other = next((mark for mark in ";\t|," if mark in line), None)
    if len(names) <= 1 and other:
        raise DataError(
            f"1 column with delimiter {delimiter!r}; the header looks like {other!r}: {line[:80]}",
            where=f"{source}:1",
            help=f"--delimiter {other!r}",
        )
    return names


def _refuse_field_counts(text: str, width: int, source: str, delimiter: str) -> None:
    """The first line whose number of fields is not that of the header."""
    for row, fields in _records(text, source, delimiter):
        if fields and len(fields) != width:
            cut = len(fields) < width
            count = (
                f"{len(fields)} of {width} fields (file cut?)"
                if cut
                else f"{len(fields)} fields, the header has {width}"
            )
            raise DataError(f"row {row} has {count}.", where=f"{source}:{row}", help="mend or remove this row")


def _records(text: str, source: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The line on which each record begins, and its fields."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    row = 1
    try:
        for fields in reader:
            yield row, fields
            row = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"row {row}: {error}.", where=f"{source}:{row}", help="check its quotes") from None
