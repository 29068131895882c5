"""What the decisions would have earned: one marked-to-market position per symbol, filled at the next open, with costs.

The signal of bar t is known at its close and fills at the open of t + 1. Barriers stand at the signal bar's ATR times
the rule's distances from the fill, the time-out at the close of bar t + max_bars; fixed-horizon labels have the time-out
alone. A bar that opens beyond a barrier fills at its open. In one that touches both, the finer source bars tell which
came first, by the labels' own rule; where they cannot, it is taken as stopped out. No position is held over a contract
roll. P&L is in units of the notional at entry: quantity = side / entry price, additive, never compounded.
`semantics.md`, "Money", is the source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.config import Settings, setting
from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.trading_metrics import TradedPath, trading_metrics
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.paths import label_limits


class Exit(IntEnum):
    """Why a trade ended. `FLIP` and the two gaps fill at the open of their bar, the rest inside it or at its close.

    `END` is the close of the last bar: of the range, before a roll, or by option of a session.
    """

    OPEN = 0
    STOP = 1
    TARGET = 2
    STOP_GAP = 3
    TARGET_GAP = 4
    TIMEOUT = 5
    FLIP = 6
    END = 7


_STOP, _TARGET, _STOP_GAP, _TARGET_GAP, _TIMEOUT, _FLIP, _END = (int(reason) for reason in Exit if reason)
_HELD_IN_LAST_BAR = np.array([reason not in (Exit.STOP_GAP, Exit.TARGET_GAP, Exit.FLIP) for reason in Exit])

TRADE_DTYPE = np.dtype(
    [
        ("entry_row", np.int64),
        ("exit_row", np.int64),
        ("side", np.int8),
        ("reason", np.int8),
        ("entry_price", np.float64),
        ("exit_price", np.float64),
        ("gross", np.float64),
        ("cost", np.float64),
        ("net", np.float64),
    ]
)
"""One trade: rows in the symbol's bars, side -1 or +1, `Exit` reason, prices, P&L and cost per unit of notional."""


class TradeRules(Settings):
    """What may differ between simulations; entry is always at the next open."""

    costs: bool = setting(True, "Charge the instrument's cost on both sides of a trade.")
    barriers: bool = setting(True, "Stop, target and time-out; without them only a flip or the end closes a trade.")
    exit_at_session_end: bool | None = setting(
        None, "Close every position at its session's last close; none: where the dataset's labels end with it."
    )


@dataclass(frozen=True)
class TradeResult:
    """The path of one symbol over m bars and S sessions; P&L in units of one notional."""

    symbol: str
    first_row: int
    """Row of the first simulated bar in the symbol's bars."""
    time_ns: np.ndarray
    """`(m,)` int64, open time of each bar."""
    gross: np.ndarray
    """`(m,)` float64, P&L of each bar before costs."""
    net: np.ndarray
    """`(m,)` float64, the same less the costs of the fills in that bar."""
    position: np.ndarray
    """`(m,)` int8, side held over each close."""
    trades: np.ndarray
    """`(k,)` of TRADE_DTYPE, in order."""
    bar_session: np.ndarray
    """`(m,)` int64, the session of each bar."""
    session_day: np.ndarray
    """`(S,)` int64, sessions that have bars in the range."""
    daily: np.ndarray
    """`(S,)` float64, net P&L of each session, 0 on flat ones."""
    sessions_per_year: float

    def metrics(self, *, intervals: bool = True, seed: int = 0) -> dict[str, Any]:
        """The trading block of the metrics schema; see `trading_metrics`."""
        return trading_metrics(Portfolio((self,)).path(), intervals=intervals, seed=seed)

    @property
    def trade_session(self) -> np.ndarray:
        """`(k,)` int64, the session in which each trade ended."""
        return np.asarray(self.bar_session[self.trades["exit_row"] - self.first_row])


