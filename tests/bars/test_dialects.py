"""One file of every dialect, made from the stated facts, reads to the same bars; each trap is a test of its own."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.bars.dialects import DIALECTS, dialect_named
from ohlcv_factory.bars.load import BarFile, ReadOptions, bars_from_frame, read_bars
from ohlcv_factory.errors import DataError, FactoryError, UsageError

START = datetime(2024, 1, 15, tzinfo=UTC)
MINUTES = (0, 1, 3)
"""The minute without a trade is absent."""
START_S = 1_705_276_800
TIME_NS = [START_S * 10**9, (START_S + 60) * 10**9, (START_S + 180) * 10**9]
ROWS = ((100.5, 101.25, 100.0, 101.0, 10), (101.0, 101.5, 100.75, 100.75, 20), (100.75, 102.0, 100.5, 101.75, 30))
EST = timezone(timedelta(hours=-5))
NEW_YORK = "America/New_York"


def lines(text: str, zone: str | timezone = "UTC", shift: int = 0, end: str = "\n") -> str:
    """A line for each bar: its time in a zone, `shift` minutes late, and its values by name."""
    where = ZoneInfo(zone) if isinstance(zone, str) else zone
    made = []
    for minute, (o, h, l, c, v) in zip(MINUTES, ROWS, strict=True):
        moment = START + timedelta(minutes=minute + shift)
        s = int(moment.timestamp())
        made.append(
            text.format(
                t=moment.astimezone(where), s=s, ms=s * 1000, us=s * 10**6, ns=s * 10**9, o=o, h=h, l=l, c=c, v=v,
                end_ms=(s + 60) * 1000 - 1, end_us=(s + 60) * 10**6 - 1, quote=v * c, base=round(v * 100 / c, 6),
                O=int(o * 10**9), H=int(h * 10**9), L=int(l * 10**9), C=int(c * 10**9),
                o4=int(o * 10**4), h4=int(h * 10**4), l4=int(l * 10**4), c4=int(c * 10**4),
                day_ms=(moment.astimezone(where).hour * 60 + moment.astimezone(where).minute) * 60_000, lots=v / 4,
            ) + end
        )  # fmt: skip
    return "".join(made)


def backwards(text: str) -> str:
    return "".join(reversed(text.splitlines(keepends=True)))


def zipped(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def feather() -> bytes:
    buffer = io.BytesIO()
    columns = {"date": [START + timedelta(minutes=minute) for minute in MINUTES]}
    columns |= {name: [float(row[place]) for row in ROWS] for place, name in enumerate(OHLCV)}
    pl.DataFrame(columns).write_ipc(buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """A file, its name, what must be told, and what the account must say."""

    dialect: str | None
    name: str
    content: str | bytes
    symbol: str
    options: dict[str, object] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    volume: tuple[float, ...] = (10.0, 20.0, 30.0)


OHLCV = ("open", "high", "low", "close", "volume")
MT5 = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
BINANCE = "{ms},{o},{h},{l},{c},{v},{end_ms},{quote},7,1,1,0"
BINANCE_HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
CDD = "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
YAHOO_3 = "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDatetime,,,,,\n"
ALPACA = [
    {"t": f"{START + timedelta(minutes=m):%Y-%m-%dT%H:%M:%SZ}", "o": o, "h": h, "l": l, "c": c, "v": v, "n": 3, "vw": c}
    for m, (o, h, l, c, v) in zip(MINUTES, ROWS, strict=True)
]
CANDLES = [[START_S + 60 * m, o, h, l, c, v] for m, (o, h, l, c, v) in zip(MINUTES, ROWS, strict=True)]

CASES = {
    "metatrader5": Case(
        "metatrader5", "EURUSD_M1_2024.csv",
        MT5 + lines("{t:%Y.%m.%d}\t{t:%H:%M:%S}\t{o}\t{h}\t{l}\t{c}\t{v}\t0\t3", "EET"), "EURUSD", {"tz": "EET"},
        ("zone: EET (declared)", "volume: <TICKVOL> (ticks), as <VOL> is 0 in every row"),
    ),
    "metatrader5 with commas and real volume": Case(
        "metatrader5", "ES.csv",
        MT5.replace("\t", ",") + lines("{t:%Y.%m.%d},{t:%H:%M},{o},{h},{l},{c},999,{v},3", "EET"), "ES", {"tz": "EET"},
        ("volume: <VOL>",),
    ),
    "metatrader4": Case(
        "metatrader4", "EURUSD1.csv", lines("{t:%Y.%m.%d},{t:%H:%M},{o},{h},{l},{c},{v}", "EET"), "EURUSD", {"tz": "EET"},
        ("no header: columns date, time, open, high, low, close, volume",),
    ),
    "ninjatrader": Case(
        "ninjatrader", "ES 03-24.Last.txt", lines("{t:%Y%m%d %H%M%S};{o};{h};{l};{c};{v}", shift=1), "ES 03-24",
        {"dialect": "ninjatrader"}, ("stamp: close of the bar, shifted to the open", "zone: UTC (dialect ninjatrader)"),
    ),
    "histdata": Case(
        "histdata", "DAT_ASCII_EURUSD_M1_2024.csv", lines("{t:%Y%m%d %H%M%S};{o};{h};{l};{c};0", EST), "EURUSD",
        {"dialect": "histdata"}, ("stamp: open of the bar", "zone: Etc/GMT+5 (dialect histdata)"), (0.0, 0.0, 0.0),
    ),
    "tradingview seconds": Case(
        "tradingview", "BINANCE_BTCUSDT, 1.csv",
        "time,open,high,low,close,Volume,Volume MA,MA,MA\n" + lines("{s},{o},{h},{l},{c},{v},,1,2"), "BTCUSDT", {},
        ("columns: 'time', 'open', 'high', 'low', 'close', 'Volume'; dropped: 'Volume MA', 'MA', 'MA (2)'",),
    ),
    "tradingview offsets, no volume": Case(
        "tradingview", "FX_EURUSD, 1.csv", "time,open,high,low,close\n" + lines("{t:%Y-%m-%dT%H:%M:%S}-05:00,{o},{h},{l},{c}", EST),
        "EURUSD", {}, ("zone: carried by the times",), (0.0, 0.0, 0.0),
    ),
    "binance milliseconds": Case(
        "binance", "BTCUSDT-1m-2024-01.csv", lines(BINANCE), "BTCUSDT", {}, ("times: epoch in ms (by their digits)",)
    ),
    "binance zipped": Case(
        "binance", "BTCUSDT-1m-2024-01.zip", zipped("BTCUSDT-1m-2024-01.csv", lines(BINANCE)), "BTCUSDT"
    ),
    "binance header": Case("binance", "BTCUSDT-1m-2024-01.csv", BINANCE_HEADER + lines(BINANCE), "BTCUSDT"),
    "binance microseconds": Case(
        "binance", "BTCUSDT-1m-2025-01.csv", lines(BINANCE.replace("ms}", "us}")), "BTCUSDT", {},
        ("times: epoch in us (by their digits)",),
    ),
    "binance both units": Case(
        "binance", "BTCUSDT-1m-2024-12.csv",
        lines(BINANCE).splitlines(keepends=True)[0] + "".join(lines(BINANCE.replace("ms}", "us}")).splitlines(keepends=True)[1:]),
        "BTCUSDT", {}, ("times: epoch in ms and us (by their digits)",),
    ),
    "binance COIN-M": Case(
        "binance", "BTCUSD_PERP-1m-2024-01.csv", BINANCE_HEADER + lines(BINANCE.replace("{quote}", "{base}")), "BTCUSD_PERP", {},
        ("volume: column 8 (base currency), as column 6 counts contracts of 100 dollars (COIN-M)",),
        (round(1000 / 101.0, 6), round(2000 / 100.75, 6), round(3000 / 101.75, 6)),
    ),
    "binance REST": Case(
        "binance", "klines.json",
        json.dumps([[t * 1000, str(o), str(h), str(l), str(c), str(v), t * 1000 + 59_999, str(v * c), 7, "1", "1", "0"] for t, o, h, l, c, v in CANDLES]),
        "klines",
    ),
    "ccxt list": Case("ccxt", "BTC.json", json.dumps([[1000 * t, *rest] for t, *rest in CANDLES]), "BTC"),
    "ccxt csv": Case("ccxt", "BTC.csv", lines("{ms},{o},{h},{l},{c},{v}"), "BTC"),
    "freqtrade json": Case(
        "freqtrade", "BTC_USDT-1m.json", json.dumps([[1000 * t, *rest] for t, *rest in CANDLES]), "BTC_USDT",
        {"dialect": "freqtrade"},
    ),
    "freqtrade feather": Case("freqtrade", "BTC_USDT-1m.feather", feather(), "BTC_USDT", {"dialect": "freqtrade"}),
    "any feather": Case(None, "BTC.feather", feather(), "BTC"),
    "coinbase list": Case(
        "coinbase", "BTC-USD.json", json.dumps([[t, l, h, o, c, v] for t, o, h, l, c, v in reversed(CANDLES)]), "BTC-USD", {},
        ("no header: columns time, low, high, open, close, volume", "order: newest first, sorted by time"),
    ),
    "coinbase csv": Case("coinbase", "BTC-USD.csv", backwards(lines("{s},{l},{h},{o},{c},{v}")), "BTC-USD"),
    "coinbase header": Case(
        "coinbase", "BTC-USD.csv", "time,low,high,open,close,volume\n" + backwards(lines("{s},{l},{h},{o},{c},{v}")), "BTC-USD"
    ),
    "kraken": Case("kraken", "XBTUSD_1.csv", lines("{s},{o},{h},{l},{c},{v},12"), "XBTUSD"),
    "cryptodatadownload": Case(
        "cryptodatadownload", "Bitstamp_BTCUSD_minute.csv",
        CDD + "Volume BTC,Volume USD\n" + backwards(lines("{s},{t:%Y-%m-%d %H:%M:%S},BTC/USD,{o},{h},{l},{c},{v},{quote}")),
        "BTCUSD", {}, ("line 1 skipped: https://www.CryptoDataDownload.com", "order: newest first, sorted by time"),
    ),
    "cryptodatadownload, volumes swapped, ms": Case(
        "cryptodatadownload", "Binance_BTCUSDT_minute.csv",
        CDD + "Volume USDT,Volume BTC,tradecount\n"
        + backwards(lines("{ms},{t:%Y-%m-%d %H:%M:%S},BTCUSDT,{o},{h},{l},{c},{quote},{v},5")), "BTCUSDT",
    ),
    "databento raw": Case(
        "databento", "glbx.csv", DATABENTO + lines("{ns},33,1,4916,{O},{H},{L},{C},{v},ESH4"), "ES", {},
        ("prices: whole numbers x 1e-09 (dialect databento)", "bar size: 1min (record type)"),
    ),
    "databento pretty": Case(
        "databento", "glbx.csv",
        DATABENTO + lines("{t:%Y-%m-%dT%H:%M:%S}.000000000Z,33,1,15144,{o:.9f},{h:.9f},{l:.9f},{c:.9f},{v},SPY"), "SPY",
    ),
    "databento packed": Case(
        "databento", "glbx.csv.gz", gzip.compress((DATABENTO + lines("{ns},33,1,4916,{O},{H},{L},{C},{v},SPY")).encode()), "SPY"
    ),
    "polygon": Case(
        "polygon", "2024-01-15.csv.gz",
        gzip.compress(("ticker,volume,open,close,high,low,window_start,transactions\n" + lines("SPY,{lots},{o},{c},{h},{l},{ns},5")).encode()),
        "SPY", {}, (), (2.5, 5.0, 7.5),
    ),
    "sierrachart": Case(
        "sierrachart", "ESH24.txt",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n"
        + lines("{t:%Y/%m/%d}, {t:%H:%M:%S}, {o}, {h}, {l}, {c}, {v}, 4, 5, 5"), "ESH24", {"tz": "UTC"},
    ),
    "sierrachart dashes and fractions": Case(
        "sierrachart", "ESH24.txt",
        "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume\n"
        + lines("{t:%Y-%m-%d}, {t:%H:%M:%S}.000000, {o}, {h}, {l}, {c}, {v}, 4, 5, 5"), "ESH24", {"tz": "UTC"},
    ),
    "tradestation": Case(
        "tradestation", "ES.txt",
        '"Date","Time","Open","High","Low","Close","Up","Down"\n'
        + "".join(
            line.replace("|", f"{v - 4},4")
            for line, (*_, v) in zip(lines("{t:%m/%d/%Y},{t:%H:%M},{o},{h},{l},{c},|", "America/Chicago", 1).splitlines(keepends=True), ROWS, strict=True)
        ),
        "ES", {"tz": "America/Chicago"}, ("volume: Up + Down", "stamp: close of the bar, shifted to the open"),
    ),
    "metastock": Case(
        "metastock", "spy.us.txt",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        + lines("SPY.US,1,{t:%Y%m%d},{t:%H%M%S},{o},{h},{l},{c},{v},0", "Europe/Warsaw"), "SPY.US", {"tz": "Europe/Warsaw"},
    ),
    "dukascopy": Case(
        "dukascopy", "EURUSD_Candlestick_1_M_BID.csv",
        "Gmt time,Open,High,Low,Close,Volume\n" + lines("{t:%d.%m.%Y %H:%M:%S}.000,{o},{h},{l},{c},{v}"), "EURUSD", {},
        ("times: %d.%m.%Y %H:%M:%S.%f (dialect)", "zone: UTC (dialect dukascopy)"),
    ),
    "dukascopy local": Case(
        "dukascopy_local", "EURUSD.csv",
        "Local time,Open,High,Low,Close,Volume\n" + lines("{t:%d.%m.%Y %H:%M:%S}.000 GMT-0500,{o},{h},{l},{c},{v}", EST), "EURUSD",
    ),
    "ibkr zone by name": Case(
        "ibkr", "SPY.csv",
        "date,open,high,low,close,volume,average,barCount\n" + lines("{t:%Y%m%d  %H:%M:%S} US/Eastern,{o},{h},{l},{c},{v},1,2", NEW_YORK),
        "SPY", {}, ("zone: US/Eastern (carried by the times)",),
    ),
    "ibkr seconds, no volume": Case(
        "ibkr", "EURUSD.csv", "date,open,high,low,close,volume,wap,barCount\n" + lines("{s},{o},{h},{l},{c},-1,-1,-1"), "EURUSD",
        {}, ("volume: none (-1 in every row)",), (0.0, 0.0, 0.0),
    ),
    "yfinance three header rows": Case(
        "yfinance", "spy.csv", YAHOO_3 + lines("{t:%Y-%m-%d %H:%M:%S}-05:00,{c},{h},{l},{o},{v}", EST), "SPY"
    ),
    "yfinance two header rows": Case(
        "yfinance", "spy.csv", YAHOO_3.replace("Datetime,,,,,\n", "") + lines("{t:%Y-%m-%d %H:%M:%S}-05:00,{c},{h},{l},{o},{v}", EST), "SPY"
    ),
    "yfinance one header row": Case(
        "yfinance", "SPY.csv",
        "Datetime,Open,High,Low,Close,Adj Close,Volume\n" + lines("{t:%Y-%m-%d %H:%M:%S}-05:00,{o},{h},{l},{c},{c},{v}", EST), "SPY",
    ),
    "firstrate": Case(
        "firstrate", "SPY_1min.txt", lines("{t:%Y-%m-%d %H:%M:%S},{o},{h},{l},{c},{v}", NEW_YORK), "SPY",
        {"dialect": "firstrate"}, ("zone: America/New_York (dialect firstrate)",),
    ),
    "kibot": Case(
        "kibot", "SPY.txt", lines("{t:%m/%d/%Y},{t:%H:%M},{o},{h},{l},{c},{v}", NEW_YORK), "SPY", {"dialect": "kibot"},
        ("times: %m/%d/%Y %H:%M (dialect)",),
    ),
    "alpaca csv": Case(
        "alpaca", "SPY.csv", "t,o,h,l,c,v,n,vw\n" + lines("{t:%Y-%m-%dT%H:%M:%S}Z,{o},{h},{l},{c},{v},3,{c}"), "SPY"
    ),
    "alpaca json": Case("alpaca", "answer.json", json.dumps({"bars": {"SPY": ALPACA}, "next_page_token": None}), "SPY"),
    "alphavantage": Case(
        "alphavantage", "IBM.csv",
        "timestamp,open,high,low,close,volume\n" + backwards(lines("{t:%Y-%m-%d %H:%M:%S},{o},{h},{l},{c},{v}", NEW_YORK)), "IBM",
        {"dialect": "alphavantage"}, ("order: newest first, sorted by time",),
    ),
    "lean": Case(
        "lean", "20240114_trade.zip",
        zipped("20240114_spy_minute_trade.csv", lines("{day_ms},{o4},{h4},{l4},{c4},{v}", NEW_YORK)), "SPY", {"tz": NEW_YORK},
        ("day: 20240114 (from the name 20240114_spy_minute_trade.csv)", "prices: whole numbers x 0.0001 (dialect lean)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_file_of_every_dialect_gives_the_same_bars(case: str, read: Callable[..., BarFile]) -> None:
    made = CASES[case]
    bars, account = (result := read(made.content, made.name, **made.options)).bars, result.account
    assert account.files[0].dialect == made.dialect
    assert bars.symbol == made.symbol
    assert bars.bar_seconds == 60
    assert bars.time_ns.tolist() == TIME_NS
    assert [bars.open.tolist(), bars.high.tolist()] == [[100.5, 101.0, 100.75], [101.25, 101.5, 102.0]]
    assert [bars.low.tolist(), bars.close.tolist()] == [[100.0, 100.75, 100.5], [101.0, 100.75, 101.75]]
    assert bars.volume.tolist() == pytest.approx(list(made.volume))
    for note in made.says:
        assert note in account.assumed


def test_no_dialect_is_left_without_a_file() -> None:
    daily = {"ninjatrader_daily"}
    assert {case.dialect for case in CASES.values()} - {None} | daily == {dialect.name for dialect in DIALECTS}


ASKED = {
    "ninjatrader": ("several dialects have this layout: ninjatrader", "--dialect ninjatrader or --dialect histdata"),
    "histdata": ("several dialects have this layout", "--dialect ninjatrader or --dialect histdata"),
    "metatrader5": ("carries no time zone", "--tz EET"),
    "metatrader4": ("carries no time zone", "MetaTrader writes its broker's server time"),
    "sierrachart": ("carries no time zone", "chart's zone"),
    "tradestation": ("carries no time zone", "--tz America/New_York or America/Chicago"),
    "metastock": ("carries no time zone", "Europe/Warsaw"),
    "firstrate": ("carries no time zone", "--dialect firstrate"),
    "kibot": ("carries no time zone", "--dialect kibot"),
    "lean": ("carries no time zone", "--tz America/New_York for US equities"),
    "alphavantage": ("carries no time zone", "--tz"),
}


@pytest.mark.parametrize("case", ASKED)
def test_an_ambiguous_file_is_an_error_that_says_what_to_add(case: str, read: Callable[..., BarFile]) -> None:
    what, help = ASKED[case]
    with pytest.raises(DataError) as caught:
        read(CASES[case].content, CASES[case].name)
    assert what in caught.value.what
    assert help in caught.value.help


def test_an_option_overrules_what_a_dialect_says(read: Callable[..., BarFile]) -> None:
    ninja = CASES["ninjatrader"]
    bars = read(ninja.content, ninja.name, dialect="ninjatrader", stamp="open", tz="Etc/GMT+5").bars
    assert bars.time_ns.tolist() == [time_ns + 60 * 10**9 + 5 * 3600 * 10**9 for time_ns in TIME_NS]
    raw = read(CASES["databento raw"].content, "glbx.csv", price_scale=1e-8)
    assert raw.bars.close.tolist() == pytest.approx([1010.0, 1007.5, 1017.5])
    assert "prices: x 1e-08 (declared)" in raw.account.assumed
    ticks = CASES["metatrader5 with commas and real volume"]
    assert read(ticks.content, ticks.name, tz="EET", columns={"volume": "tickvol"}).bars.volume.tolist() == [999.0] * 3
    coin = CASES["binance COIN-M"]
    assert read(coin.content, coin.name, columns={"volume": "volume"}).bars.volume.tolist() == [10.0, 20.0, 30.0]
    lots = CASES["ibkr zone by name"]
    assert read(lots.content, lots.name, volume_scale=100.0).bars.volume.tolist() == [1000.0, 2000.0, 3000.0]


def test_a_newest_first_dialect_may_be_held_to_its_order(refusal: Callable[..., FactoryError]) -> None:
    assert "goes back" in refusal(CASES["coinbase csv"].content, sort=False).what


def test_two_orders_of_prices_that_both_fit_are_left_to_the_caller(read: Callable[..., BarFile]) -> None:
    """Where open, high, low and close are one number, no inequality tells the columns apart."""
    flat = f"{START_S},5,5,5,5,1\n{START_S + 60},6,6,6,6,1\n"
    with pytest.raises(DataError, match="several dialects have this layout") as caught:
        read(flat, "BTC.csv")
    assert caught.value.help == "--dialect ccxt or --dialect coinbase"
    assert read(flat, "BTC.csv", dialect="ccxt").bars.close.tolist() == [5.0, 6.0]


def test_seconds_in_the_order_of_everybody_else_are_not_coinbase(read: Callable[..., BarFile]) -> None:
    result = read(lines("{s},{o},{h},{l},{c},{v}"), "BTC.csv")
    assert result.account.files[0].dialect == "ccxt"
    assert result.bars.open.tolist() == [100.5, 101.0, 100.75]


@pytest.mark.parametrize(("day", "fits"), [("15", True), ("05", False)])
def test_a_day_is_told_from_a_month_only_above_12(day: str, fits: bool, read: Callable[..., BarFile]) -> None:
    content = '"Date","Time","Open","High","Low","Close","Vol","OI"\n'
    content += f"01/{day}/2024,07:05,1,2,1,1.5,5,0\n01/{day}/2024,07:06,1,2,1,1.25,5,0\n"
    if fits:
        assert read(content, "ES.txt", tz=NEW_YORK).account.first == "2024-01-15T12:04:00Z"
    else:
        with pytest.raises(DataError, match="may be day first or month first"):
            read(content, "ES.txt", tz=NEW_YORK)
        named = read(content, "ES.txt", tz=NEW_YORK, dialect="tradestation")
        assert named.account.first == "2024-01-05T12:04:00Z"


def test_decimal_commas_are_named_and_read_when_declared(read: Callable[..., BarFile]) -> None:
    content = "20240115 000100;100,5;101,25;100;101;10\n20240115 000200;101;101,5;100,75;100,75;20\n"
    with pytest.raises(DataError, match="open, row 1: '100,5' is not a number") as caught:
        read(content, "ES.Last.txt", dialect="ninjatrader")
    assert caught.value.help == "--decimal ','"
    assert read(content, "ES.Last.txt", dialect="ninjatrader", decimal=",").bars.open.tolist() == [100.5, 101.0]


def test_a_daily_ninjatrader_file_asks_for_its_stamp(read: Callable[..., BarFile]) -> None:
    content = "20240115;100;101;99;100.5;10\n20240116;100;101;99;100;20\n"
    with pytest.raises(DataError, match="do not say which end") as caught:
        read(content, "ES.Last.txt")
    assert caught.value.help == "--stamp open or --stamp close"
    assert read(content, "ES.Last.txt", stamp="open").account.first == "2024-01-15T00:00:00Z"


def test_a_daily_metatrader_file_needs_no_time(read: Callable[..., BarFile]) -> None:
    content = MT5.replace("<TIME>\t", "") + "2024.01.15\t1\t2\t1\t1.5\t5\t0\t1\n2024.01.16\t1\t2\t1\t1.25\t6\t0\t1\n"
    bars = read(content, "EURUSD_D1.csv", tz="UTC").bars
    assert (bars.bar_seconds, bars.time_ns[0], bars.volume.tolist()) == (86_400, TIME_NS[0], [5.0, 6.0])


def test_a_utf_16_export_is_read_when_declared(read: Callable[..., BarFile]) -> None:
    made = CASES["metatrader5"]
    assert (
        read(str(made.content).encode("utf-16"), made.name, tz="EET", encoding="utf-16").bars.time_ns.tolist()
        == TIME_NS
    )


def test_a_header_that_is_anybodys_needs_the_times_of_its_dialect(refusal: Callable[..., FactoryError]) -> None:
    """A file whose times carry no zone is not taken for TradingView's, whose times do."""
    error = refusal("time,open,high,low,close,volume\n" + lines("{t:%Y-%m-%d %H:%M},{o},{h},{l},{c},{v}"))
    assert "carries no time zone" in error.what
    assert error.help.startswith("--tz UTC")


