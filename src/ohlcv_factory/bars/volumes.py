"""Volume out of the columns that a dialect has for it."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.columns import FoundColumns
from ohlcv_factory.bars.numbers import column_numbers
from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import Table, folded_name
from ohlcv_factory.errors import DataError

CONTRACT_DOLLARS = (100.0, 10.0)
"""What a COIN-M contract of Binance is worth: Bitcoin's, and every other's."""
NEAR = 0.05
"""Share by which the median of a file may be off such a value: closes are no average prices."""


def read_volume(
    table: Table, columns: FoundColumns, options: ReadOptions, declared: bool
) -> tuple[np.ndarray, FoundColumns, str]:
    """Volume `(n,)` float64, the columns with the one that it came from, and a note where that was a choice.

    A column that the caller declared is read as it is. Raises DataError (65) when the choice is open.
    """
    rule = table.dialect.volume if table.dialect and not declared else "column"
    names = {folded_name(name): name for name in table.frame.columns}
    note = ""
    if rule == "ticks_if_zero" and "tickvol" in names:
        columns, note = _ticks_if_zero(table, columns, names["tickvol"], options)
    if rule == "coin_margined" and "quote_volume" in names:
        columns, note = _coin_margined(table, columns, names["quote_volume"], options)
    volume = column_numbers(table, columns.values.get("volume"), options)
    if rule == "sum" and {"up", "down"} <= names.keys():
        volume = volume + column_numbers(table, names["down"], options)
        note = f"volume: {names['up']} + {names['down']}"
    if rule == "minus_one_is_none" and len(volume) and (volume == -1).all():
        volume, note = np.zeros(len(volume)), "volume: none (-1 in every row)"
    return volume, columns, note


def base_volume(table: Table) -> dict[str, str]:
    """Which column holds the volume in the base currency of the symbol: `Volume BTC` of `BTC/USD`, not `Volume USD`.

    Empty for dialects without such columns. Raises DataError (65) when no one of them is it.
    """
    if table.dialect is None or table.dialect.volume != "base_of_symbol":
        return {}
    names = {folded_name(name): name for name in table.frame.columns}
    if "volume" in names:
        return {}
    found = {folded.removeprefix("volume"): name for folded, name in names.items() if folded.startswith("volume")}
    symbols = table.frame[names["symbol"]].drop_nulls().unique().to_list()
    bases = [base for base in found if base and all(symbol.casefold().startswith(base) for symbol in symbols)]
    if len(bases) != 1:
        raise DataError(
            f"several columns may be volume: {', '.join(found.values())}.",
            where=table.source,
            help=f"--map volume={next(iter(found.values()), 'NAME')!r}",
        )
    return {"volume": found[bases[0]]}


def _ticks_if_zero(table: Table, columns: FoundColumns, ticks: str, options: ReadOptions) -> tuple[FoundColumns, str]:
    name = columns.values.get("volume", ticks)
    if name == ticks:
        return columns, f"volume: {ticks} (ticks)"
    if column_numbers(table, name, options).any():
        return columns, f"volume: {name}"
    return columns.with_value("volume", ticks), f"volume: {ticks} (ticks), as {name} is 0 in every row"


def _coin_margined(table: Table, columns: FoundColumns, quoted: str, options: ReadOptions) -> tuple[FoundColumns, str]:
    """Where the volume counts contracts of a fixed worth, the column of the quote volume holds the base volume."""
    close, volume = (column_numbers(table, columns.values[name], options) for name in ("close", "volume"))
    quote = column_numbers(table, quoted, options)
    traded = (volume > 0) & (quote > 0)
    if not traded.any():
        return columns, "volume: column 6 (base currency)"
    spot = float(np.median(quote[traded] / (volume[traded] * close[traded])))
    dollars = float(np.median(quote[traded] * close[traded] / volume[traded]))
    is_spot = abs(spot - 1) < NEAR
    worth = next((worth for worth in CONTRACT_DOLLARS if abs(dollars / worth - 1) < NEAR), None)
    if is_spot and worth is not None:
        raise DataError(
            "volume may count the base currency or contracts (COIN-M): the prices allow both.",
            where=table.source,
            help=f"--map volume=volume or --map volume={quoted}",
        )
    if worth is None:
        return columns, "volume: column 6 (base currency)"
    note = f"volume: column 8 (base currency), as column 6 counts contracts of {worth:g} dollars (COIN-M)"
    return columns.with_value("volume", quoted), note
