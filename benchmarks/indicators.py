"""The 60 common indicator columns of rows 1 and 2, written once for each way to compute them.

Columns of the factory's catalogue that TA-Lib has too, or nearly: the peers get the same formulas on the same bars.
pandas and polars leave out `cci_20`, whose mean absolute deviation they can only roll with a Python function.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

BARS = 1_000_000
FILE = "indicators.npz"
PRICES = ("open", "high", "low", "close", "volume")
RETURNS, CHANGES = (1, 5, 10, 20, 60), (5, 10, 20)
SIMPLE, EXPONENTIAL, RANGES, LINES = (10, 20, 50, 100, 200), (9, 21, 50), (7, 14, 21), (20, 60)
NAMES = (
    *(f"return_{n}" for n in RETURNS),
    *(f"roc_{n}" for n in CHANGES),
    *(f"{stem}_{n}" for stem in ("sma", "close_to_sma") for n in SIMPLE),
    *(f"{stem}_{n}" for stem in ("ema", "close_to_ema") for n in EXPONENTIAL),
    *("rsi_14", "macd_line", "macd_signal", "macd_hist", "stoch_k", "stoch_d", "williams_r", "cci_20", "mfi_14"),
    *(f"{stem}_{n}" for stem in ("atr", "atr_pct") for n in RANGES),
    *("bb_upper", "bb_middle", "bb_lower", "bb_width", "bb_position", "kc_middle", "kc_upper", "kc_lower"),
    *("adx_14", "plus_di_14", "minus_di_14"),
    *(f"{stem}_{n}" for stem in ("close_slope", "close_r2") for n in LINES),
    *("volume_sma_20", "volume_ratio", "dollar_volume_sma_10", "dollar_volume_sma_20", "hvol_20", "hvol_60"),
)
BARS_PER_YEAR = 365 * 1440


def prepare(folder: Path) -> None:
    """A random walk of one-minute bars, for all cases."""
    import numpy as np

    from ohlcv_factory.bars.synthetic import random_walk

    bars = random_walk(BARS, 1, bar_seconds=60)
    np.savez(folder / FILE, time_ns=bars.time_ns, **{name: getattr(bars, name) for name in PRICES})


def columns_of(folder: Path) -> dict[str, Any]:
    """The bars that `prepare` wrote, contiguous float64 arrays by name."""
    import numpy as np

    return dict(np.load(folder / FILE))


def talib_columns(bars: dict[str, Any]) -> dict[str, Any]:
    """TA-Lib column by column, float64; functions with several outputs are called once."""
    import numpy as np
    import talib

    high, low, close, volume = (bars[name] for name in PRICES[1:])
    out = {f"return_{n}": talib.ROCP(close, n) for n in RETURNS} | {f"roc_{n}": talib.ROC(close, n) for n in CHANGES}
    out |= {f"sma_{n}": talib.SMA(close, n) for n in SIMPLE} | {f"ema_{n}": talib.EMA(close, n) for n in EXPONENTIAL}
    for stem, spans in (("sma", SIMPLE), ("ema", EXPONENTIAL)):
        out |= {f"close_to_{stem}_{n}": close / out[f"{stem}_{n}"] - 1.0 for n in spans}
    out["rsi_14"] = talib.RSI(close, 14)
    macd = talib.MACD(close, 12, 26, 9)
    out |= {f"macd_{part}": values / close for part, values in zip(("line", "signal", "hist"), macd, strict=True)}
    out["stoch_k"], out["stoch_d"] = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    out["williams_r"], out["cci_20"] = talib.WILLR(high, low, close, 14), talib.CCI(high, low, close, 20)
    out["mfi_14"] = talib.MFI(high, low, close, volume, 14)
    out |= {f"atr_{n}": talib.ATR(high, low, close, n) for n in RANGES}
    out |= {f"atr_pct_{n}": out[f"atr_{n}"] / close for n in RANGES}
    out["bb_upper"], out["bb_middle"], out["bb_lower"] = talib.BBANDS(close, 20, 2.0, 2.0)
    out["bb_width"] = (out["bb_upper"] - out["bb_lower"]) / out["bb_middle"]
    out["bb_position"] = (close - out["bb_lower"]) / (out["bb_upper"] - out["bb_lower"])
    out["kc_middle"] = talib.EMA(close, 20)
    out["kc_upper"], out["kc_lower"] = (out["kc_middle"] + side * out["atr_14"] for side in (2.0, -2.0))
    for name, function in (("adx", talib.ADX), ("plus_di", talib.PLUS_DI), ("minus_di", talib.MINUS_DI)):
        out[f"{name}_14"] = function(high, low, close, 14)
    logarithm, place = np.log(close), np.arange(float(len(close)))
    out |= {f"close_slope_{n}": talib.LINEARREG_SLOPE(logarithm, n) for n in LINES}
    out |= {f"close_r2_{n}": talib.CORREL(logarithm, place, n) ** 2 for n in LINES}
    turnover, moves = close * volume, np.diff(logarithm, prepend=logarithm[0])
    out["volume_sma_20"] = talib.SMA(volume, 20)
    out["volume_ratio"] = volume / out["volume_sma_20"]
    out |= {f"dollar_volume_sma_{n}": talib.SMA(turnover, n) for n in (10, 20)}
    return out | {f"hvol_{n}": talib.STDDEV(moves, n) * math.sqrt(BARS_PER_YEAR) for n in (20, 60)}


def frame_columns(kit: Any, bars: dict[str, Any]) -> dict[str, Any]:
    """The same, 59 of them, in the words of a frame library: `kit` has its window functions."""
    high, low, close, volume = (bars[name] for name in PRICES[1:])
    before, logarithm, turnover = kit.lag(close, 1), kit.log(close), close * volume
    out = {f"return_{n}": close / kit.lag(close, n) - 1.0 for n in RETURNS}
    out |= {f"roc_{n}": 100.0 * (close / kit.lag(close, n) - 1.0) for n in CHANGES}
    out |= {f"sma_{n}": kit.mean(close, n) for n in SIMPLE}
    out |= {f"ema_{n}": kit.smooth(close, 2.0 / (n + 1)) for n in EXPONENTIAL}
    for stem, spans in (("sma", SIMPLE), ("ema", EXPONENTIAL)):
        out |= {f"close_to_{stem}_{n}": close / out[f"{stem}_{n}"] - 1.0 for n in spans}
    rise, fall = kit.positive(close - before), kit.positive(before - close)
    strength = kit.smooth(rise, 1 / 14) / kit.smooth(fall, 1 / 14)
    out["rsi_14"] = 100.0 - 100.0 / (1.0 + strength)
    line = kit.smooth(close, 2 / 13) - kit.smooth(close, 2 / 27)
    signal = kit.smooth(line, 0.2)
    out |= {"macd_line": line / close, "macd_signal": signal / close, "macd_hist": (line - signal) / close}
    highest, lowest = kit.highest(high, 14), kit.lowest(low, 14)
    place = (close - lowest) / (highest - lowest)
    out["stoch_k"] = 100.0 * kit.mean(place, 3)
    out["stoch_d"], out["williams_r"] = kit.mean(out["stoch_k"], 3), 100.0 * (place - 1.0)
    typical = (high + low + close) / 3.0
    flow, change = typical * volume, typical - kit.lag(typical, 1)
    inflow = kit.total(kit.where(change > 0, flow), 14)
    out["mfi_14"] = 100.0 * inflow / (inflow + kit.total(kit.where(change < 0, flow), 14))
    true_range = kit.larger(high - low, kit.size(high - before), kit.size(low - before))
    out |= {f"atr_{n}": kit.smooth(true_range, 1 / n) for n in RANGES}
    out |= {f"atr_pct_{n}": out[f"atr_{n}"] / close for n in RANGES}
    middle, width = kit.mean(close, 20), 2.0 * kit.std(close, 20)
    out |= {"bb_upper": middle + width, "bb_middle": middle, "bb_lower": middle - width}
    out |= {"bb_width": 2.0 * width / middle, "bb_position": (close - middle + width) / (2.0 * width)}
    out["kc_middle"] = kit.smooth(close, 2 / 21)
    out["kc_upper"], out["kc_lower"] = (out["kc_middle"] + side * out["atr_14"] for side in (2.0, -2.0))
    up, down = high - kit.lag(high, 1), kit.lag(low, 1) - low
    plus = 100.0 * kit.smooth(kit.where((up > down) & (up > 0), up), 1 / 14) / out["atr_14"]
    minus = 100.0 * kit.smooth(kit.where((down > up) & (down > 0), down), 1 / 14) / out["atr_14"]
    out |= {"plus_di_14": plus, "minus_di_14": minus}
    out["adx_14"] = kit.smooth(100.0 * kit.size(plus - minus) / (plus + minus), 1 / 14)
    for n in LINES:
        together, spread = kit.correlation(logarithm, n), kit.std(logarithm, n)
        out[f"close_slope_{n}"] = together * spread / math.sqrt((n * n - 1) / 12)
        out[f"close_r2_{n}"] = together * together
    out["volume_sma_20"] = kit.mean(volume, 20)
    out["volume_ratio"] = volume / out["volume_sma_20"]
    out |= {f"dollar_volume_sma_{n}": kit.mean(turnover, n) for n in (10, 20)}
    moves = logarithm - kit.lag(logarithm, 1)
    return out | {f"hvol_{n}": kit.std(moves, n) * math.sqrt(BARS_PER_YEAR) for n in (20, 60)}


class Pandas:
    """Window functions on pandas Series."""

    def __init__(self, place: Any) -> None:
        self.place = place

    lag = staticmethod(lambda x, n: x.shift(n))
    mean = staticmethod(lambda x, n: x.rolling(n).mean())
    total = staticmethod(lambda x, n: x.rolling(n).sum())
    std = staticmethod(lambda x, n: x.rolling(n).std(ddof=0))
    highest = staticmethod(lambda x, n: x.rolling(n).max())
    lowest = staticmethod(lambda x, n: x.rolling(n).min())
    smooth = staticmethod(lambda x, share: x.ewm(alpha=share, adjust=False).mean())
    positive = staticmethod(lambda x: x.clip(lower=0.0))
    size = staticmethod(lambda x: x.abs())
    where = staticmethod(lambda condition, x: x.where(condition, 0.0))

    def log(self, x: Any) -> Any:
        import numpy as np

        return np.log(x)

    def larger(self, *each: Any) -> Any:
        import numpy as np

        return np.fmax(np.fmax(each[0], each[1]), each[2])

    def correlation(self, x: Any, n: int) -> Any:
        return x.rolling(n).corr(self.place)


class Polars:
    """Window functions as polars expressions; the frame has a column `place`."""

    lag = staticmethod(lambda x, n: x.shift(n))
    mean = staticmethod(lambda x, n: x.rolling_mean(n))
    total = staticmethod(lambda x, n: x.rolling_sum(n))
    std = staticmethod(lambda x, n: x.rolling_std(n, ddof=0))
    highest = staticmethod(lambda x, n: x.rolling_max(n))
    lowest = staticmethod(lambda x, n: x.rolling_min(n))
    smooth = staticmethod(lambda x, share: x.ewm_mean(alpha=share, adjust=False))
    positive = staticmethod(lambda x: x.clip(lower_bound=0.0))
    size = staticmethod(lambda x: x.abs())
    log = staticmethod(lambda x: x.log())

    def where(self, condition: Any, x: Any) -> Any:
        import polars as pl

        return pl.when(condition).then(x).otherwise(0.0)

    def larger(self, *each: Any) -> Any:
        import polars as pl

        return pl.max_horizontal(*each)

    def correlation(self, x: Any, n: int) -> Any:
        import polars as pl

        return pl.rolling_corr(x, pl.col("place"), window_size=n)