def test_a_tick_volume_named_otherwise_is_not_taken_for_none(refusal: Callable[..., FactoryError]) -> None:
    content = "time,open,high,low,close,tick_volume,spread,real_volume\n" + lines("{s},{o},{h},{l},{c},{v},1,0")
    assert "missing: volume" in refusal(content).what


def test_zones_named_by_the_times_must_be_one(
    read: Callable[..., BarFile], refusal: Callable[..., FactoryError]
) -> None:
    content = str(CASES["ibkr zone by name"].content)
    assert "is not in US/Eastern" in refusal(content.replace("19:03:00 US/Eastern", "18:03:00 US/Central")).what
    with pytest.raises(UsageError, match="disagrees"):
        read(content, tz="UTC")


def test_several_tickers_side_by_side_become_symbols(read: Callable[..., BarFile]) -> None:
    content = (
        "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\nTicker,A,B,A,B,A,B,A,B,A,B\nDate,,,,,,,,,,\n"
    )
    content += "2024-01-15,1,20,1,20,1,20,1,20,5,6\n2024-01-16,2,,2,,2,,2,,5,\n2024-01-17,3,21,3,22,3,20,3,20,5,7\n"
    content += "2024-01-18,3,22,3,22,3,20,3,20,5,8\n"
    other = read(content, "two.csv", tz=NEW_YORK, symbol="B")
    assert (other.bars.symbol, other.bars.close.tolist(), other.bars.volume.tolist()) == (
        "B",
        [20.0, 21.0, 22.0],
        [6.0, 7.0, 8.0],
    )
    assert "1 times without any value of a ticker: no bar" in other.account.assumed


