"""Numbers of a traded path: what it earned, what it cost, and how far that may be chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from ohlcv_factory.evaluation.sharpe import (
    SharpeMoments,
    minimum_track_record,
    probabilistic_sharpe_ratio,
    sharpe_interval,
    sharpe_ratio,
)
from ohlcv_factory.evaluation.significance import (
    RESAMPLES,
    TAILS,
    Interval,
    Statistic,
    bootstrap_intervals,
    default_block_length,
    draw_blocks,
)
from ohlcv_factory.runtime.seeding import component_generator

BASIS_POINTS = 1e4


@dataclass(frozen=True)
class TradedPath:
    """What the trading metrics are computed from, for one symbol or several together."""

    daily: np.ndarray
    """`(S,)` net P&L per session."""
    sessions_per_year: float
    net: np.ndarray
    """`(m,)` net P&L between successive closes."""
    bar_session: np.ndarray
    """`(m,)` position of each bar's session in `daily`."""
    trades: np.ndarray
    """`(k,)` of TRADE_DTYPE."""
    held_bars: np.ndarray
    """`(k,)` bars in which each trade was held."""
    trade_session: np.ndarray
    """`(k,)` position in `daily` of the session in which each trade ended."""
    bars: int
    """Simulated bars of all symbols."""
    symbols: int = 1


def trading_metrics(path: TradedPath, *, intervals: bool = True, seed: int = 0) -> dict[str, Any]:
    """The trading block of the metrics schema, JSON-ready; None where a number is undefined.

    Returns, drawdown and cost are shares of one notional (per symbol), turnover is sides of notional per session and
    symbol, exposure the share of bars in a position, holding in bars, costs per side in basis points of the fill.
    """
    net, sessions, held = np.ascontiguousarray(path.trades["net"]), len(path.daily), path.held_bars
    moments = SharpeMoments.of(path.daily)
    return {
        "sharpe_ratio": sharpe_ratio(path.daily, path.sessions_per_year),
        "sharpe_interval": sharpe_interval(path.daily, path.sessions_per_year, seed=seed) if intervals else None,
        "probabilistic_sharpe_ratio": moments and probabilistic_sharpe_ratio(moments),
        "minimum_track_record": moments and minimum_track_record(moments),
        "skewness": moments and moments.skewness,
        "kurtosis": moments and moments.kurtosis,
        "annualized_return": float(path.daily.mean() * path.sessions_per_year) if sessions else None,
        "max_drawdown": max_drawdown(path.net),
        "win_rate": float((net > 0).mean()) if len(net) else None,
        "profit_factor": profit_factor(net),
        "num_trades": len(net),
        "turnover": 2 * len(net) / path.symbols / sessions if sessions else None,
        "exposure": float(held.sum() / path.bars) if path.bars else None,
        "average_holding_bars": float(held.mean()) if len(held) else None,
        "total_return": float(path.daily.sum()),
        "total_cost": float(path.trades["cost"].sum() / path.symbols),
        "cost_bps": _per_side_bps(path.trades, "cost"),
        "break_even_cost_bps": break_even_cost_bps(path.trades),
        "sessions": sessions,
        "sessions_per_year": path.sessions_per_year,
        "intervals": trading_intervals(path, seed=seed) if intervals else None,
    }


@njit(cache=True, nogil=True)
def max_drawdown(net: np.ndarray) -> float:
    """Deepest fall of the additive equity of `net` `(m,)` below its earlier peak, from a start at 0; never above 0."""
    equity, peak, deepest = 0.0, 0.0, 0.0
    for change in net:
        equity += change
        peak = max(peak, equity)
        deepest = min(deepest, equity - peak)
    return deepest


def profit_factor(net: np.ndarray) -> float | None:
    """Sum of winning trades over the sum of losing ones; None when no trade lost."""
    loss = -net[net < 0].sum()
    return float(net[net > 0].sum() / loss) if loss > 0 else None


def break_even_cost_bps(trades: np.ndarray) -> float | None:
    """The cost per side, in basis points of the notional filled, at which the trades `(k,)` earn nothing.

    Below 0 where they lose before costs, None without a trade. Exact, because no fill depends on the cost.
    """
    return _per_side_bps(trades, "gross")