@dataclass(frozen=True)
class Portfolio:
    """Several symbols with equal notional: the mean of their P&L, joined by session date."""

    results: tuple[TradeResult, ...]

    def metrics(self, *, intervals: bool = True, seed: int = 0) -> dict[str, Any]:
        """The trading block of all symbols together, with `per_symbol` beside it when there are several."""
        if len(self.results) == 1:
            return self.results[0].metrics(intervals=intervals, seed=seed)
        together = trading_metrics(self.path(), intervals=intervals, seed=seed)
        each = {result.symbol: result.metrics(intervals=intervals, seed=seed) for result in self.results}
        return {**together, "per_symbol": each}

    def path(self) -> TradedPath:
        """Sessions of any symbol count; a year has as many as the busiest calendar says.

        Where symbols name the session of one moment differently, the first one's name is taken for the bar.
        """
        count = len(self.results)
        days, daily = _sum_by(self._joined("session_day"), self._joined("daily"))
        first = slice(None) if count == 1 else np.unique(self._joined("time_ns"), return_index=True)[1]
        _, net = _sum_by(self._joined("time_ns"), self._joined("net"))
        trades = self._joined("trades")
        return TradedPath(
            daily=daily / count,
            sessions_per_year=max(result.sessions_per_year for result in self.results),
            net=net / count,
            bar_session=np.searchsorted(days, self._joined("bar_session")[first]),
            trades=trades,
            held_bars=holding_bars(trades),
            trade_session=np.searchsorted(days, self._joined("trade_session")),
            bars=sum(len(result.net) for result in self.results),
            symbols=count,
        )

    def _joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(result, name) for result in self.results])


def simulate(predictions: Predictions, market: SymbolMarket, rules: TradeRules | None = None) -> TradeResult:
    """Trade the decisions of one symbol over all bars from its first to its last predicted row.

    Bars without a prediction have no signal, and the position holds. Raises DataError (65) when the predictions are
    empty, are not all of the market's symbol, or do not lie on its bars.
    """
    rows = _checked_rows(predictions, market)
    first_row, last_row = int(rows.min()), int(rows.max())
    sides = np.zeros(last_row - first_row + 1, np.int8)
    sides[rows - first_row] = predictions.side()
    return simulate_sides(sides, market, first_row, rules)


def simulate_all(
    predictions: Predictions, markets: Sequence[SymbolMarket], rules: TradeRules | None = None
) -> Portfolio:
    """Trade every symbol of the predictions; `markets` stand in the order of `symbol_code`."""
    present, codes = predictions.codes, predictions.index["symbol_code"]
    if len(present) == 1:
        return Portfolio((simulate(predictions, markets[present[0]], rules),))
    parts = [(predictions.take(codes == code), markets[code]) for code in present]
    return Portfolio(tuple(simulate(part, market, rules) for part, market in parts))


def _checked_rows(predictions: Predictions, market: SymbolMarket) -> np.ndarray:
    symbol, rows = market.bars.symbol, predictions.index["row"]
    if len(predictions) == 0:
        raise DataError(f"{symbol}: no predictions to trade.", where="simulate", help="is the part empty?")
    found = {predictions.symbols[code] for code in predictions.codes}
    if found != {symbol}:
        raise DataError(
            f"simulate takes predictions of {symbol} only, got {', '.join(sorted(found))}.", help="use simulate_all"
        )
    inside = (rows >= 0) & (rows < len(market.bars))
    if not inside.all() or not np.array_equal(market.bars.time_ns[rows], predictions.index["time_ns"]):
        raise DataError(f"{symbol}: predictions do not lie on these bars.", help="use the bars of the run's dataset")
    return rows


