"""Predictions of one part to scores, baselines, verdict and the trades behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import scorecard
from ohlcv_factory.evaluation.trading import Exit, Portfolio, simulate_all
from ohlcv_factory.labels.classes import CLASS_COUNT


@dataclass(frozen=True)
class Scores:
    """Everything that is said about one part."""

    part: str
    rows: dict[str, int]
    """Eligible, labelled and scored rows."""
    block: dict[str, Any]
    """classification, trading, thresholds, verdict, baselines: JSON-ready."""
    portfolio: Portfolio

    @property
    def path_frame(self) -> pl.DataFrame:
        """One row per bar: symbol, time, gross and net P&L per unit of notional, position at the close."""
        return pl.concat([_path_frame(result) for result in self.portfolio.results])

    @property
    def trades_frame(self) -> pl.DataFrame:
        """One row per trade: symbol, rows, side, prices, P&L, cost and why it ended."""
        return pl.concat([_trades_frame(result) for result in self.portfolio.results])


def score_part(part: str, predictions: Predictions, container: TimeSeriesDataContainer, *, seed: int) -> Scores:
    """Score the predictions of a part's rows (in the container's order) beside the baselines."""
    shares = class_shares(container, container.rows("train"))
    return score_rows(part, predictions, container, container.rows(part), shares, seed=seed)


def score_rows(
    name: str,
    predictions: Predictions,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    shares: np.ndarray,
    *,
    seed: int,
) -> Scores:
    """Score the predictions of some rows beside the baselines; `shares` `(3,)` are those of the training rows' classes."""
    bar_ns = container.markets[0].bars.bar_seconds * NANOSECONDS
    block = scorecard(
        predictions,
        container.markets,
        label_end=container.labels.end_ns[rows] + bar_ns,
        uniqueness=container.labels.uniqueness[rows],
        class_shares=shares,
        seed=seed,
    )
    counts = {
        "eligible": len(rows),
        "labelled": int(predictions.labelled.sum()),
        "scored": int(predictions.scored.sum()),
    }
    return Scores(name, counts, block, simulate_all(predictions, container.markets))


def class_shares(container: TimeSeriesDataContainer, rows: np.ndarray) -> np.ndarray:
    """Shares of short, neutral and long among the scored ones of some rows, `(3,)`."""
    labels = container.labels.label[rows][container.labels.scored[rows]]
    shares: np.ndarray = np.bincount(labels, minlength=CLASS_COUNT) / len(labels)
    return shares


def _path_frame(result: Any) -> pl.DataFrame:
    time = pl.Series("time", result.time_ns).cast(pl.Datetime("ns", "UTC"))
    columns = {
        "symbol": [result.symbol] * len(time),
        "gross": result.gross,
        "net": result.net,
        "position": result.position,
    }
    return pl.DataFrame(columns).insert_column(1, time)


def _trades_frame(result: Any) -> pl.DataFrame:
    trades = result.trades
    columns: dict[str, Any] = {"symbol": [result.symbol] * len(trades)}
    columns |= {name: trades[name].copy() for name in trades.dtype.names if name != "reason"}
    columns["reason"] = [Exit(code).name.lower() for code in trades["reason"].tolist()]
    return pl.DataFrame(columns, schema_overrides={"symbol": pl.String, "reason": pl.String})
