"""What every column must be: TA-Lib, PyWavelets and SciPy on whole series, numpy by definition, clocks by zoneinfo.

Nothing here reads the kernels or the features under test. An oracle takes bars and gives `(n,)`, NaN where it is silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from operator import attrgetter
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pywt
import talib
from scipy import stats

from ohlcv_factory.bars.schema import Bars

YEAR_OF_BARS = 365 * 86_400
Oracle = Callable[[Bars], np.ndarray]
ORACLES: dict[str, Oracle] = {}


def oracle(*names: str) -> Callable[[Callable[..., np.ndarray]], Callable[..., np.ndarray]]:
    """Give an oracle to columns: `name` alone, or `name:member` where it takes a member."""

    def declare(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        for name in names:
            stem, _, members = name.partition(":")
            for member in members.split(",") if members else [""]:
                ORACLES[stem.replace("{}", member)] = _bound(function, member)
        return function

    return declare


def _bound(function: Callable[..., np.ndarray], member: str) -> Oracle:
    if not member:
        return function
    return lambda bars: function(bars, int(member) if member.isdigit() else member)


def back(values: np.ndarray, bars: int) -> np.ndarray:
    return np.concatenate((np.full(bars, np.nan), values[:-bars]))


def over(values: np.ndarray, window: int, measure: Callable[..., np.ndarray]) -> np.ndarray:
    """`measure(windows, axis=1)` of every full window, NaN before."""
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    return np.concatenate((np.full(window - 1, np.nan), measure(windows, axis=1)))


def mean(values: np.ndarray, window: int) -> np.ndarray:
    return over(values, window, np.mean)


def total(values: np.ndarray, window: int) -> np.ndarray:
    return over(values, window, np.sum)


def std(values: np.ndarray, window: int) -> np.ndarray:
    return over(values, window, np.std)


def covariance(left: np.ndarray, right: np.ndarray, window: int) -> np.ndarray:
    """Population covariance by its definition."""
    one, other = (np.lib.stride_tricks.sliding_window_view(each, window) for each in (left, right))
    products = (one - one.mean(axis=1)[:, None]) * (other - other.mean(axis=1)[:, None])
    return np.concatenate((np.full(window - 1, np.nan), products.mean(axis=1)))


def moves(bars: Bars) -> np.ndarray:
    return np.log(bars.close) - np.log(back(bars.close, 1))


def divided(top: np.ndarray, bottom: np.ndarray, otherwise: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom == 0, otherwise, top / bottom)


# returns and the shape of the bar


@oracle("log_{}_change:open,high,low")
def change(bars, price):
    return np.log(getattr(bars, price)) - np.log(back(bars.close, 1))


@oracle("log_return_{}:1,5,10,20,60")
def log_return(bars, count):
    return np.log(bars.close) - np.log(back(bars.close, count))


@oracle("return_{}:1,5,10,20,60")
def simple_return(bars, count):
    return talib.ROCP(bars.close, count)


@oracle("roc_{}:5,10,20")
def roc(bars, count):
    return talib.ROC(bars.close, count)


@oracle("hl_ratio")
def hl_ratio(bars):
    return (bars.high - bars.low) / bars.low


@oracle("range_pct")
def range_pct(bars):
    return (bars.high - bars.low) / bars.close


@oracle("co_ratio")
def co_ratio(bars):
    return (bars.close - bars.open) / bars.open


@oracle("clv")
def clv(bars):
    middle, half = 0.5 * (bars.high + bars.low), 0.5 * (bars.high - bars.low)
    return divided(bars.close - middle, half, 0.0)


@oracle("return_autocorr_lag{}:1,5,10")
def autocorrelation(bars, lag):
    return total(moves(bars) * back(moves(bars), lag), 60) / total(moves(bars) ** 2, 60)


# averages and momentum


@oracle("sma_{}:10,20,50,100,200")
def sma(bars, count):
    return talib.SMA(bars.close, count)


@oracle("ema_{}:9,21,50")
def ema(bars, count):
    return talib.EMA(bars.close, count)


@oracle("close_to_sma_{}:10,20,50,100,200")
def close_to_sma(bars, count):
    return (bars.close - sma(bars, count)) / sma(bars, count)


@oracle("close_to_ema_{}:9,21,50")
def close_to_ema(bars, count):
    return (bars.close - ema(bars, count)) / ema(bars, count)


@oracle("rsi_14")
def rsi(bars):
    return talib.RSI(bars.close, 14)


def flag(condition, known):
    return np.where(np.isnan(known), np.nan, condition)


ORACLES["rsi_14_overbought"] = lambda bars: flag(rsi(bars) > 70, rsi(bars))
ORACLES["rsi_14_oversold"] = lambda bars: flag(rsi(bars) < 30, rsi(bars))


def macd(bars):
    return talib.MACD(bars.close, 12, 26, 9)


ORACLES["macd_line"] = lambda bars: macd(bars)[0] / bars.close
ORACLES["macd_signal"] = lambda bars: macd(bars)[1] / bars.close
ORACLES["macd_hist"] = lambda bars: macd(bars)[2] / bars.close


@oracle("macd_cross_up")
def cross_up(bars):
    hist = macd(bars)[2]
    return flag((hist > 0) & (back(hist, 1) <= 0), back(hist, 1))


@oracle("macd_cross_down")
def cross_down(bars):
    hist = macd(bars)[2]
    return flag((hist <= 0) & (back(hist, 1) > 0), back(hist, 1))


def stochastic(bars):
    return talib.STOCH(bars.high, bars.low, bars.close, 14, 3, 0, 3, 0)


ORACLES["stoch_k"] = lambda bars: stochastic(bars)[0]
ORACLES["stoch_d"] = lambda bars: stochastic(bars)[1]
ORACLES["stoch_overbought"] = lambda bars: flag(stochastic(bars)[0] > 80, stochastic(bars)[0])
ORACLES["stoch_oversold"] = lambda bars: flag(stochastic(bars)[0] < 20, stochastic(bars)[0])
ORACLES["williams_r"] = lambda bars: talib.WILLR(bars.high, bars.low, bars.close, 14)
ORACLES["cci_20"] = lambda bars: talib.CCI(bars.high, bars.low, bars.close, 20)
ORACLES["mfi_14"] = lambda bars: talib.MFI(bars.high, bars.low, bars.close, bars.volume, 14)


# volatility


@oracle("atr_{}:7,14,21")
def atr(bars, period):
    return talib.ATR(bars.high, bars.low, bars.close, period)


@oracle("atr_pct_{}:7,14,21")
def atr_pct(bars, period):
    return talib.NATR(bars.high, bars.low, bars.close, period) / 100.0


def bands(bars):
    return talib.BBANDS(bars.close, 20, 2.0, 2.0)


ORACLES["bb_upper"] = lambda bars: bands(bars)[0]
ORACLES["bb_middle"] = lambda bars: bands(bars)[1]
ORACLES["bb_lower"] = lambda bars: bands(bars)[2]
ORACLES["bb_width"] = lambda bars: (bands(bars)[0] - bands(bars)[2]) / bands(bars)[1]
ORACLES["bb_position"] = lambda bars: (bars.close - bands(bars)[2]) / (bands(bars)[0] - bands(bars)[2])
ORACLES["close_bb_zscore"] = lambda bars: (bars.close - mean(bars.close, 20)) / std(bars.close, 20)
ORACLES["kc_middle"] = lambda bars: talib.EMA(bars.close, 20)
ORACLES["kc_upper"] = lambda bars: talib.EMA(bars.close, 20) + 2 * atr(bars, 14)
ORACLES["kc_lower"] = lambda bars: talib.EMA(bars.close, 20) - 2 * atr(bars, 14)
ORACLES["kc_position"] = lambda bars: (bars.close - ORACLES["kc_lower"](bars)) / (4 * atr(bars, 14))
ORACLES["close_kc_atr_dev"] = lambda bars: (bars.close - talib.EMA(bars.close, 20)) / atr(bars, 14)


@oracle("hvol_{}:10,20,60")
def hvol(bars, count):
    return std(moves(bars), count) * math.sqrt(YEAR_OF_BARS / bars.bar_seconds)


@oracle("parkinson_vol")
def parkinson(bars):
    return np.sqrt(mean(np.log(bars.high / bars.low) ** 2, 20) / (4 * math.log(2)))


@oracle("garman_klass_vol")
def garman_klass(bars):
    spans, bodies = np.log(bars.high / bars.low), np.log(bars.close / bars.open)
    return np.sqrt(mean(spans**2, 20) / 2 - (2 * math.log(2) - 1) * mean(bodies**2, 20))


def rogers_satchell_variance(bars):
    up = np.log(bars.high / bars.close) * np.log(bars.high / bars.open)
    return mean(up + np.log(bars.low / bars.close) * np.log(bars.low / bars.open), 20)


ORACLES["rogers_satchell_vol"] = lambda bars: np.sqrt(rogers_satchell_variance(bars))


@oracle("yang_zhang_vol")
def yang_zhang(bars):
    weight = 0.34 / (1.34 + 21 / 19)
    overnight = over(np.log(bars.open / back(bars.close, 1)), 20, lambda each, axis: np.var(each, axis, ddof=1))
    inside = over(np.log(bars.close / bars.open), 20, lambda each, axis: np.var(each, axis, ddof=1))
    return np.sqrt(overnight + weight * inside + (1 - weight) * rogers_satchell_variance(bars))


@oracle("return_skew_{}:20,60")
def skew(bars, count):
    return np.concatenate(([np.nan], over(moves(bars)[1:], count, stats.skew)))


@oracle("return_kurt_{}:20,60")
def kurtosis(bars, count):
    return np.concatenate(([np.nan], over(moves(bars)[1:], count, stats.kurtosis)))


# volume


def days(bars):
    """First bar of each bar's UTC day: the session of a market that never closes."""
    day = bars.time_ns // (86_400 * 10**9)
    return np.searchsorted(day, day)


