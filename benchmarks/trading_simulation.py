"""Row 7: 1M bars of decisions to trades, costs and metrics, against vectorbt and pandas.

All three take the same sides, fill at the next open, hold on neutral, flip on the other side and charge 2 basis points
per side. Ours values each trade in units of its entry notional, pandas each bar in units of a constant notional, vectorbt
an account that is large against one unit; the Sharpe ratios stand in results.json beside the times. Both peers get times
without a zone, which vectorbt handles a hundred times faster. The case `with_barriers` is what a run really does: stop,
target and time-out too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import Bench, Line, Work, against, required, serve

BARS = 1_000_000
FEE = 2e-4
RUN_OF_EQUAL_SIDES = 10
SESSIONS_PER_YEAR = 365
FILE = "trading_simulation.npz"


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, ["factory", "with_barriers"], peers=["vectorbt", "pandas"])
    work, ours = "trade simulation with costs and metrics, 1M bars", found["factory"]
    return [
        against(7, work, ours, ">= 20 x", "vectorbt", found["vectorbt"]),
        against(7, work, ours, ">= 5 x", "pandas", found["pandas"]),
        Line(7, "the same with stop, target, time-out", required(found["with_barriers"], work), "-"),
    ]


def prepare(folder: Path) -> None:
    """Bars of a random walk and random sides in runs of ten, for all cases."""
    import numpy as np

    from ohlcv_factory.bars.synthetic import random_walk

    bars = random_walk(BARS, 7, bar_seconds=60)
    drawn = np.random.default_rng(7).integers(-1, 2, BARS // RUN_OF_EQUAL_SIDES)
    columns = {name: getattr(bars, name) for name in ("time_ns", "open", "high", "low", "close", "volume")}
    np.savez(folder / FILE, sides=np.repeat(drawn, RUN_OF_EQUAL_SIDES).astype(np.int8), **columns)


def factory(folder: Path, *, barriers: bool = False) -> Work:
    """Ours: a pass over the bars, then every trading metric but the bootstrap interval, which no peer has."""
    import numpy as np

    from ohlcv_factory.bars.instruments import find_instrument
    from ohlcv_factory.bars.schema import Bars
    from ohlcv_factory.dataset.market import SymbolMarket
    from ohlcv_factory.evaluation.trading import TradeRules, simulate_sides
    from ohlcv_factory.labels.triple_barrier import barrier_atr

    columns = dict(np.load(folder / FILE))
    sides = columns.pop("sides")
    bars = Bars("SYNTH", bar_seconds=60, **columns)
    instrument = find_instrument("SYNTH")
    session_day = instrument.sessions.session_day(bars.time_ns)
    market = SymbolMarket(bars, barrier_atr(bars), instrument.barrier(20), instrument, session_day)
    rules = TradeRules(barriers=barriers)

    def work() -> Any:
        metrics = simulate_sides(sides, market, 0, rules).metrics(intervals=False)
        return lambda: {name: metrics[name] for name in ("sharpe_ratio", "max_drawdown", "num_trades", "total_return")}

    return work


def with_barriers(folder: Path) -> Work:
    """Ours as a run does it."""
    return factory(folder, barriers=True)


def pandas_case(folder: Path) -> Work:
    """Columns of pandas: the position is the last side, known one bar late."""
    import numpy as np
    import pandas as pd

    columns = dict(np.load(folder / FILE))
    frame = pd.DataFrame(columns, index=pd.to_datetime(columns["time_ns"]))

    def work() -> Any:
        position = frame["sides"].where(frame["sides"] != 0).ffill().shift(1).fillna(0.0)
        before = position.shift(1).fillna(0.0)
        gap, move = frame["open"] / frame["close"].shift(1) - 1, frame["close"] / frame["open"] - 1
        net = before * gap.fillna(0.0) + position * move - (position - before).abs() * FEE
        metrics = _pandas_metrics(net, position)
        return lambda: metrics

    return work


def _pandas_metrics(net: Any, position: Any) -> dict[str, Any]:
    daily, equity = net.groupby(net.index.floor("D")).sum(), net.cumsum()
    trade = (position.diff() != 0).cumsum()[position != 0]
    by_trade = net[position != 0].groupby(trade).sum()
    return {
        "sharpe_ratio": float(daily.mean() / daily.std() * SESSIONS_PER_YEAR**0.5),
        "max_drawdown": float((equity - equity.cummax()).min()),
        "num_trades": len(by_trade),
        "total_return": float(daily.sum()),
        "win_rate": float((by_trade > 0).mean()),
        "profit_factor": float(by_trade[by_trade > 0].sum() / -by_trade[by_trade < 0].sum()),
        "exposure": float((position != 0).mean()),
    }


def vectorbt_case(folder: Path) -> Work:
    """vectorbt's portfolio of signals, its Sharpe ratio from minute returns."""
    import numpy as np
    import pandas as pd
    import vectorbt as vbt

    columns = dict(np.load(folder / FILE))
    frame = pd.DataFrame(columns, index=pd.to_datetime(columns["time_ns"]))
    account = {"size": 1.0, "size_type": "value", "init_cash": 1000.0, "fees": FEE, "freq": "1min"}

    def work() -> Any:
        signal = frame["sides"].shift(1)
        sides = {"entries": signal == 1, "short_entries": signal == -1}
        portfolio = vbt.Portfolio.from_signals(frame["close"], price=frame["open"], **sides, **account)
        trades = portfolio.trades
        metrics = {
            "sharpe_ratio": float(portfolio.sharpe_ratio()),
            "max_drawdown": float(portfolio.max_drawdown()),
            "num_trades": int(trades.count()),
            "total_return": float(portfolio.total_return()),
            "win_rate": float(trades.win_rate()),
            "profit_factor": float(trades.profit_factor()),
        }
        return lambda: metrics

    return work


if __name__ == "__main__":
    CASES = {"factory": factory, "with_barriers": with_barriers, "pandas": pandas_case, "vectorbt": vectorbt_case}
    serve(CASES, prepare)
