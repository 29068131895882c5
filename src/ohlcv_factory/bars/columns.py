"""Which column is which: time, prices, volume, symbol and contract by name, by synonym or as declared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ohlcv_factory.bars.schema import COLUMNS
from ohlcv_factory.bars.table import Table, folded_name
from ohlcv_factory.errors import DataError, UsageError, nearest, unknown_name

TIME_NAMES = frozenset(
    {"timestamp", "time", "datetime", "date", "gmttime", "utctime", "ts", "ts_event"}
    | {"open_time", "opentime", "unix", "window_start"}
)
"""Names of time columns, without case and blanks."""
SYMBOL_NAMES = frozenset({"symbol", "ticker"})
CONTRACT = "contract"
SYNONYMS = {"vol": "volume", "tickvol": "volume", "last": "close"}
NONE = "none"
"""`columns={"volume": "none"}`: the market reports no volume; `symbol: none`: pay no attention to the symbol column."""


@dataclass(frozen=True)
class FoundColumns:
    """Names in the source: one or two of time, those of the values, of symbol and contract; and those not used."""

    time: tuple[str, ...]
    values: dict[str, str]
    symbol: str | None
    contract: str | None
    dropped: tuple[str, ...]

    def with_value(self, canonical: str, name: str) -> FoundColumns:
        """The same with another column for one of the values."""
        before = self.values.get(canonical)
        dropped = tuple(each for each in self.dropped if each != name) + ((before,) if before else ())
        return replace(self, values={**self.values, canonical: name}, dropped=dropped)

    def note(self) -> str:
        """What the account says about columns."""
        used = ", ".join(repr(name) for name in (*self.time, *self.values.values()))
        zeros = "" if "volume" in self.values else "; volume is 0 (declared none)"
        return f"columns: {used}{zeros}" + (f"; dropped: {', '.join(map(repr, self.dropped))}" if self.dropped else "")


def may_be_wanted(declared: dict[str, str]) -> Callable[[str], bool]:
    """Whether a column of that folded name could be chosen: then it must not come twice."""
    wanted = {*TIME_NAMES, *SYMBOL_NAMES, CONTRACT, *COLUMNS, *SYNONYMS, *map(folded_name, declared.values())}
    return wanted.__contains__


def find_columns(table: Table, declared: dict[str, str]) -> FoundColumns:
    """The columns that hold time, prices, volume, symbol and contract; `declared` as in `ReadOptions.columns`.

    Raises UsageError (2) for a declaration that cannot be meant, DataError (65) for a column missing or in doubt.
    """
    names = {folded_name(name): name for name in table.frame.columns}
    _check_declared(names, declared)
    chosen = {canonical: names[folded_name(name)] for canonical, name in declared.items() if name != NONE}
    free = {folded: name for folded, name in names.items() if name not in chosen.values()}
    for canonical in COLUMNS:
        if canonical not in declared:
            chosen |= _value_column(canonical, free, table.source)
    time = (chosen.pop("timestamp"),) if "timestamp" in chosen else _time_columns(free, table.source)
    symbols = [name for folded, name in free.items() if folded in SYMBOL_NAMES and "symbol" not in declared]
    symbol = chosen.pop("symbol", symbols[0] if symbols else None)
    contract = chosen.pop(CONTRACT, free.get(CONTRACT) if CONTRACT not in declared else None)
    _refuse_missing(table, chosen, time, declared)
    used = {*time, *chosen.values(), symbol, contract}
    values = {name: chosen[name] for name in COLUMNS if name in chosen}
    dropped = tuple(name for name in table.frame.columns if name not in used)
    return FoundColumns(time, values, None if symbol == contract else symbol, contract, dropped)


def _check_declared(names: dict[str, str], declared: dict[str, str]) -> None:
    offered = ("timestamp", *COLUMNS, "symbol", CONTRACT)
    for canonical, name in declared.items():
        if canonical not in offered:
            raise unknown_name("column to map", canonical, offered, where="--map")
        if name != NONE and folded_name(name) not in names:
            raise unknown_name("column", name, names.values(), where=f"--map {canonical}")
        if name == NONE and canonical not in ("volume", "symbol", CONTRACT):
            raise UsageError(f"{canonical} cannot be none.", where="--map", help="only volume, symbol and contract can")
    volumes = [name for folded, name in names.items() if SYNONYMS.get(folded, folded) == "volume"]
    if declared.get("volume") == NONE and volumes:
        raise UsageError(
            f"volume=none cannot apply: column {volumes[0]!r} is there.", where="--map", help="leave it out"
        )


def _value_column(canonical: str, free: dict[str, str], source: str) -> dict[str, str]:
    """The column of that name, or of its one synonym; empty when there is none."""
    if canonical in free:
        return {canonical: free[canonical]}
    found = [name for folded, name in free.items() if SYNONYMS.get(folded) == canonical]
    if len(found) > 1:
        raise DataError(
            f"several columns may be {canonical}: {', '.join(found)}.",
            where=source,
            help=f"--map {canonical}={found[0]}",
        )
    return {canonical: found[0]} if found else {}


def _time_columns(free: dict[str, str], source: str) -> tuple[str, ...]:
    """The column of time, or a date and a time column; empty when there is none."""
    found = {folded: name for folded, name in free.items() if folded in TIME_NAMES}
    if found.keys() == {"date", "time"}:
        return (found["date"], found["time"])
    if len(found) > 1:
        first = next(iter(found.values()))
        raise DataError(
            f"several columns may be the time: {', '.join(found.values())}.",
            where=source,
            help=f"--map timestamp={first!r}",
        )
    return tuple(found.values())


def _refuse_missing(table: Table, chosen: dict[str, str], time: tuple[str, ...], declared: dict[str, str]) -> None:
    missing = [] if time else ["timestamp"]
    missing += [name for name in COLUMNS if name not in chosen and declared.get(name) != NONE]
    if not missing:
        return
    names = table.frame.columns
    headless = table.is_text and any(re.fullmatch(r"\d+\.\d+", name.strip()) for name in names)
    close = nearest(missing[0], names)
    help = f"did you mean {close!r}? --map {missing[0]}={close}" if close else f"--map {missing[0]}=NAME"
    if missing == ["volume"]:
        help += ", or --map volume=none where the market reports none"
    raise DataError(
        f"missing: {', '.join(missing)}; found: {', '.join(names)}.",
        where=f"{table.source}:1" if table.is_text else table.source,
        help="row 1 holds numbers: add a header line" if headless else help,
    )
