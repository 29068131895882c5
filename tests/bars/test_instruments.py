from __future__ import annotations

from pathlib import Path

import pytest

from ohlcv_factory.bars.instruments import find_instrument, instrument_table
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
