"""The bar files that are known, one entry each: facts about exporters, no code.

What an entry leaves open is asked for, never guessed: a broker's or an exchange's zone, the order of day and month.
"""

from __future__ import annotations

from ohlcv_factory.bars.dialect import Dialect
from ohlcv_factory.errors import unknown_name

NUMBER = r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
FIVE = (NUMBER,) * 5
OHLCV = ("open", "high", "low", "close", "volume")
SECONDS, MILLI_OR_MICRO = r"\d{10}", r"\d{13}|\d{16}"
BROKER = "MetaTrader writes its broker's server time, often UTC+2 and +3 in summer: --tz EET, or as the broker says"
COMPACT = ((r"\d{8} +\d{6}", "%Y%m%d %H%M%S"), (r"\d{8}", "%Y%m%d"))

TAKER = ("taker_buy_volume", "taker_buy_quote_volume")

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="metatrader5",
        about="MetaTrader 5 export. Tick volume is used where VOL is 0 in every row.",
        example="<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        header=("date", *OHLCV[:4], "tickvol"),
        separators="\t,",
        columns={"volume": "vol|tickvol"},
        volume="ticks_if_zero",
        zone_help=BROKER,
    ),
    Dialect(
        name="metatrader4",
        about="MetaTrader 4 history (History Center). Volume counts ticks.",
        example="2019.01.02,00:00,1.1461,1.1462,1.1460,1.1461,34",
        fields=(r"\d{4}\.\d{2}\.\d{2}", r"\d{2}:\d{2}", *FIVE),
        names=("date", "time", *OHLCV),
        zone_help=BROKER,
        symbol_pattern=r"^([A-Za-z.#]+?)(?:1|5|15|30|60|240|1440)\.",
    ),
    Dialect(
        name="ninjatrader",
        about="NinjaTrader 7 and 8 export: always UTC, stamped at the end of the bar. HistData writes the same layout.",
        example="20061023 004400;1383.25;1383.5;1383;1383.25;86",
        fields=(r"\d{8} \d{6}", *FIVE),
        names=("time", *OHLCV),
        separators=";",
        formats=COMPACT,
        tz="UTC",
        stamp="close",
        symbol_pattern=r"^(.+?)\.(?:Last|Bid|Ask)\.",
    ),
    Dialect(
        name="ninjatrader_daily",
        about="NinjaTrader daily bars. Whether a day's stamp is its begin or its end must be told.",
        example="20061023;1374.5;1384.25;1368.25;1382;912345",
        fields=(r"\d{8}", *FIVE),
        names=("date", *OHLCV),
        separators=";",
        formats=COMPACT,
        tz="UTC",
        stamp=None,
        symbol_pattern=r"^(.+?)\.(?:Last|Bid|Ask)\.",
    ),
    Dialect(
        name="histdata",
        about="HistData ASCII M1: fixed EST (UTC-5) without daylight saving, open stamp, volume always 0.",
        example="20120201 000000;1.306600;1.306600;1.306560;1.306560;0",
        fields=(r"\d{8} \d{6}", *FIVE),
        names=("time", *OHLCV),
        separators=";",
        formats=COMPACT,
        tz="Etc/GMT+5",
        symbol_pattern=r"^DAT_ASCII_([A-Z]+)_",
    ),
    Dialect(
        name="tradingview",
        about="TradingView chart export. Indicator columns are dropped by name; volume is absent where there is none.",
        example="time,open,high,low,close,Volume,Volume MA",
        header=("time", *OHLCV[:4]),
        first_time=rf"{SECONDS}|\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[-+]\d\d:?\d\d)",
        columns={"timestamp": "time", "volume": "volume|none"},
        symbol_pattern=r"^[A-Z0-9]+_([^,]+), ",
    ),
    Dialect(
        name="binance",
        about="Binance public klines (spot, USD-M, COIN-M), with or without header; ms and us in one file are told "
        "apart by digits. COIN-M counts volume in contracts; its base volume is taken from column 8.",
        example="1704067200000,42283.58,42298.62,42261.02,42298.61,35.92,1704067259999,1519032.9,1327,18.2,769.9,0",
        header=("open_time", *OHLCV, "close_time", "quote_volume"),
        fields=(MILLI_OR_MICRO, *FIVE, MILLI_OR_MICRO, NUMBER, r"\d+", NUMBER, NUMBER, NUMBER),
        names=("open_time", *OHLCV, "close_time", "quote_volume", "count", *TAKER, "ignore"),
        columns={"timestamp": "open_time", "volume": "volume"},
        volume="coin_margined",
        symbol_pattern=r"^([A-Z0-9_]+)-\d+(?:s|m|h|d|w|mo)-",
        tz="UTC",
    ),
    Dialect(
        name="ccxt",
        about="ccxt fetch_ohlcv as JSON list or CSV without header.",
        example="1704067200000,42283.58,42298.62,42261.02,42298.61,35.92",
        fields=(r"\d{10}|\d{13}", *FIVE),
        names=("time", *OHLCV),
        tz="UTC",
    ),
    Dialect(
        name="freqtrade",
        about="freqtrade data: feather, or JSON that looks like ccxt's.",
        example="date,open,high,low,close,volume (feather)",
        fields=(r"\d{10}|\d{13}", *FIVE),
        names=("time", *OHLCV),
        header=("date", *OHLCV),
        ordered=True,
        detected=False,
        symbol_pattern=r"^([A-Z0-9]+_[A-Z0-9]+)(?:_[A-Z0-9]+)?-\d",
        tz="UTC",
    ),
    Dialect(
        name="coinbase",
        about="Coinbase Exchange candles: low, high, open, close, newest first.",
        example="[[1704067260, 42261.02, 42298.62, 42283.58, 42298.61, 35.92], ...]",
        fields=(SECONDS, *FIVE),
        names=("time", "low", "high", "open", "close", "volume"),
        header=("time", "low", "high", "open", "close", "volume"),
        ordered=True,
        newest_first=True,
        tz="UTC",
    ),
    Dialect(
        name="kraken",
        about="Kraken OHLCVT. A minute without a trade is absent.",
        example="1704067200,42280.1,42290.0,42270.2,42285.3,1.52,31",
        fields=(SECONDS, *FIVE, r"\d+"),
        names=("time", *OHLCV, "trades"),
        tz="UTC",
    ),
    Dialect(
        name="cryptodatadownload",
        about="CryptoDataDownload: a URL in the first line, newest first, volume in the base and in the quote currency "
        "in either order; the base volume is read.",
        example="https://www.CryptoDataDownload.com / unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
        header=("unix|unixtimestamp", "date", "symbol", *OHLCV[:4]),
        columns={"timestamp": "unix|unixtimestamp"},
        newest_first=True,
        volume="base_of_symbol",
        symbol_without="/",
        tz="UTC",
    ),
    Dialect(
        name="databento",
        about="Databento OHLCV as CSV, Parquet or DBN. Whole-number prices count 1e-9. Futures codes in the symbol "
        "column are contracts: several at one time must be chosen from.",
        example="ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol",
        header=("ts_event", "rtype", "publisher_id", "instrument_id", *OHLCV),
        columns={"timestamp": "ts_event", "symbol": "symbol|instrument_id"},
        whole_price_scale=1e-9,
        contracts=True,
        tz="UTC",
    ),
    Dialect(
        name="polygon",
        about="Polygon / Massive flat files: close stands before high and low; volume may be fractional.",
        example="ticker,volume,open,close,high,low,window_start,transactions",
        header=("ticker", "window_start", "transactions", *OHLCV),
        columns={"timestamp": "window_start", "symbol": "ticker"},
        tz="UTC",
    ),
    Dialect(
        name="sierrachart",
        about="Sierra Chart text export; the close is called Last. Intraday data export is UTC, chart export is not.",
        example="Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume",
        header=("date", "open", "high", "low", "last", "volume", "numberoftrades|openinterest"),
        columns={"close": "last"},
        zone_help="an intraday data export is UTC: --tz UTC; a chart export has the chart's zone",
    ),
    Dialect(
        name="tradestation",
        about="TradeStation export: close stamp in the exchange's zone; intraday volume is Up + Down.",
        example='"Date","Time","Open","High","Low","Close","Up","Down"',
        header=("date", "time", *OHLCV[:4], "up|vol", "down|oi"),
        columns={"volume": "vol|up"},
        formats_if_named=((r"\d{2}/\d{2}/\d{4} \d{2}:\d{2}", "%m/%d/%Y %H:%M"),),
        stamp="close",
        volume="sum",
        zone_help="TradeStation writes the exchange's local time: --tz America/New_York or America/Chicago",
    ),
    Dialect(
        name="metastock",
        about="Stooq and other MetaStock-style text, several symbols in one file.",
        example="<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        header=("ticker", "per", "date", *OHLCV[:4]),
        columns={"symbol": "ticker", "volume": "vol|volume|none"},
        formats=(*COMPACT, (r"\d{8} +\d{4}", "%Y%m%d %H%M")),
        zone_help="Stooq stamps intraday bars in its own zone: --tz Europe/Warsaw, or as the exporter says",
    ),
    Dialect(
        name="dukascopy",
        about="Dukascopy historical data: day first, UTC; volume in millions; weekends are filled with flat bars "
        "(--clean drop_flat_weekend).",
        example="Gmt time,Open,High,Low,Close,Volume",
        header=("gmttime", *OHLCV),
        formats=((r"\d{2}\.\d{2}\.\d{4} .+\.\d+", "%d.%m.%Y %H:%M:%S.%f"),),
        tz="UTC",
    ),
    Dialect(
        name="dukascopy_local",
        about="Dukascopy historical data in local time: day first.",
        example="Local time,Open,High,Low,Close,Volume",
        header=("localtime", *OHLCV),
        columns={"timestamp": "localtime"},
        formats=(
            (r"\d{2}\.\d{2}\.\d{4} .+\.\d+ GMT[+-]\d{4}", "%d.%m.%Y %H:%M:%S.%f GMT%z"),
            (r"\d{2}\.\d{2}\.\d{4} .+\.\d+", "%d.%m.%Y %H:%M:%S.%f"),
        ),
        zone_help="the zone of the machine that downloaded: --tz",
    ),
    Dialect(
        name="ibkr",
        about="Interactive Brokers historical bars. Volume -1 means none; volume of shares may be in lots of 100.",
        example="date,open,high,low,close,volume,average,barCount",
        header=("date", *OHLCV, "average|wap", "barcount"),
        columns={"timestamp": "date"},
        formats=(*COMPACT, (r"\d{8} +\d+:\d+:\d+", "%Y%m%d %H:%M:%S"), (r"\d{8}-\d+:\d+:\d+", "%Y%m%d-%H:%M:%S")),
        volume="minus_one_is_none",
        zone_help="times without a zone name are in the zone of the trader's workstation: --tz",
    ),
    Dialect(
        name="yfinance",
        about="yfinance, one header row or the two or three of its (field, ticker) columns. Prices are adjusted "
        "where there is no Adj Close.",
        example="Price,Close,High,Low,Open,Volume / Ticker,SPY,SPY,SPY,SPY,SPY / Date,,,,,",
        header=("date|datetime", *OHLCV, "adjclose"),
        header_if_named=("date|datetime", *OHLCV),
        columns={"timestamp": "date|datetime"},
        zone_help="daily bars carry no zone: that of the exchange, --tz America/New_York",
    ),
    Dialect(
        name="firstrate",
        about="FirstRate Data: no header, US/Eastern. Other exporters write the same layout, so it must be named.",
        example="2005-01-03 09:30:00,121.56,121.76,121.5,121.61,51200",
        fields=(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?", *FIVE),
        names=("time", *OHLCV),
        tz_if_named="America/New_York",
        zone_help="FirstRate writes US/Eastern: --dialect firstrate",
    ),
    Dialect(
        name="kibot",
        about="Kibot: no header, month first, US/Eastern. The zone is taken for granted only when it is named.",
        example="01/02/2009,09:30,90.1,90.2,90.05,90.15,15210",
        fields=(r"\d{2}/\d{2}/\d{4}", r"\d{2}:\d{2}", *FIVE),
        names=("date", "time", *OHLCV),
        formats_if_named=((r"\d{2}/\d{2}/\d{4} \d{2}:\d{2}", "%m/%d/%Y %H:%M"),),
        tz_if_named="America/New_York",
        zone_help="Kibot writes US/Eastern: --dialect kibot",
    ),
    Dialect(
        name="alpaca",
        about="Alpaca bars as CSV or JSON.",
        example="t,o,h,l,c,v,n,vw",
        header=("t", "o", "h", "l", "c", "v"),
        columns={"timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "symbol": "s"},
    ),
    Dialect(
        name="alphavantage",
        about="Alpha Vantage intraday CSV: US/Eastern, newest first. Its header is nobody's in particular: name it.",
        example="timestamp,open,high,low,close,volume",
        header=("timestamp", *OHLCV),
        detected=False,
        tz_if_named="America/New_York",
        newest_first=True,
    ),
    Dialect(
        name="lean",
        about="Lean (QuantConnect) minute or second zip: ms since midnight, the day in the name of the file inside, "
        "equity prices x 10000.",
        example="34200000,4736100,4737200,4735900,4736500,104213 in 20240102_spy_minute_trade.csv",
        fields=(r"\d{1,8}", *FIVE),
        names=("time", *OHLCV),
        detected=False,
        whole_price_scale=1e-4,
        zone_help="Lean writes the exchange's local time: --tz America/New_York for US equities",
    ),
)


def dialect_named(name: str) -> Dialect:
    """The entry of that name. Raises UnknownNameError (2) with the nearest one."""
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    offered = [dialect.name for dialect in DIALECTS]
    raise unknown_name("dialect", name, offered, see="ohlcv-factory data dialects", where="--dialect")