def obv(bars):
    """TA-Lib's running total less its value before the session."""
    running = talib.OBV(bars.close, bars.volume)
    before = np.where(days(bars) == 0, bars.volume[0], running[days(bars) - 1])
    return running - before


def obv_average(bars):
    counted, first = obv(bars), days(bars)
    return np.array([counted[max(first[i], i - 19) : i + 1].mean() for i in range(len(bars))])


def vwap(bars):
    typical, first = (bars.high + bars.low + bars.close) / 3, days(bars)
    return np.array([np.average(typical[a : i + 1], weights=bars.volume[a : i + 1]) for i, a in enumerate(first)])


def turnover(bars):
    return bars.close * bars.volume


ORACLES["log_volume_change"] = lambda bars: np.log(bars.volume) - np.log(back(bars.volume, 1))
ORACLES["volume_sma_20"] = lambda bars: talib.SMA(bars.volume, 20)
ORACLES["volume_ratio"] = lambda bars: bars.volume / talib.SMA(bars.volume, 20)
ORACLES["volume_zscore"] = lambda bars: (bars.volume - mean(bars.volume, 20)) / std(bars.volume, 20)
ORACLES["obv"] = obv
ORACLES["obv_sma_20"] = obv_average
ORACLES["vwap"] = vwap
ORACLES["price_to_vwap"] = lambda bars: (bars.close - vwap(bars)) / vwap(bars)
ORACLES["dollar_volume"] = turnover
ORACLES["dollar_volume_sma_10"] = lambda bars: talib.SMA(turnover(bars), 10)
ORACLES["dollar_volume_sma_20"] = lambda bars: talib.SMA(turnover(bars), 20)
ORACLES["dollar_volume_ratio"] = lambda bars: turnover(bars) / talib.SMA(turnover(bars), 20)


