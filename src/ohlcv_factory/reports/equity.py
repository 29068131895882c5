"""Running net profit and drawdown of runs and of buy and hold, in units of one notional, over the rows they were scored on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.reports.charts import Line, legend, line_chart
from ohlcv_factory.reports.page import text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import percent
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.storage.parquet import read_table

HELD = "buy and hold"


def equity_figures(group: Sequence[ReportedRun], dataset: Path | None) -> str:
    """Two pictures of one horizon; empty where no run has kept its path."""
    lines = equity_lines(group, dataset)
    if not lines:
        return ""
    first, last = (time_text(lines[0].x[end])[:10] for end in (0, -1))
    key = legend([(line.name, line.kind) for line in lines])
    words = (
        "Running sum of net profit after costs, in per cent of one trade's notional, not compounded. "
        "Always flat is the line at 0."
    )
    falls = [Line(line.name, line.x, drawdown(line.y), line.kind) for line in lines]
    rises = line_chart(lines, "net profit of each model over time", _whole, (first, last))
    depths = line_chart(falls, "drawdown of each model over time", _whole, (first, last))
    return _figure(words, key, rises) + _figure(
        "Drawdown: how far each curve lies below its earlier peak.", key, depths
    )


def equity_lines(group: Sequence[ReportedRun], dataset: Path | None) -> list[Line]:
    """One curve per run that has its path, and buy and hold where the dataset is at hand."""
    paths = [(run, _read(path_file(run))) for run in group if path_file(run).is_file()]
    lines = [_line(run.name, run.kind, path) for run, path in paths]
    if paths and dataset is not None and _has_bars(dataset, paths[0][1]):
        run, path = paths[0]
        lines.append(_line(HELD, "held", hold_path(path, dataset, run.features["data"]["instruments"])))
    return lines


def path_file(run: ReportedRun) -> Path:
    """Where the profit and position of each bar lie, for the rows that a run was scored on."""
    return run.path / "predictions" / f"{run.evaluation['part']}_path.parquet"


def hold_path(path: pl.DataFrame, dataset: Path, instruments: Sequence[dict[str, object]]) -> pl.DataFrame:
    """symbol, time, net of buying at the second bar's open and selling at the last close, with costs."""
    table = {str(each["symbol"]): Instrument.parse(each) for each in instruments}
    spans = path.group_by("symbol", maintain_order=True).agg(first=pl.col("time").min(), last=pl.col("time").max())
    held = []
    for symbol, first, last in spans.iter_rows():
        bars = _read(dataset / f"{symbol}.parquet", columns=["timestamp", "open", "close"])
        inside = bars.filter(pl.col("timestamp").is_between(first, last))
        net = _hold(inside["open"].to_numpy(), inside["close"].to_numpy(), table[symbol])
        held.append(pl.DataFrame({"symbol": [symbol] * len(net), "time": inside["timestamp"], "net": net}))
    return pl.concat(held)


def drawdown(equity: np.ndarray) -> np.ndarray:
    """Distance below the earlier peak, `(n,)`, never above 0; the start at 0 is a peak too."""
    peak: np.ndarray = np.maximum(np.maximum.accumulate(equity), 0.0)
    fall: np.ndarray = equity - peak
    return fall


def _read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A Parquet file. Raises DataError (65) when it is damaged."""
    return read_table(path, columns)


def _has_bars(dataset: Path, path: pl.DataFrame) -> bool:
    return all((dataset / f"{symbol}.parquet").is_file() for symbol in path["symbol"].unique())


def _hold(open_: np.ndarray, close: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Net P&L of each bar `(m,)`, as `evaluation.trading` books it."""
    if len(close) < 2:
        return np.zeros(len(close))
    entry = open_[1]
    net: np.ndarray = np.diff(close, prepend=close[0]) / entry
    net[1] = close[1] / entry - 1 - instrument.cost_per_unit(entry) / entry
    net[-1] -= instrument.cost_per_unit(close[-1]) / entry
    return net


def _line(name: str, kind: str, path: pl.DataFrame) -> Line:
    """Equity of equal notional in every symbol: the mean of their P&L, summed over time."""
    symbols = path["symbol"].n_unique()
    net = path.group_by("time").agg(pl.col("net").sum() / symbols).sort("time")
    return Line(name, net["time"].dt.timestamp("ns").to_numpy(), np.cumsum(net["net"].to_numpy()), kind)


def _figure(words: str, key: str, chart: str) -> str:
    return f"<figure><figcaption>{text(words)}</figcaption>{key}{chart}</figure>\n"


def _whole(share: float) -> str:
    return percent(share, 0 if abs(share) >= 0.1 or share == 0 else 1)