def simulate_sides(
    sides: np.ndarray, market: SymbolMarket, first_row: int, rules: TradeRules | None = None
) -> TradeResult:
    """Trade wanted sides (-1, 0 = no signal, +1; int8 `(m,)`) over the bars from `first_row` on.

    A side is known at its bar's close. A signal whose bar has no positive ATR cannot place barriers and is ignored.
    Raises DataError (65) without bars, and for a price at or below zero, where one unit of notional has no meaning.
    """
    rules = rules or TradeRules()
    bars = market.bars.slice(first_row, first_row + len(sides))
    lowest = np.min(bars.low, initial=np.inf)
    if not 0 < len(sides) == len(bars) or not lowest > 0:
        raise DataError(
            f"{bars.symbol}: a simulation needs a bar with prices above 0 for each of its {len(sides)} sides, "
            f"got {len(bars)} bars from row {first_row}, lowest price {lowest}.",
            help="trade a range inside the data",
        )
    session_day = market.session_day[first_row : first_row + len(sides)]
    at_session_end = market.session_end if rules.exit_at_session_end is None else rules.exit_at_session_end
    closing = _closing_bars(bars, session_day if at_session_end else None)
    gross, position, trades = _run(sides, market, first_row, closing, rules)
    net = _charge(trades, gross, market.instrument if rules.costs else None, first_row)
    days, daily = _sum_runs(session_day, net)
    per_year = market.instrument.sessions.sessions_per_year
    path = (bars.time_ns, gross, net, position, trades, session_day, days, daily)
    return TradeResult(bars.symbol, first_row, *path, per_year)


def _closing_bars(bars: Bars, session_day: np.ndarray | None) -> np.ndarray:
    """Bars at whose close every position ends, bool `(m,)`: where the last bar is that a label's path may reach."""
    closing: np.ndarray = label_limits(bars, session_day) == np.arange(len(bars))
    return closing


def _run(
    sides: np.ndarray, market: SymbolMarket, first_row: int, closing: np.ndarray, rules: TradeRules
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gross P&L and position by bar, and the trades without their costs, rows counted from the symbol's first bar."""
    count = len(sides)
    bars = market.bars.slice(first_row, first_row + count)
    atr, distances = _distances(market, first_row, count, rules)
    finer = market.finer
    under = (finer.open, finer.high, finer.low, finer.starts[first_row : first_row + count + 1])
    gross, position = np.zeros(count), np.zeros(count, np.int8)
    trades = np.zeros(count, TRADE_DTYPE)
    prices = (bars.open, bars.high, bars.low, bars.close)
    used = _walk(sides, *prices, atr, closing, *distances, under, gross, position, trades)
    trades = trades[:used].copy()
    trades["entry_row"] += first_row
    trades["exit_row"] += first_row
    return gross, position, trades


def _distances(
    market: SymbolMarket, first_row: int, count: int, rules: TradeRules
) -> tuple[np.ndarray, tuple[float, float, int]]:
    """ATR of each bar, and k_up, k_down, max_bars; barriers out of reach where there are none."""
    rule = market.rule
    if not rules.barriers:
        return np.ones(count), (math.inf, math.inf, count)
    if isinstance(rule, FixedHorizonRule):
        return np.ones(count), (math.inf, math.inf, rule.max_bars)
    return market.atr[first_row : first_row + count], (rule.k_up, rule.k_down, rule.max_bars)


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    sides, open_, high, low, close, atr, closing, k_up, k_down, max_bars, under, gross, position, trades
):
    """One pass over the bars; fills `gross`, `position` and `trades`, returns the number of trades.

    `mark` is the price at which the open position was last valued.
    """
    side, count, deadline = 0, 0, 0
    quantity, stop, target, mark = 0.0, 0.0, 0.0, 0.0
    for bar in range(len(sides)):
        signal = sides[bar - 1] if bar > 0 and atr[bar - 1] > 0 else 0
        if signal not in (0, side):
            price = open_[bar]
            if side != 0:
                gross[bar] += quantity * (price - mark)
                _leave(trades[count - 1], bar, price, _FLIP)
            side, quantity, mark = signal, signal / price, price
            stop = price - k_down * atr[bar - 1] if side > 0 else price + k_up * atr[bar - 1]
            target = price + k_up * atr[bar - 1] if side > 0 else price - k_down * atr[bar - 1]
            deadline = bar - 1 + max_bars
            trades[count].entry_row, trades[count].entry_price, trades[count].side = bar, price, side
            count += 1
        if side == 0:
            continue
        reason, price = _ending(side, stop, target, open_[bar], high[bar], low[bar])
        if reason == _STOP and side * ((high[bar] if side > 0 else low[bar]) - target) >= 0:
            reason, price = _first_of_both(side, stop, target, bar, under)
        if reason == 0:
            price = close[bar]
            reason = _END if closing[bar] else (_TIMEOUT if bar >= deadline else 0)
        gross[bar] += quantity * (price - mark)
        mark = price
        if reason != 0:
            _leave(trades[count - 1], bar, price, reason)
            side = 0
        position[bar] = side
    return count