@oracle("obv_change_20")
def obv_change(bars):
    running = talib.OBV(bars.close, bars.volume)
    return (running - back(running, 20)) / talib.SUM(bars.volume, 20)


# trend

ORACLES["adx_14"] = lambda bars: talib.ADX(bars.high, bars.low, bars.close, 14)
ORACLES["adx_strong_trend"] = lambda bars: flag(ORACLES["adx_14"](bars) > 25, ORACLES["adx_14"](bars))
ORACLES["plus_di_14"] = lambda bars: talib.PLUS_DI(bars.high, bars.low, bars.close, 14)
ORACLES["minus_di_14"] = lambda bars: talib.MINUS_DI(bars.high, bars.low, bars.close, 14)


def supertrend(bars):
    """The textbook's loop: two final bands and the side of the last crossing."""
    average, middle, close = atr(bars, 10), (bars.high + bars.low) / 2, bars.close
    upper, lower = middle + 3 * average, middle - 3 * average
    line, side = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    up = True
    for i in range(10, len(bars)):
        if i > 10:
            upper[i] = upper[i] if upper[i] < upper[i - 1] or close[i - 1] > upper[i - 1] else upper[i - 1]
            lower[i] = lower[i] if lower[i] > lower[i - 1] or close[i - 1] < lower[i - 1] else lower[i - 1]
        up = close[i] >= lower[i] if up else close[i] > upper[i]
        line[i], side[i] = (lower[i], 1.0) if up else (upper[i], -1.0)
    return line, side


ORACLES["supertrend"] = lambda bars: supertrend(bars)[0]
ORACLES["supertrend_direction"] = lambda bars: supertrend(bars)[1]


@oracle("close_slope_{}:20,60")
def slope(bars, count):
    return talib.LINEARREG_SLOPE(np.log(bars.close), count)


