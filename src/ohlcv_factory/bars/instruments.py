"""What one trades: tick, point value, costs per side, session calendar, barrier defaults."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from ohlcv_factory.bars.sessions import CalendarHours, SessionCalendar, session_calendar
from ohlcv_factory.config import Document, IntegerKeys, Settings, parse_yaml, read_yaml, setting
from ohlcv_factory.errors import UsageError

GENERIC = "*"
"""Row of the table that an unknown symbol gets."""
OWN_CALENDARS = "calendars"
"""Key of a user's table under which calendars stand, by name."""


class BarrierRule(Settings):
    """Triple barrier of one horizon: distances in ATR(14) of the signal bar, vertical barrier in bars."""

    k_up: float = setting(..., "Upper barrier in ATR(14).", gt=0)
    k_down: float = setting(..., "Lower barrier in ATR(14).", gt=0)
    max_bars: int = setting(..., "Bars to the vertical barrier.", ge=1)


class Instrument(Settings):
    """One row of the instrument table; copied into every dataset manifest."""

    symbol: str
    currency: str = "USD"
    tick_size: float = setting(0.0, "Smallest price step; 0 where none is declared.", ge=0)
    point_value: float = setting(1.0, "Currency per point of one contract or unit.", gt=0)
    commission: float = setting(0.0, "Currency per contract and side.", ge=0)
    slippage_ticks: float = setting(0.0, "Ticks lost per side.", ge=0)
    fee_bps: float = setting(0.0, "Fee and slippage per side in basis points of the traded value.", ge=0)
    equity_index: bool = setting(False, "Whether it follows a share index, which drifts up: its barriers may differ.")
    calendar: str = setting("always_open", "Session calendar, see `bars.sessions`, or one of your own table.")
    hours: CalendarHours | None = setting(None, "Hours of that calendar where it is your own.")
    barriers: Annotated[dict[int, BarrierRule], IntegerKeys] = setting(
        {}, "Barrier rules of this market, by horizon in bars."
    )

    @property
    def sessions(self) -> SessionCalendar:
        """The instrument's session calendar. Raises UnknownNameError (2)."""
        return self.hours.calendar(self.calendar) if self.hours else session_calendar(self.calendar)

    @property
    def is_generic(self) -> bool:
        """Whether the symbol is unknown, so that declared generic costs stand in."""
        return self.symbol not in instrument_table()

    def cost_per_unit(self, price: float) -> float:
        """Cost of one side in price units per unit traded at `price`: commission, slippage and fee together."""
        return self.fee_bps * 1e-4 * price + self.slippage_ticks * self.tick_size + self.commission / self.point_value

    def barrier(self, horizon: int) -> BarrierRule:
        """The barrier rule of a horizon. Raises UsageError (2) when that horizon is not offered."""
        if horizon not in self.barriers:
            offered = ", ".join(map(str, sorted(self.barriers)))
            raise UsageError(
                f"horizon {horizon} is not offered for {self.symbol}.", where="horizons", help=f"offered: {offered}"
            )
        return self.barriers[horizon]


@cache
def instrument_table() -> dict[str, Instrument]:
    """The shipped table, by symbol; `*` is the generic row."""
    text = files("ohlcv_factory.bars").joinpath("instruments.yaml").read_text(encoding="utf-8")
    return _table(parse_yaml(text, where="instruments.yaml"))


def find_instrument(symbol: str, user_table: Path | None = None) -> Instrument:
    """The instrument of a symbol: the user's table first, then the shipped one, then the generic row.

    A user's row names only what differs from the shipped row (or from the generic one); its `calendar` may be one that
    the table itself defines under `calendars`. Raises UsageError (2) with the line.
    """
    shipped = instrument_table()
    row = shipped.get(symbol) or shipped[GENERIC].model_copy(update={"symbol": symbol})
    if user_table is None:
        return row
    document = read_yaml(user_table)
    own = document.values.get(symbol, {})
    name = own.get("calendar", row.calendar)
    hours = document.values.get(OWN_CALENDARS, {}).get(name)
    if hours is None:
        session_calendar(name)
    else:
        section = f"{OWN_CALENDARS}.{name}"
        hours = CalendarHours.parse(hours, where=document.where, lines=document.lines, section=section)
    changed = {**row.plain(), "hours": hours and hours.plain(), **own, "symbol": symbol}
    return Instrument.parse(changed, where=document.where, lines=_lines_under(document, symbol))


def _lines_under(document: Document, symbol: str) -> dict[str, int]:
    return {key.removeprefix(f"{symbol}."): line for key, line in document.lines.items()}


def _table(document: Document) -> dict[str, Instrument]:
    """Rows inherit from the generic row; `barriers_of` names the row whose barriers are meant."""
    rows = document.values
    table: dict[str, Instrument] = {}
    for symbol, own in rows.items():
        fields = {key: value for key, value in own.items() if key != "barriers_of"}
        fields.setdefault("barriers", rows[own.get("barriers_of", GENERIC)].get("barriers"))
        table[symbol] = Instrument.parse({**fields, "symbol": symbol}, where=document.where)
    return table
