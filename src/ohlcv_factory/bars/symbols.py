"""The rows of each symbol, and of each contract of it, out of one table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
import polars as pl

from ohlcv_factory.bars.columns import FoundColumns
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import SHOWN, Table
from ohlcv_factory.errors import DataError, unknown_name

OTHER_SYMBOL = "--map symbol=none with --symbol NAME"
FUTURES_CODE = r"^([A-Z0-9]{1,3}?)[FGHJKMNQUVXZ]\d{1,2}$"
"""Root, month and year of an outright futures contract: ESH4, MGCZ25."""


@dataclass(frozen=True)
class SymbolRows:
    """The rows of one symbol, its contracts `(n,)` as text where there are any, and how it was found."""

    table: Table
    symbol: str
    contract: pl.Series | None
    note: str


def by_symbol(table: Table, columns: FoundColumns, options: ReadOptions) -> list[SymbolRows]:
    """The rows of every symbol, in the order in which the symbols come; only of `options.symbol` where it is set.

    Empty when that symbol is not in the symbol column. Raises DataError (65) for rows without symbol or contract, and
    for contracts of which one must be chosen; UnknownNameError (2) for a contract that is not there.
    """
    if columns.symbol is None:
        symbol = options.symbol or _symbol_of_name(table)
        note = "symbol: declared" if options.symbol else f"symbol: {symbol} (from the name {table.source})"
        return [_with_contract(SymbolRows(table, _checked(symbol), None, note), columns.contract, options)]
    values = _filled(table, columns.symbol, "symbol", OTHER_SYMBOL)
    if columns.contract is None and _holds_futures_codes(table, values, options):
        return [_futures(table, columns.symbol, values, options)]
    places = pl.DataFrame({"name": values}).with_row_index("row").group_by("name", maintain_order=True).agg("row")
    return [
        _with_contract(_rows_of(table, columns.symbol, name, rows), columns.contract, options)
        for name, rows in places.iter_rows()
        if options.symbol in (None, name, _plain(name, table))
    ]


def symbols_in(table: Table, columns: FoundColumns) -> list[str]:
    """The names in the symbol column, for messages."""
    if columns.symbol is None:
        return []
    names = table.frame[columns.symbol].cast(pl.String).drop_nulls().unique(maintain_order=True).to_list()
    return [_plain(name, table) for name in names]


def _filled(table: Table, column: str, kind: str, help: str) -> pl.Series:
    values = table.frame[column].cast(pl.String).str.strip_chars()
    table.refuse(values.is_null(), values, f"is no {kind}", f"fill it, or {help}")
    return values


def _rows_of(table: Table, column: str, name: str, rows: list[int]) -> SymbolRows:
    note = f"symbol: {len(rows)} of {len(table.rows)} rows, by column {column!r}"
    part = table if len(rows) == len(table.rows) else replace(table, frame=table.frame[rows], rows=table.rows[rows])
    return SymbolRows(part, _checked(_plain(name, table)), None, note)


def _part(table: Table, mask: pl.Series) -> Table:
    if mask.all():
        return table
    return replace(table, frame=table.frame.filter(mask), rows=table.rows[mask.to_numpy()])


def _plain(name: str, table: Table) -> str:
    """A symbol without the characters that the dialect leaves out."""
    without = table.dialect.symbol_without if table.dialect else ""
    return name.translate(str.maketrans("", "", without))


def _with_contract(rows: SymbolRows, column: str | None, options: ReadOptions) -> SymbolRows:
    if column is None:
        if options.contracts:
            raise DataError(
                f"{rows.table.source} has no column of contracts.",
                where=rows.table.source,
                help="leave --contract out, or --map contract=NAME",
            )
        return rows
    values = _filled(rows.table, column, "contract", "--map contract=none")
    return _chosen_contracts(replace(rows, contract=values), options)


def _holds_futures_codes(table: Table, values: pl.Series, options: ReadOptions) -> bool:
    """Whether the symbols are contracts of futures, and not one of them alone is asked for by its name."""
    if table.dialect is None or not table.dialect.contracts or options.symbol in set(values.unique()):
        return False
    return bool(values.str.contains(FUTURES_CODE).any())


def _futures(table: Table, column: str, values: pl.Series, options: ReadOptions) -> SymbolRows:
    """A symbol column of futures codes: their root is the symbol, they are its contracts."""
    roots = values.str.extract(FUTURES_CODE).drop_nulls().unique(maintain_order=True).to_list()
    if len(roots) > 1 and options.symbol is None:
        raise DataError(
            f"{column} holds contracts of several roots: {', '.join(roots[:SHOWN])}.",
            where=table.source,
            help=f"--symbol {roots[0]}",
        )
    root = options.symbol or roots[0]
    mask = values.str.contains(rf"^{re.escape(root)}(?:[FGHJKMNQUVXZ]\d|[-: ])")
    others = f" ({int((~mask).sum())} rows of others left out)" if not mask.all() else ""
    note = f"symbol: {root}, contracts by column {column!r}{others}"
    return _chosen_contracts(SymbolRows(_part(table, mask), _checked(root), values.filter(mask), note), options)


def _chosen_contracts(rows: SymbolRows, options: ReadOptions) -> SymbolRows:
    """Only the contracts that are asked for; without a choice, spreads are refused."""
    contract, table = rows.contract, rows.table
    if contract is None:
        return rows
    names = contract.unique(maintain_order=True).to_list()
    if not options.contracts:
        spread = contract.str.contains(r"[-:]")
        outright = next((name for name in names if not re.search(r"[-:]", name)), names[0])
        table.refuse(spread, contract, "looks like a spread", f"--contract {outright}, more of them by repeating it")
        return rows
    for name in options.contracts:
        if name not in names:
            raise unknown_name("contract", name, names, where="--contract")
    mask = contract.is_in(list(options.contracts))
    note = f"{rows.note}; contracts: {', '.join(options.contracts)} ({int(mask.sum())} of {len(mask)} rows)"
    return replace(rows, table=_part(table, mask), contract=contract.filter(mask), note=note)


def contract_codes(contract: pl.Series, names: Sequence[str]) -> np.ndarray:
    """Positions `(n,)` int32 of contracts in a list of names."""
    codes = contract.replace_strict(list(names), list(range(len(names))), return_dtype=pl.Int32)
    return codes.to_numpy(writable=True)


def _symbol_of_name(table: Table) -> str:
    """`EURUSD_1min_2024.csv.gz` -> `EURUSD`, or as the dialect names its files."""
    name = PurePath(table.source).name
    pattern = table.dialect.symbol_pattern if table.dialect else ""
    named = re.search(pattern, name) if pattern else None
    if named:
        return named[1]
    stem = name.partition(".")[0]
    return stem.partition("_")[0] or stem


def _checked(symbol: str) -> str:
    """A symbol names files later on."""
    if not re.fullmatch(r"[^\s/\\.][^/\\]*", symbol):
        raise DataError(f"{symbol!r} cannot be used as a symbol.", where="symbol", help=OTHER_SYMBOL)
    return symbol
