"""Row 4: triple-barrier labels of 1M bars at the four horizons of MES, against ml4t-engineer and mlfinpy.

All start from the same bars and ATR(14), enter at the close of the signal bar and use the same barriers. Ours gives both
excursions too, which no peer does; the second line adds what a dataset takes besides: quality and uniqueness.
mlfinpy looks at closes only and works row by row: it is timed on 2,000 rows at one horizon and scaled to all. The share
of labels that agree with ours at the longest horizon stands in results.json.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, required, serve

BARS = 1_000_000
SYMBOL = "MES"
HORIZONS = (5, 10, 15, 20)
FILE = "triple_barrier_labels.npz"
ROWS_BY_ROW = 2_000
SCALE = BARS * len(HORIZONS) / ROWS_BY_ROW


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, ["factory", "whole"], peers=["ml4t_engineer", "mlfinpy"])
    work, ours = "triple barrier with excursions, 4 horizons, 1M bars", found["factory"]
    by_row = found["mlfinpy"] if isinstance(found["mlfinpy"], str) else scaled(found["mlfinpy"])
    return [
        against(4, work, ours, ">= 10 x", "ml4t-engineer", found["ml4t_engineer"]),
        against(4, work, ours, ">= 1000 x", "mlfinpy (2,000 rows, scaled)", by_row),
        Line(4, "the same with ATR, quality, uniqueness", required(found["whole"], work), "-"),
    ]


def scaled(timing: Timing) -> Timing:
    """The times of all rows at all horizons, by those of some rows at one."""
    return replace(timing, wall_seconds=timing.wall_seconds * SCALE, cpu_seconds=timing.cpu_seconds * SCALE)


def prepare(folder: Path) -> None:
    """Bars of a random walk from the first known ATR on, the barriers, and our labels at the longest horizon."""
    import numpy as np

    from ohlcv_factory.bars.instruments import find_instrument
    from ohlcv_factory.bars.synthetic import random_walk
    from ohlcv_factory.labels.triple_barrier import ATR_PERIOD, barrier_atr, triple_barrier

    bars = random_walk(BARS + ATR_PERIOD, 4, bar_seconds=60)
    atr, bars = barrier_atr(bars)[ATR_PERIOD:], bars.slice(ATR_PERIOD, len(bars))
    rules = [find_instrument(SYMBOL).barrier(horizon) for horizon in HORIZONS]
    labels = triple_barrier(bars, atr, rules[-1], "close")
    np.savez(
        folder / FILE,
        **{name: getattr(bars, name) for name in ("time_ns", "open", "high", "low", "close", "volume")},
        atr=atr,
        rules=[(rule.k_up, rule.k_down, rule.max_bars) for rule in rules],
        sides=labels.label - 1,
        labelled=labels.labelled & ~labels.ambiguous,
    )


def read(folder: Path) -> dict[str, Any]:
    """What `prepare` wrote."""
    import numpy as np

    return dict(np.load(folder / FILE))


def agreement(given: dict[str, Any], sides: Any) -> float:
    """Share of our unambiguous labels, of the first rows, that a peer's sides -1, 0, 1 agree with."""
    labelled = given["labelled"][: len(sides)]
    return float((sides == given["sides"][: len(sides)])[labelled].mean())


def bars_of(given: dict[str, Any]) -> Any:
    """Our bars."""
    from ohlcv_factory.bars.schema import Bars

    columns = {name: given[name] for name in ("time_ns", "open", "high", "low", "close", "volume")}
    return Bars("SYNTH", bar_seconds=60, **columns)


def factory(folder: Path) -> Work:
    """Ours: labels, ends, returns, touches and excursions of every bar."""
    from ohlcv_factory.bars.instruments import BarrierRule
    from ohlcv_factory.labels.triple_barrier import triple_barrier

    given = read(folder)
    bars, atr = bars_of(given), given["atr"]
    rules = [BarrierRule(k_up=up, k_down=down, max_bars=int(steps)) for up, down, steps in given["rules"]]

    def work() -> Any:
        labels = [triple_barrier(bars, atr, rule, "close") for rule in rules]
        return lambda: {"agreement": agreement(given, labels[-1].label - 1)}

    return work


def whole(folder: Path) -> Work:
    """Ours as `data build` does it."""
    from ohlcv_factory.bars.instruments import find_instrument
    from ohlcv_factory.dataset.labelling import label_symbol
    from ohlcv_factory.dataset.settings import DatasetConfig

    bars, instrument = bars_of(read(folder)), find_instrument(SYMBOL)
    config = DatasetConfig(horizons=HORIZONS)

    def work() -> Any:
        labels = label_symbol(bars, None, instrument, config)
        return lambda: {"labelled": int(labels[HORIZONS[-1]].path.labelled.sum())}

    return work


def ml4t_engineer(folder: Path) -> Work:
    """ml4t-engineer with distances by column, high and low deciding, gaps at the open."""
    import polars as pl
    from ml4t.engineer.config import LabelingConfig
    from ml4t.engineer.labeling import triple_barrier_labels

    given = read(folder)
    share = given["atr"] / given["close"]
    frame = pl.DataFrame({name: given[name] for name in ("open", "high", "low", "close")})
    frame = frame.with_columns(timestamp=pl.Series(given["time_ns"]).cast(pl.Datetime("ns")))
    for place, (up, down, _) in enumerate(given["rules"]):
        frame = frame.with_columns(pl.Series(f"up{place}", up * share), pl.Series(f"down{place}", down * share))
    configs = [
        LabelingConfig.triple_barrier(
            upper_barrier=f"up{place}", lower_barrier=f"down{place}", max_holding_period=int(steps)
        )
        for place, (_, _, steps) in enumerate(given["rules"])
    ]
    columns = {name: name.removesuffix("_col") for name in ("open_col", "high_col", "low_col")}

    def work() -> Any:
        labels = [
            triple_barrier_labels(frame, config, price_col="close", timestamp_col="timestamp", **columns)
            for config in configs
        ]
        sides = labels[-1]["label"].to_numpy()
        return lambda: {"agreement": agreement(given, sides), "version": version("ml4t-engineer")}

    return work


def mlfinpy(folder: Path) -> Work:
    """mlfinpy on the first rows at the longest horizon."""
    import numpy as np
    import pandas as pd
    from mlfinpy.labeling.labeling import get_bins, get_events

    given = read(folder)
    up, down, steps = given["rules"][-1]
    seen = ROWS_BY_ROW + int(steps)
    times = pd.DatetimeIndex(pd.to_datetime(given["time_ns"][:seen]))
    close = pd.Series(given["close"][:seen], index=times)
    rows = times[:ROWS_BY_ROW]
    target = pd.Series(given["atr"][:ROWS_BY_ROW] / given["close"][:ROWS_BY_ROW], index=rows)
    ends = pd.Series(times[int(steps) : seen], index=rows)
    side = pd.Series(1.0, index=rows)

    def work() -> Any:
        events = get_events(close, rows, [up, down], target, 0.0, 1, ends, side, verbose=False)
        returns = get_bins(events, close)["ret"].to_numpy()
        sides = np.where(returns > up * target, 1, np.where(returns < -down * target, -1, 0))
        return lambda: {"agreement": agreement(given, sides), "version": version("mlfinpy")}

    return work


if __name__ == "__main__":
    CASES = {"factory": factory, "whole": whole, "ml4t_engineer": ml4t_engineer, "mlfinpy": mlfinpy}
    serve(CASES, prepare)