def test_a_pandas_frame_of_yfinance_is_read_by_ticker() -> None:
    import pandas as pd

    index = pd.DatetimeIndex(["2024-01-15", "2024-01-16"], name="Date").tz_localize(NEW_YORK)
    frame = pd.DataFrame(
        [[1.0, 2.0, 1.0, 1.5, 5], [1.0, 2.0, 1.0, 1.25, 6]],
        index=index,
        columns=pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["SPY"]]),
    )
    result = bars_from_frame(frame)
    assert (result.bars.symbol, result.bars.close.tolist()) == ("SPY", [1.5, 1.25])
    assert result.account.first == "2024-01-15T05:00:00Z"


@pytest.mark.parametrize("name", ["kraken", "lean", "coinbase"])
def test_a_named_dialect_that_does_not_fit_is_a_usage_error(name: str, good: str, read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match=f"dialect='{name}' cannot apply") as caught:
        read(good, dialect=name)
    assert "ohlcv-factory data dialects" in caught.value.help


def test_recognition_can_be_turned_off(read: Callable[..., BarFile], refusal: Callable[..., FactoryError]) -> None:
    assert "row 1 holds numbers: add a header line" in refusal(CASES["kraken"].content, dialect="none").help
    content = str(CASES["tradingview seconds"].content).replace(",Volume MA,MA,MA", "").replace(",,1,2", "")
    result = read(content, dialect="none")
    assert result.account.files[0].dialect is None
    assert "dialect: none, columns by their names" in result.account.assumed
    listed = json.dumps([[1000 * t, *rest] for t, *rest in CANDLES])
    assert "no known list of bars" in refusal(listed, dialect="none").what