@oracle("close_r2_{}:20,60")
def r_squared(bars, count):
    return talib.CORREL(np.log(bars.close) - np.log(bars.close[0]), np.arange(float(len(bars))), count) ** 2


# the clock


def clock(bars, zone="UTC"):
    return [datetime.fromtimestamp(time / 1e9, UTC).astimezone(ZoneInfo(zone)) for time in bars.time_ns]


def circle(turns, half):
    return np.array([getattr(math, half)(2 * math.pi * turn) for turn in turns])


@oracle("hour_{}:sin,cos")
def hour(bars, half):
    return circle([local.hour / 24 for local in clock(bars)], half)


@oracle("minute_{}:sin,cos")
def minute(bars, half):
    return circle([local.minute / 60 for local in clock(bars)], half)


@oracle("dayofweek_{}:sin,cos")
def day_of_week(bars, half):
    return circle([local.weekday() / 7 for local in clock(bars)], half)


@oracle("session_{}:asia,london,ny")
def trading_centre(bars, centre):
    zone, opens, closes = {
        "asia": ("Asia/Tokyo", (9, 0), (15, 0)),
        "london": ("Europe/London", (8, 0), (16, 30)),
        "ny": ("America/New_York", (9, 30), (16, 0)),
    }[centre]
    local = clock(bars, zone)
    return np.array([float(opens <= (t.hour, t.minute) < closes and t.weekday() < 5) for t in local])


ORACLES["is_rth"] = lambda bars: np.ones(len(bars))
ORACLES["minutes_since_open"] = lambda bars: np.array([60.0 * t.hour + t.minute for t in clock(bars)])


# regime and microstructure


@oracle("volatility_regime")
def volatility_regime(bars):
    change = std(moves(bars), 20) / std(moves(bars), 100)
    return flag(np.select([change > 1.25, change < 0.75], [2.0, 0.0], 1.0), change)


@oracle("trend_regime")
def trend_regime(bars):
    close, short, long = bars.close, sma(bars, 20), sma(bars, 50)
    up, down = (close > short) & (short > long), (close < short) & (short < long)
    return flag(np.select([up, down], [1.0, -1.0], 0.0), long)


@oracle("micro_amihud", "micro_amihud_{}:10,20")
def amihud(bars, count=1):
    return mean(np.abs(moves(bars)) / turnover(bars) * 1e6, count)


@oracle("micro_roll_spread")
def roll_spread(bars):
    change = bars.close - back(bars.close, 1)
    return 2 * np.sqrt(np.maximum(-covariance(change, back(change, 1), 20), 0))


@oracle("micro_roll_spread_pct")
def roll_spread_pct(bars):
    return 2 * np.sqrt(np.maximum(-covariance(moves(bars), back(moves(bars), 1), 20), 0))


@oracle("micro_kyle_lambda")
def kyle_lambda(bars):
    flow = np.sign(bars.close - back(bars.close, 1)) * turnover(bars)
    return 1e6 * covariance(moves(bars), flow, 20) / covariance(flow, flow, 20)


@oracle("micro_cs_spread")
def corwin_schultz(bars):
    beta = np.log(bars.high / bars.low) ** 2 + np.log(back(bars.high, 1) / back(bars.low, 1)) ** 2
    gamma = np.log(np.maximum(bars.high, back(bars.high, 1)) / np.minimum(bars.low, back(bars.low, 1))) ** 2
    scale = 3 - 2 * math.sqrt(2)
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / scale - np.sqrt(gamma / scale)
    return np.maximum(2 * (np.exp(alpha) - 1) / (1 + np.exp(alpha)), 0)


@oracle("micro_rel_spread", "micro_rel_spread_{}:10,20")
def relative_spread(bars, count=1):
    return mean((bars.high - bars.low) / ((bars.high + bars.low) / 2), count)


ORACLES["micro_volume_imbalance"] = lambda bars: clv(bars) * ORACLES["volume_ratio"](bars)
ORACLES["micro_cum_imbalance_20"] = lambda bars: total(clv(bars) * bars.volume, 20) / total(bars.volume, 20)
ORACLES["micro_vol_ratio"] = lambda bars: std(moves(bars), 10) / std(moves(bars), 60)


@oracle("micro_trade_intensity_{}:20,50")
def intensity(bars, count):
    return bars.volume / talib.SMA(bars.volume, count)


@oracle("micro_efficiency_{}:10,20")
def efficiency(bars, count):
    return np.abs(log_return(bars, count)) / total(np.abs(moves(bars)), count)


# wavelets