@njit(cache=True, nogil=True)
def _leave(trade, bar, price, reason):  # type: ignore[no-untyped-def]
    """Write down where a trade ended, and its P&L before costs."""
    trade.exit_row, trade.exit_price, trade.reason = bar, price, reason
    trade.gross = trade.side * (price - trade.entry_price) / trade.entry_price


@njit(cache=True, nogil=True)
def _ending(side, stop, target, open_, high, low):  # type: ignore[no-untyped-def]
    """Reason and price of a barrier exit in this bar, reason 0 when neither barrier is met."""
    worst, best = (low, high) if side > 0 else (high, low)
    if side * (open_ - stop) <= 0:
        return _STOP_GAP, open_
    if side * (open_ - target) >= 0:
        return _TARGET_GAP, open_
    if side * (worst - stop) <= 0:
        return _STOP, stop
    if side * (best - target) >= 0:
        return _TARGET, target
    return 0, 0.0


@njit(cache=True, nogil=True)
def _first_of_both(side, stop, target, bar, under):  # type: ignore[no-untyped-def]
    """Reason and price of a bar that touches stop and target: those of the first finer bar that ends the trade."""
    open_, high, low, starts = under
    for row in range(starts[bar], starts[bar + 1]):
        reason, price = _ending(side, stop, target, open_[row], high[row], low[row])
        if reason != 0:
            return (_STOP if reason in (_STOP, _STOP_GAP) else _TARGET), price
    return _STOP, stop


def _charge(trades: np.ndarray, gross: np.ndarray, instrument: Any, first_row: int) -> np.ndarray:
    """Fill cost and net of the trades; return the net P&L of each bar, costs booked on the bars of the fills."""
    net = gross.copy()
    if instrument is not None:
        quantity = 1 / trades["entry_price"]
        entry_cost = quantity * instrument.cost_per_unit(trades["entry_price"])
        exit_cost = quantity * instrument.cost_per_unit(trades["exit_price"])
        trades["cost"] = entry_cost + exit_cost
        net[trades["entry_row"] - first_row] -= entry_cost  # at most one entry per bar
        np.subtract.at(net, trades["exit_row"] - first_row, exit_cost)
    trades["net"] = trades["gross"] - trades["cost"]
    return net


def _sum_runs(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys of ascending `keys`, and the sum of the values of each."""
    starts = np.concatenate([[0], 1 + np.flatnonzero(keys[1:] != keys[:-1])])
    return keys[starts], np.add.reduceat(values, starts)


def _sum_by(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for keys in any order."""
    if (keys[1:] > keys[:-1]).all():  # of a single symbol
        return keys, values
    order = np.argsort(keys, kind="stable")
    return _sum_runs(keys[order], values[order])


def holding_bars(trades: np.ndarray) -> np.ndarray:
    """Bars in which each trade was held, `(k,)`; a bar at whose open it ended does not count."""
    bars = trades["exit_row"] - trades["entry_row"] + _HELD_IN_LAST_BAR[trades["reason"]]
    return np.asarray(bars, dtype=np.int64)
