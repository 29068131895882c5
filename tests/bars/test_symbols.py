"""Contracts are carried with the bars; which of two at one time to follow is never guessed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import DataError, FactoryError, UsageError

HEADER = "contract,timestamp,open,high,low,close,volume\n"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


def rolled(*rows: tuple[str, int]) -> str:
    """A bar for each (contract, minute)."""
    return HEADER + "".join(f"{name},2024-01-02T00:{minute:02}:00Z,1,99,1,{minute + 1},5\n" for name, minute in rows)


def parent(*rows: tuple[str, int]) -> str:
    """Databento bars of (symbol, minute)."""
    bar = "{}000000000,33,1,7,2000000000,3000000000,1000000000,200000000{},5,{}\n"
    return DATABENTO + "".join(bar.format(1_704_153_600 + 60 * minute, minute, name) for name, minute in rows)


def test_a_contract_column_is_carried_in_the_order_in_which_contracts_come(read: Callable[..., BarFile]) -> None:
    content = rolled(("M4", 2), ("M4", 3), ("H4", 0), ("H4", 1))
    bars = read(content, "ES.csv", sort=True).bars
    assert (bars.contract_names, bars.contract.tolist() if bars.contract is not None else None) == (
        ("H4", "M4"),
        [0, 0, 1, 1],
    )
    assert bars.roll_rows.tolist() == [2]


def test_a_contract_column_may_be_named_or_overruled(read: Callable[..., BarFile]) -> None:
    content = rolled(("H4", 0), ("M4", 1)).replace("contract", "expiry", 1)
    assert read(content, "ES.csv").bars.contract is None
    assert read(content, "ES.csv", columns={"contract": "expiry"}).bars.contract_names == ("H4", "M4")
    assert read(rolled(("H4", 0), ("M4", 1)), "ES.csv", columns={"contract": "none"}).bars.contract is None


def test_two_contracts_at_one_time_must_be_chosen_from(
    read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    content = rolled(("H4", 0), ("H4", 1), ("M4", 1), ("M4", 2))
    error = refusal(content)
    assert error.what == (
        "two contracts at one time: H4 row 3 (2024-01-02T00:01:00Z), M4 row 4 (2024-01-02T00:01:00Z) (1 such rows)."
    )
    assert (error.where, error.help.startswith("--contract H4")) == ("BTC_5min.csv:4", True)
    chosen = read(content, "ES.csv", contracts=("M4",))
    assert (chosen.bars.close.tolist(), chosen.bars.contract_names) == ([2.0, 3.0], ("M4",))
    assert "symbol: ES (from the name ES.csv); contracts: M4 (2 of 4 rows)" in chosen.account.assumed
    with pytest.raises(UsageError, match=r"Unknown contract 'M5'\. Did you mean 'M4'"):
        read(content, "ES.csv", contracts=("M5",))


def test_a_contract_is_refused_where_there_are_none(good: str, refusal: Callable[..., FactoryError]) -> None:
    assert "has no column of contracts" in refusal(good, contracts=("H4",)).what


def test_futures_codes_of_databento_are_contracts_of_their_root(read: Callable[..., BarFile]) -> None:
    result = read(parent(("ESH4", 0), ("ESH4", 1), ("ESM4", 2)), "glbx.csv")
    assert (result.bars.symbol, result.bars.contract_names) == ("ES", ("ESH4", "ESM4"))
    assert "symbol: ES, contracts by column 'symbol'" in result.account.assumed


def test_one_contract_by_its_name_is_a_series_of_its_own(read: Callable[..., BarFile]) -> None:
    bars = read(parent(("ESH4", 0), ("ESM4", 0), ("ESM4", 1)), "glbx.csv", symbol="ESM4").bars
    assert (bars.symbol, len(bars), bars.contract) == ("ESM4", 2, None)


def test_parent_symbology_is_refused_until_contracts_are_chosen(
    read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    expiries = parent(("ESH4", 0), ("ESM4", 0), ("ESH4", 1))
    assert "two contracts at one time: ESH4 row 2" in refusal(expiries).what
    spreads = parent(("ESH4", 0), ("ESH4-ESM4", 0), ("ESH4", 1))
    error = refusal(spreads)
    assert "symbol, row 3: 'ESH4-ESM4' looks like a spread" in error.what
    assert error.help.startswith("--contract ESH4")
    assert len(read(spreads, "glbx.csv", contracts=("ESH4",)).bars) == 2


def test_several_roots_must_be_chosen_from(read: Callable[..., BarFile], refusal: Callable[..., FactoryError]) -> None:
    content = parent(("ESH4", 0), ("NQH4", 0), ("ESH4", 1), ("NQH4", 1))
    error = refusal(content)
    assert "contracts of several roots: ES, NQ" in error.what
    assert error.help == "--symbol ES"
    assert read(content, "glbx.csv", symbol="NQ").bars.contract_names == ("NQH4",)


def test_stocks_of_databento_are_symbols(read: Callable[..., BarFile]) -> None:
    bars = read(parent(("SPY", 0), ("AAPL", 0), ("SPY", 1)), "xnas.csv", symbol="SPY").bars
    assert (bars.symbol, len(bars), bars.contract) == ("SPY", 2, None)
    with pytest.raises(DataError, match="is another symbol than 'SPY'"):
        read(parent(("SPY", 0), ("AAPL", 0), ("SPY", 1)), "xnas.csv")


def test_two_record_types_in_one_file_are_refused(refusal: Callable[..., FactoryError]) -> None:
    content = parent(("SPY", 0), ("SPY", 1), ("SPY", 2)).replace("1704153660000000000,33", "1704153660000000000,34")
    assert "rtype, row 3: 34 is another record type than 33" in refusal(content).what