def coefficients(values, part, level):
    """PyWavelets' coefficient that ends at each bar: one ordinary transform for each shift of the series."""
    lead = int(np.isnan(values).sum())
    known, step = values[lead:], 2**level
    out = np.full(len(values), np.nan)
    for shift in range(step):
        found = pywt.downcoef(part, known[shift:], "db4", mode="zero", level=level)
        ends = shift + step * (np.arange(len(found)) + 1) - 1
        inside = (ends < len(known)) & (ends >= shift + 7 * (step - 1))
        out[lead + ends[inside]] = found[inside]
    return out


def activity(bars):
    return np.log(1 + ORACLES["volume_ratio"](bars))


def energy(values, part, level):
    return mean(coefficients(values, part, level) ** 2, 64)


ORACLES["wavelet_close_approx"] = lambda bars: coefficients(moves(bars), "a", 3)
ORACLES["wavelet_volume_approx"] = lambda bars: coefficients(activity(bars), "a", 3)
ORACLES["wavelet_close_trend_direction"] = lambda bars: np.sign(coefficients(moves(bars), "a", 3))


@oracle("wavelet_close_d{}:1,2,3")
def close_detail(bars, level):
    return coefficients(moves(bars), "d", level)


@oracle("wavelet_volume_d{}:1,2,3")
def volume_detail(bars, level):
    return coefficients(activity(bars), "d", level)


@oracle("wavelet_close_energy_d{}:1,2,3")
def close_energy(bars, level):
    return energy(moves(bars), "d", level)


@oracle("wavelet_volume_energy_d{}:1,2,3")
def volume_energy(bars, level):
    return energy(activity(bars), "d", level)


@oracle("wavelet_close_energy_ratio")
def energy_ratio(bars):
    return close_energy(bars, 1) / sum(close_energy(bars, level) for level in (1, 2, 3))


@oracle("wavelet_close_trend_strength")
def trend_strength(bars):
    slow = energy(moves(bars), "a", 3)
    return slow / (slow + sum(close_energy(bars, level) for level in (1, 2, 3)))


@oracle("wavelet_close_mad_volatility")
def mad_volatility(bars):
    return over(np.abs(close_detail(bars, 1)), 64, np.median) / stats.norm.ppf(0.75)


# higher timeframes


def higher(bars: Bars, every: str) -> Bars:
    """Polars' buckets, stamped with their begin, the unfinished last one dropped."""
    frame = bars.frame().group_by_dynamic("timestamp", every=every, closed="left", label="left")
    joined = frame.agg(pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    columns = [joined[name].to_numpy().copy() for name in ("open", "high", "low", "close", "volume")]
    times = joined["timestamp"].dt.timestamp("ns").to_numpy().copy()
    whole = Bars(bars.symbol, times, *columns, SECONDS[every])
    return whole.head(int((whole.close_time_ns <= bars.close_time_ns[-1]).sum()))


SECONDS = {"15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400}


def known(bars: Bars, every: str, column: Oracle) -> np.ndarray:
    """The column of higher bars joined backwards in time: the last one that had closed when the base bar closed."""
    longer = higher(bars, every)
    right = pl.DataFrame({"closed": longer.close_time_ns, "value": column(longer)}).sort("closed")
    left = pl.DataFrame({"closed": bars.close_time_ns}).sort("closed")
    return left.join_asof(right, on="closed", strategy="backward")["value"].fill_null(np.nan).to_numpy()


ON_FRAMES: dict[str, Oracle] = {
    "close": lambda bars: bars.close,
    "range_pct": range_pct,
    "volume_ratio": ORACLES["volume_ratio"],
    "rsi_14": rsi,
    "macd_line": ORACLES["macd_line"],
    "macd_hist": ORACLES["macd_hist"],
    "atr_pct_14": ORACLES["atr_pct_14"],
    "bb_position": ORACLES["bb_position"],
}


def _on_frame(every: str, column: Oracle) -> Oracle:
    return lambda bars: known(bars, every, column)


def _to_now(every: str) -> Oracle:
    return lambda bars: bars.close / known(bars, every, ON_FRAMES["close"]) - 1


for _every in SECONDS:
    ORACLES.update({f"{name}_{_every}": _on_frame(_every, column) for name, column in ON_FRAMES.items()})
    ORACLES[f"close_to_now_{_every}"] = _to_now(_every)

for _name in ("open", "high", "low", "close", "volume"):
    ORACLES[_name] = attrgetter(_name)
ORACLES["utc_day"] = lambda bars: np.array([float((t.date() - date(1970, 1, 1)).days) for t in clock(bars, "UTC")])
ORACLES["utc_minute"] = lambda bars: np.array([60.0 * t.hour + t.minute for t in clock(bars, "UTC")])
