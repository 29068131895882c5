"""Row 2: the same 60 columns, against pandas, polars expressions, pandas-ta and ml4t-engineer.

pandas and polars compute the same formulas without `cci_20` (see `indicators.py`). pandas-ta and ml4t-engineer have
indicators of their own: each is asked for those among the 60 that it has, and its time is scaled to 60 columns of 1M
bars (pandas-ta has only the first 100,000); the numbers of its columns and bars stand in results.json.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, serve
from indicator_columns import WORK, factory
from indicators import (
    BARS,
    CHANGES,
    EXPONENTIAL,
    LINES,
    NAMES,
    PRICES,
    RANGES,
    RETURNS,
    SIMPLE,
    Pandas,
    Polars,
    columns_of,
    frame_columns,
    prepare,
)

FEWER_BARS = 100_000
REACH = {"pandas": ">= 4 x", "polars": ">= 8 x", "pandas_ta": ">= 70 x", "ml4t_engineer": ">= 40 x"}
SCALED = ("pandas_ta", "ml4t_engineer")


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, ["factory"], peers=list(REACH))
    found |= {name: scaled(found[name]) for name in SCALED}
    return [against(2, WORK, found["factory"], reach, peer, found[peer]) for peer, reach in REACH.items()]


def scaled(timing: Timing | str) -> Timing | str:
    """Times of some columns of some bars as times of all."""
    if isinstance(timing, str):
        return timing
    scale = BARS / timing.facts["bars"] * len(NAMES) / timing.facts["columns"]
    return replace(timing, wall_seconds=timing.wall_seconds * scale, cpu_seconds=timing.cpu_seconds * scale)


def pandas_case(folder: Path) -> Work:
    """Columns of pandas."""
    import numpy as np
    import pandas as pd

    bars = {name: pd.Series(values) for name, values in columns_of(folder).items()}
    kit = Pandas(pd.Series(np.arange(float(len(bars["close"])))))

    def work() -> Any:
        found = frame_columns(kit, bars)
        return lambda: {"columns": len(found)}

    return work


def polars_case(folder: Path) -> Work:
    """Expressions of polars, planned and run as one query."""
    import polars as pl

    frame = pl.DataFrame({name: values for name, values in columns_of(folder).items() if name in PRICES})
    frame = frame.with_columns(place=pl.int_range(pl.len()).cast(pl.Float64))
    expressions = frame_columns(Polars(), {name: pl.col(name) for name in PRICES})

    def work() -> Any:
        found = frame.lazy().select(**expressions).collect()
        return lambda: {"columns": found.width}

    return work


def pandas_ta_case(folder: Path) -> Work:
    """pandas-ta without TA-Lib, indicator by indicator."""
    import pandas as pd
    import pandas_ta as ta

    high, low, close, volume = (pd.Series(columns_of(folder)[name][:FEWER_BARS]) for name in PRICES[1:])

    def work() -> Any:
        found = [
            *(ta.percent_return(close, length=n) for n in (1, 5, 10, 20, 60)),
            *(ta.roc(close, length=n, talib=False) for n in (5, 10, 20)),
            *(ta.sma(close, length=n, talib=False) for n in SIMPLE),
            *(ta.ema(close, length=n, talib=False) for n in EXPONENTIAL),
            *(ta.atr(high, low, close, length=n, talib=False) for n in RANGES),
            *(ta.natr(high, low, close, length=n, talib=False) for n in RANGES),
            ta.rsi(close, length=14, talib=False),
            ta.macd(close, talib=False),
            ta.stoch(high, low, close, k=14, d=3, smooth_k=3, talib=False),
            ta.willr(high, low, close, length=14, talib=False),
            ta.cci(high, low, close, length=20, talib=False),
            ta.mfi(high, low, close, volume, length=14, talib=False),
            ta.bbands(close, length=20, talib=False),
            ta.kc(high, low, close, length=20),
            ta.adx(high, low, close, length=14, talib=False),
            *(ta.linreg(close, length=n, slope=True, talib=False) for n in (20, 60)),
            ta.sma(volume, length=20, talib=False),
            *(ta.sma(close * volume, length=n, talib=False) for n in (10, 20)),
            *(ta.stdev(close, length=n, talib=False) for n in (20, 60)),
        ]
        return lambda: {"columns": sum(each.shape[1] if each.ndim > 1 else 1 for each in found), "bars": FEWER_BARS}

    return work


def ml4t_case(folder: Path) -> Work:
    """ml4t-engineer's feature functions on a polars frame."""
    import polars as pl
    from ml4t.engineer import compute_features

    columns = columns_of(folder)
    time = pl.Series("timestamp", columns.pop("time_ns")).cast(pl.Datetime("ns"))
    frame = pl.DataFrame([time, *(pl.Series(name, values) for name, values in columns.items())])
    families = {("rocp", "timeperiod"): RETURNS, ("roc", "period"): CHANGES, ("sma", "period"): SIMPLE,
                ("ema", "period"): (*EXPONENTIAL, 20), ("atr", "period"): RANGES, ("natr", "period"): RANGES,
                ("linearreg_slope", "timeperiod"): LINES, ("stddev", "period"): (20, 60)}  # fmt: skip
    wanted: list[Any] = ["rsi", "macd", "stochastic", "willr", "cci", "mfi", "bollinger_bands", "adx", "plus_di",
                         "minus_di"]  # fmt: skip
    for (name, parameter), members in families.items():
        wanted += [{"name": name, "params": {parameter: n}, "output": f"{name}_{n}"} for n in members]

    def work() -> Any:
        found = compute_features(frame, wanted, calendar=None)
        return lambda: {"columns": found.width - frame.width, "bars": len(frame)}

    return work


if __name__ == "__main__":
    CASES = {"factory": factory, "pandas": pandas_case, "polars": polars_case, "pandas_ta": pandas_ta_case}
    serve({**CASES, "ml4t_engineer": ml4t_case}, prepare)