def sides_notional(trades: np.ndarray) -> np.ndarray:
    """Notional filled on both sides of each trade, `(k,)`, in units of the notional at entry: about 2."""
    return np.asarray(1 + trades["exit_price"] / trades["entry_price"])


def _per_side_bps(trades: np.ndarray, name: str) -> float | None:
    """A sum over the trades per notional filled, in basis points."""
    return float(BASIS_POINTS * trades[name].sum() / sides_notional(trades).sum()) if len(trades) else None


def trading_intervals(path: TradedPath, *, seed: int = 0) -> dict[str, Interval | None]:
    """90 % intervals of the path's other scores by stationary block bootstrap of sessions; None where undefined.

    A trade counts in the session in which it ended. The drawdown's are quantiles of the drawdowns of resampled paths.
    """
    sessions = len(path.daily)
    found = bootstrap_intervals(_session_columns(path), _session_statistics(path), seed=seed)
    yearly = found["annualized_return"]
    years = sessions / path.sessions_per_year
    total = yearly and Interval(yearly.low * years, yearly.high * years)
    return {**found, "total_return": total, "max_drawdown": _drawdown_interval(path, seed)}


def _session_columns(path: TradedPath) -> np.ndarray:
    """Per session: net P&L; trades, winning trades, their gain, the others' loss, P&L before costs, notional: `(S, 7)`."""
    net = path.trades["net"]
    sums = [
        np.bincount(path.trade_session, values, minlength=len(path.daily))
        for values in (
            np.ones(len(net)), net > 0, np.maximum(net, 0.0), np.maximum(-net, 0.0), path.trades["gross"],
            sides_notional(path.trades),
        )
    ]  # fmt: skip
    return np.column_stack([path.daily, *sums])


def _session_statistics(path: TradedPath) -> dict[str, Statistic]:
    def ratio(part: int, whole: int, factor: float = 1.0) -> Statistic:
        return lambda means: factor * means[:, part] / np.where(means[:, whole] > 0, means[:, whole], np.nan)

    return {
        "annualized_return": lambda means: means[:, 0] * path.sessions_per_year,
        "win_rate": ratio(2, 1),
        "profit_factor": ratio(3, 4),
        "break_even_cost_bps": ratio(5, 6, BASIS_POINTS),
    }


def _drawdown_interval(path: TradedPath, seed: int) -> Interval | None:
    count = len(path.daily)
    block = default_block_length(count)
    if count < 2 * block:
        return None
    blocks = draw_blocks(count, block, RESAMPLES, component_generator(seed, "drawdown_bootstrap"))
    low, high = np.quantile(_resampled_drawdowns(_session_shapes(path.net, path.bar_session, count), *blocks), TAILS)
    return Interval(float(low), float(high))


@njit(cache=True, nogil=True)
def _session_shapes(net, session, count):  # type: ignore[no-untyped-def]
    """Of each session, counted from its start: end, highest and lowest equity, deepest fall: `(S, 4)`."""
    shapes = np.zeros((count, 4))
    shapes[:, 1], shapes[:, 2] = -np.inf, np.inf
    for bar in range(len(net)):
        shape = shapes[session[bar]]
        shape[0] += net[bar]
        shape[1] = max(shape[1], shape[0])
        shape[2] = min(shape[2], shape[0])
        shape[3] = min(shape[3], shape[0] - shape[1])
    return shapes


@njit(cache=True, nogil=True)
def _resampled_drawdowns(shapes, starts, stops):  # type: ignore[no-untyped-def]
    """Deepest fall of each resampled sequence of sessions, `(resamples,)`."""
    deepest = np.zeros(len(starts))
    for resample in range(len(starts)):
        equity, peak = 0.0, 0.0
        for block in range(starts.shape[1]):
            for place in range(starts[resample, block], stops[resample, block]):
                end, high, low, fall = shapes[place % len(shapes)]
                deepest[resample] = min(deepest[resample], equity + low - peak, fall)
                peak = max(peak, equity + high)
                equity += end
    return deepest
