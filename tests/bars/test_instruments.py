from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.bars.instruments import Instrument, find_instrument, instrument_table
from ohlcv_factory.errors import UsageError

FUTURES = ["MES", "ES", "MNQ", "NQ", "MYM", "M2K", "MGC", "GC", "SI", "CL", "ZN", "6E"]
SHIPPED = [*FUTURES, "BTCUSDT", "ETHUSDT", "EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "SPY"]


def test_every_instrument_of_the_specification_is_shipped() -> None:
    assert set(SHIPPED) <= set(instrument_table())


@pytest.mark.parametrize("symbol", SHIPPED)
def test_every_shipped_row_has_a_calendar_a_cost_and_four_horizons(symbol: str) -> None:
    instrument = find_instrument(symbol)
    assert instrument.sessions.sessions_per_year > 200
    assert instrument.cost_per_unit(100.0) > 0
    assert sorted(instrument.barriers) == [5, 10, 15, 20]
    assert not instrument.is_generic


@pytest.mark.parametrize(
    ("symbol", "tick", "value_of_a_tick", "calendar", "zone"),
    [
        ("MES", 0.25, 1.25, "cme_equity", "America/Chicago"),
        ("ES", 0.25, 12.5, "cme_equity", "America/Chicago"),
        ("MNQ", 0.25, 0.5, "cme_equity", "America/Chicago"),
        ("NQ", 0.25, 5.0, "cme_equity", "America/Chicago"),
        ("MYM", 1.0, 0.5, "cme_equity", "America/Chicago"),
        ("M2K", 0.1, 0.5, "cme_equity", "America/Chicago"),
        ("MGC", 0.1, 1.0, "cme_metals", "America/Chicago"),
        ("GC", 0.1, 10.0, "cme_metals", "America/Chicago"),
        ("SI", 0.005, 25.0, "cme_metals", "America/Chicago"),
        ("CL", 0.01, 10.0, "cme_energy", "America/Chicago"),
        ("ZN", 1 / 64, 15.625, "cme_rates", "America/Chicago"),
        ("6E", 0.00005, 6.25, "cme_currency", "America/Chicago"),
        ("BTCUSDT", 0.01, 0.01, "always_open", "UTC"),
        ("ETHUSDT", 0.01, 0.01, "always_open", "UTC"),
        ("EURUSD", 0.00001, 0.00001, "fx_week", "America/New_York"),
        ("GBPUSD", 0.00001, 0.00001, "fx_week", "America/New_York"),
        ("USDJPY", 0.001, 0.001, "fx_week", "America/New_York"),
        ("XAUUSD", 0.01, 0.01, "fx_week", "America/New_York"),
        ("SPY", 0.01, 0.01, "nyse_extended", "America/New_York"),
    ],
)
def test_every_shipped_row_has_the_exchanges_tick_and_hours(symbol, tick, value_of_a_tick, calendar, zone) -> None:
    instrument = find_instrument(symbol)
    assert instrument.tick_size == tick
    assert instrument.tick_size * instrument.point_value == pytest.approx(value_of_a_tick)
    assert (instrument.sessions.name, instrument.sessions.time_zone) == (calendar, zone)


def test_index_futures_of_the_table_have_asymmetric_barriers_and_others_do_not() -> None:
    rule = find_instrument("ES").barrier(10)
    assert (rule.k_up, rule.k_down, rule.max_bars) == (2.0, 1.4, 30)
    rule = find_instrument("MGC").barrier(20)
    assert (rule.k_up, rule.k_down, rule.max_bars) == (2.5, 2.5, 60)


def test_the_cost_of_a_side_adds_commission_slippage_and_fee() -> None:
    # 0.62 currency over 5 per point, and half a tick of 0.25
    assert find_instrument("MES").cost_per_unit(5000.0) == pytest.approx(0.62 / 5 + 0.125)
    # 5 basis points of 60,000, and one tick of 0.01
    assert find_instrument("BTCUSDT").cost_per_unit(60_000.0) == pytest.approx(30.01)


def test_an_unknown_symbol_gets_the_generic_costs_and_says_so() -> None:
    instrument = find_instrument("DOGEUSDT")
    assert instrument.is_generic
    assert instrument.symbol == "DOGEUSDT"
    assert instrument.cost_per_unit(100.0) == pytest.approx(0.02)


def test_a_horizon_that_is_not_offered_lists_those_that_are() -> None:
    with pytest.raises(UsageError, match="horizon 7 is not offered for MES") as caught:
        find_instrument("MES").barrier(7)
    assert caught.value.help == "offered: 5, 10, 15, 20"


def test_a_users_row_names_only_what_differs(tmp_path: Path) -> None:
    table = tmp_path / "instruments.yaml"
    table.write_text("MES:\n  commission: 0.25\nNEW:\n  fee_bps: 1.0\n")
    assert find_instrument("MES", table).commission == 0.25
    assert find_instrument("MES", table).tick_size == 0.25
    assert find_instrument("NEW", table).fee_bps == 1.0
    assert find_instrument("GC", table) == find_instrument("GC")


def test_an_unknown_key_of_a_users_row_is_refused_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "instruments.yaml"
    table.write_text("MES:\n  tick_sise: 0.25\n")
    with pytest.raises(UsageError, match=r"tick_sise: unknown key; did you mean 'tick_size'\?.*instruments.yaml:2"):
        find_instrument("MES", table)


OWN = """\
calendars:
  frankfurt: {time_zone: Europe/Berlin, opens: "08:00", closes: "22:00", regular_opens: "09:00", exchange: XEUR}
FDAX: {tick_size: 0.5, point_value: 25.0, calendar: frankfurt}
MES: {commission: 0.25}
"""


def test_a_users_table_may_define_a_calendar_that_travels_with_the_instrument(tmp_path: Path) -> None:
    table = tmp_path / "instruments.yaml"
    table.write_text(OWN)
    instrument = find_instrument("FDAX", table)
    calendar = instrument.sessions
    assert (calendar.name, calendar.open_minute, calendar.close_minute) == ("frankfurt", 480, 1320)
    assert (calendar.regular_open_minute, calendar.regular_close_minute) == (540, 1320)
    assert Instrument.parse(instrument.plain()).sessions == calendar
    assert find_instrument("MES", table).sessions.name == "cme_equity"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Europe/Berlin", "Europe/Berlon"), r"calendars.frankfurt.time_zone: unknown time zone 'Europe/Berlon'.*:2"),
        (('"08:00"', '"8"'), r"calendars.frankfurt.opens: a time of day is written 08:30, got '8'.*:2"),
        (("XEUR", "CME_Equity"), r"calendars.frankfurt.exchange: 'CME_Equity' has the hours of the closed trading pit"),
        (("opens:", "open:"), r"calendars.frankfurt.open: unknown key; did you mean 'opens'\?"),
        (("calendar: frankfurt", "calendar: franfurt"), "Unknown session calendar 'franfurt'"),
    ],
)
def test_a_wrong_calendar_of_a_user_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    table = tmp_path / "instruments.yaml"
    table.write_text(OWN.replace(*change))
    with pytest.raises(UsageError, match=message):
        find_instrument("FDAX", table)


def test_the_equity_indices_are_the_futures_on_them_and_spy():
    indices = {symbol for symbol, row in instrument_table().items() if row.equity_index}
    assert indices == {"MES", "ES", "MNQ", "NQ", "MYM", "M2K", "SPY"}
