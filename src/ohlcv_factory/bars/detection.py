"""Which dialect a file is written in, told from its first lines and, where two fit, from the prices of every row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from ohlcv_factory.bars.dialect import Dialect
from ohlcv_factory.bars.dialects import DIALECTS, dialect_named
from ohlcv_factory.bars.options import NOBODY, ReadOptions, named_dialect
from ohlcv_factory.errors import DataError, UsageError

SEPARATORS = ",;\t|"
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Fit:
    """A dialect that a file may be written in."""

    dialect: Dialect
    separator: str
    has_header: bool


def line_fits(line: str, second: str, options: ReadOptions, where: str) -> list[Fit]:
    """The dialects of a text whose first lines these are; none for a layout that nobody claims.

    Raises UsageError (2) when the caller named a dialect that does not look like this.
    """
    marks = SEPARATORS if options.delimiter is None else options.delimiter
    found = []
    for mark in marks:
        fits = record_fits(_fields(line, mark), options, mark)
        below = _fields(second, mark)
        named = options.dialect is not None
        found += [fit for fit in fits if named or not fit.has_header or fit.dialect.has_first_time(below)]
    if (wanted := named_dialect(options)) and not found:
        raise not_like(dialect_named(wanted), line, where)
    return found


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # a stray carriage return: no dialect has one
        return []


def record_fits(record: Sequence[str], options: ReadOptions, separator: str = ",") -> list[Fit]:
    """The dialects whose header or first record these fields may be."""
    candidates, named = _candidates(options), options.dialect is not None
    with_header = [dialect for dialect in candidates if dialect.has_header(record, named)]
    if with_header:
        most = max(len(dialect.header) for dialect in with_header)
        found = [dialect for dialect in with_header if len(dialect.header) == most]
        found = [dialect for dialect in found if dialect.ordered] or found
        return [Fit(dialect, separator, True) for dialect in found if _separates(dialect, separator, options)]
    without = [dialect for dialect in candidates if dialect.has_fields(record)]
    return [Fit(dialect, separator, False) for dialect in without if _separates(dialect, separator, options)]


def _separates(dialect: Dialect, separator: str, options: ReadOptions) -> bool:
    """Whether the fields of a dialect stand apart like this; a caller who names it may say otherwise."""
    return separator in dialect.separators or (options.dialect is not None and options.delimiter == separator)


def _candidates(options: ReadOptions) -> Iterable[Dialect]:
    if options.dialect == NOBODY:
        return []
    if (wanted := named_dialect(options)) is not None:
        return [dialect_named(wanted)]
    return [dialect for dialect in DIALECTS if dialect.detected]


def not_like(dialect: Dialect, line: str, where: str) -> UsageError:
    """The error for a file that is not in the dialect that the caller named."""
    return UsageError(
        f"dialect={dialect.name!r} cannot apply: its files begin {dialect.example.split(' / ')[0]!r}, "
        f"this one {line[:SHOWN_CHARACTERS]!r}.",
        where=where,
        help="leave --dialect out, or see: ohlcv-factory data dialects",
    )


def chosen_fit(fits: Sequence[Fit], frame: pl.DataFrame, where: str) -> Fit:
    """The one dialect that is left: others mean the same, or their order of prices contradicts a row.

    Raises DataError (65) when several are left.
    """
    left = list(fits)
    if len(left) > 1 and len({fit.dialect.names for fit in left}) > 1:
        left = [fit for fit in left if _keeps_order(frame, fit.dialect.names)] or left
    if all(left[0].dialect.reads_like(fit.dialect) for fit in left[1:]):
        return left[0]
    meanings = "; ".join(f"{fit.dialect.name}: {meaning(fit.dialect)}" for fit in left)
    flags = " or ".join(f"--dialect {fit.dialect.name}" for fit in left)
    raise DataError(f"several dialects have this layout: {meanings}.", where=where, help=flags)


def meaning(dialect: Dialect) -> str:
    """What one should know to tell two dialects apart: order of columns, zone, stamp."""
    zone = f", zone {dialect.tz}" if dialect.tz else ""
    return f"{', '.join(dialect.names)}{zone}, {dialect.stamp or 'unknown'} stamp"


def _keeps_order(frame: pl.DataFrame, names: tuple[str, ...]) -> bool:
    """Whether high is the largest and low the smallest price of every row, were these the names."""
    prices = {
        name: frame.to_series(place).cast(pl.Float64, strict=False)
        for place, name in enumerate(names)
        if name in ("open", "high", "low", "close")
    }
    sides = pl.DataFrame(prices)
    kept = sides.select(
        (pl.max_horizontal("open", "close", "low") <= pl.col("high"))
        & (pl.min_horizontal("open", "close", "high") >= pl.col("low"))
    ).to_series()
    return bool(kept.fill_null(True).all())
