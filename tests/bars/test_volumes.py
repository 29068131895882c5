"""Which column is the volume follows from the facts of the file, or is asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.errors import FactoryError

MT5 = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"


def binance(close: float, volume: float, quote: float) -> str:
    rows = [
        f"{1_704_153_600_000 + 60_000 * n},{close},{close},{close},{close - n / 1e6},{volume},"
        f"{1_704_153_659_999 + 60_000 * n},{quote},7,1,1,0\n"
        for n in range(2)
    ]
    return "".join(rows).replace(f"{close},{close},{close},", f"{close},{close},{close - 1},")


def test_real_volume_is_used_where_any_row_has_it(read: Callable[..., BarFile]) -> None:
    rows = "2024.01.15\t00:00\t1\t2\t1\t1.5\t7\t0\t3\n2024.01.15\t00:01\t1\t2\t1\t1.25\t8\t40\t3\n"
    assert read(MT5 + rows, "ES.csv", tz="EET").bars.volume.tolist() == [0.0, 40.0]
    ticks = read(MT5 + rows.replace("\t40\t", "\t0\t"), "ES.csv", tz="EET")
    assert ticks.bars.volume.tolist() == [7.0, 8.0]
    assert (
        "columns: '<DATE>', '<TIME>', '<OPEN>', '<HIGH>', '<LOW>', '<CLOSE>', '<TICKVOL>'; dropped: '<SPREAD>', '<VOL>'"
        in ticks.account.assumed
    )


@pytest.mark.parametrize(
    ("close", "volume", "quote", "read_as"),
    [
        (42_000.0, 2.0, 84_000.0, 2.0),  # spot: quote = volume x price
        (42_000.0, 840.0, 2.0, 2.0),  # COIN-M: 840 contracts of 100 dollars are 2 BTC
        (2_000.0, 400.0, 2.0, 2.0),  # 400 contracts of 10 dollars are 2 ETH
        (42_000.0, 0.0, 0.0, 0.0),
    ],
)
def test_contracts_and_coins_are_told_apart_by_price(
    close: float, volume: float, quote: float, read_as: float, read: Callable[..., BarFile]
) -> None:
    assert read(binance(close, volume, quote), "BTC.csv").bars.volume.tolist() == [read_as, read_as]


def test_a_price_at_which_both_fit_is_left_to_the_caller(
    read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    """At a price of 10, one coin is worth 10 dollars and a contract of 100 dollars holds 10 coins."""
    content = binance(10.0, 5.0, 50.0)
    error = refusal(content)
    assert "the prices allow both" in error.what
    assert error.help == "--map volume=volume or --map volume=quote_volume"
    assert read(content, "DOT.csv", columns={"volume": "quote_volume"}).bars.volume.tolist() == [50.0, 50.0]


def test_two_volumes_of_which_none_is_the_symbols_are_asked_for(refusal: Callable[..., FactoryError]) -> None:
    content = "unix,date,symbol,open,high,low,close,Volume EUR,Volume USD\n1704153600,2024-01-02,BTC/USD,1,2,1,1,5,6\n"
    error = refusal(content)
    assert "several columns may be volume: Volume EUR, Volume USD" in error.what
    assert error.help == "--map volume='Volume EUR'"


def test_one_volume_of_no_currency_is_the_volume(read: Callable[..., BarFile]) -> None:
    content = "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume\n1704153660,2024-01-02,BTCUSD,1,2,1,1,5\n"
    content += "1704153600,2024-01-02,BTCUSD,1,2,1,1.5,6\n"
    assert read(content, "gemini.csv").bars.volume.tolist() == [6.0, 5.0]


def test_minus_one_in_some_rows_is_no_rule(refusal: Callable[..., FactoryError]) -> None:
    header = "date,open,high,low,close,volume,average,barCount\n"
    rows = "1704153600,1,2,1,1.5,-1,1,1\n1704153660,1,2,1,1.25,5,1,1\n"
    assert "volume is negative" in refusal(header + rows).what