def test_an_unknown_dialect_has_a_nearest_one(good: str, read: Callable[..., BarFile]) -> None:
    with pytest.raises(UsageError, match=r"Unknown dialect .krakn.\. Did you mean .kraken."):
        read(good, dialect="krakn")


def test_names_of_dialects_are_unique_and_their_patterns_have_names() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    for dialect in DIALECTS:
        assert len(dialect.fields) == len(dialect.names)
        assert dialect_named(dialect.name) is dialect
        assert dialect.header or dialect.fields


def test_the_quote_volume_is_found_by_its_folded_name(tmp_path: Path) -> None:
    made = CASES["binance COIN-M"]
    path = tmp_path / made.name
    path.write_text(str(made.content).replace("quote_volume", " Quote_Volume"), encoding="utf-8")
    assert read_bars(path, ReadOptions(**made.options)).bars.volume.any()


@settings(max_examples=300, deadline=None)
@given(
    case=st.sampled_from(sorted(name for name, made in CASES.items() if isinstance(made.content, str))),
    start=st.integers(0, 250),
    removed=st.integers(0, 30),
    inserted=st.sampled_from(["", ",", ";", "\t", '"', "\n", "\r", "-", "nan", "9" * 22, " ", "[", "{", "<", "ä"]),
)
def test_a_damaged_file_of_any_dialect_is_read_or_refused_with_a_way_out(
    case: str, start: int, removed: int, inserted: str
) -> None:
    made = CASES[case]
    content = str(made.content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / made.name
        path.write_text(content[:start] + inserted + content[start + removed :], encoding="utf-8", newline="")
        try:
            bars = read_bars(path, ReadOptions(**made.options)).bars
        except FactoryError as error:
            assert error.exit_code in (2, 65)
            assert error.help
        else:
            assert (bars.high >= bars.low).all()
            assert (bars.time_ns[1:] > bars.time_ns[:-1]).all()
