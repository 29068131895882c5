"""What one exporter's bar files look like and mean; `dialects` has the entries, `detection` recognises them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ohlcv_factory.bars.options import ReadOptions
from ohlcv_factory.bars.table import folded_name

VolumeRule = Literal["column", "ticks_if_zero", "sum", "base_of_symbol", "coin_margined", "minus_one_is_none"]
"""How the volume comes out of its columns; `volumes` has one function for each rule but `column`."""


@dataclass(frozen=True)
class Dialect:
    """One exporter's layout and its meaning. A dialect only fills options that the caller left unset."""

    name: str
    about: str
    """Who writes it, and what to know about it."""
    example: str
    """The first lines of such a file."""
    header: tuple[str, ...] = ()
    """Names that the header must hold, folded; `a|b` means either of them. Empty: there never is a header."""
    ordered: bool = False
    """The header is exactly these names in this order."""
    header_if_named: tuple[str, ...] = ()
    """A header that others have too: enough once the caller has named the dialect."""
    first_time: str = ""
    """Pattern of the first field below the header, where the header alone is anybody's."""
    fields: tuple[str, ...] = ()
    """Patterns of the fields of a first record without header; empty: there always is one."""
    names: tuple[str, ...] = ()
    """Names of the columns where there is no header, one for each pattern."""
    separators: str = ","
    detected: bool = True
    """False: a layout that many others have too; it is read this way only when named."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Which column is which, as in `ReadOptions.columns`; `a|b`: the first that is there; `none` may stand last."""
    formats: tuple[tuple[str, str], ...] = ()
    """A pattern of the first time and the strftime pattern that it means."""
    formats_if_named: tuple[tuple[str, str], ...] = ()
    """Likewise, where the layout alone does not prove the order of day and month."""
    tz: str | None = None
    """IANA zone of the times, where the layout proves it."""
    tz_if_named: str | None = None
    """IANA zone of the times, once the caller says that this exporter wrote them."""
    zone_help: str = ""
    """What the exporter is known to do about zones, for the message that asks for one."""
    stamp: Literal["open", "close"] | None = "open"
    """None: must be told with `--stamp`."""
    newest_first: bool = False
    whole_price_scale: float | None = None
    """Factor on prices that are all written as whole numbers."""
    volume: VolumeRule = "column"
    symbol_pattern: str = ""
    """Group 1 is the symbol in the name of a file."""
    symbol_without: str = ""
    """Characters left out of the symbols of a column: `BTC/USD` becomes `BTCUSD`."""
    contracts: bool = False
    """A symbol column of futures codes names contracts of one root."""

    def has_header(self, names: Sequence[str], named: bool = False) -> bool:
        """Whether a first line with these names is the header of this dialect."""
        folded = [folded_name(name) for name in names]
        if self.ordered and not named:
            return folded == list(self.header)
        wanted = (self.header_if_named if named else ()) or self.header
        return bool(wanted) and all(any(name in folded for name in either.split("|")) for either in wanted)

    def has_first_time(self, record: Sequence[str]) -> bool:
        """Whether the first record below the header begins with such a time as this dialect writes."""
        return not self.first_time or not record or re.fullmatch(self.first_time, record[0].strip()) is not None

    def has_fields(self, record: Sequence[str]) -> bool:
        """Whether a first record without header has the fields of this dialect."""
        return len(record) == len(self.fields) > 0 and all(
            re.fullmatch(pattern, value.strip()) for pattern, value in zip(self.fields, record, strict=True)
        )

    def time_formats(self, named: bool) -> tuple[tuple[str, str], ...]:
        """The formats of its times: more of them once the caller has named it."""
        return self.formats + (self.formats_if_named if named else ())

    def zone(self, named: bool) -> str | None:
        """The zone of its times, or None where it must be told."""
        return self.tz or (self.tz_if_named if named else None)

    def declared_columns(self, names: Sequence[str]) -> dict[str, str]:
        """Which of these columns is which; `none` only where no name speaks of volume."""
        there = {folded_name(name) for name in names}
        if not any("vol" in name for name in there):
            there.add("none")
        chosen = {
            canonical: next((name for name in offered.split("|") if name in there), None)
            for canonical, offered in self.columns.items()
        }
        return {canonical: name for canonical, name in chosen.items() if name is not None}

    def reads_like(self, other: Dialect) -> bool:
        """Whether a file without header means the same in both."""
        return self._meaning() == other._meaning()

    def _meaning(self) -> tuple[Any, ...]:
        return (self.names, self.columns, self.formats, self.tz, self.stamp, self.whole_price_scale, self.volume)


def filled_options(options: ReadOptions, dialect: Dialect | None, named: bool, names: Sequence[str]) -> ReadOptions:
    """The options that act on one file: what the caller said, else what the dialect knows, else the general default."""
    columns = dict(options.columns)
    values: dict[str, Any] = {"stamp": options.stamp or "open", "sort": bool(options.sort)}
    if dialect is not None:
        columns = {**dialect.declared_columns(names), **columns}
        values["stamp"] = options.stamp or dialect.stamp or "open"
        values["sort"] = dialect.newest_first if options.sort is None else options.sort
        values["tz"] = options.tz or dialect.zone(named)
    return options.model_copy(update={**values, "columns": columns})
