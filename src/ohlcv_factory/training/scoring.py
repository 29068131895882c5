"""Predictions of one part to scores, baselines, verdict and the trades behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory.bars.schema import NANOSECONDS
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.breakdown import VolatilityCuts, breakdown
from ohlcv_factory.evaluation.conformal import adaptive_sets, coverage_scores
from ohlcv_factory.evaluation.decisions import ARGMAX, Conformal, DecisionRule
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import judged, scorecard
from ohlcv_factory.evaluation.trading import Exit, Portfolio, simulate_all
from ohlcv_factory.evaluation.trials import Trials
from ohlcv_factory.labels.classes import CLASS_COUNT


@dataclass(frozen=True)
class Scores:
    """Everything that is said about one part."""

    part: str
    rows: dict[str, int]
    """Eligible, labelled and scored rows."""
    block: dict[str, Any]
    """classification, trading, thresholds, trials, verdict, baselines, decision, breakdown: JSON-ready."""
    portfolio: Portfolio

    def judged(self, trials: Trials) -> Scores:
        """The same with the verdict that so many trials on the same data allow."""
        return replace(self, block=judged(self.block, trials))

    @property
    def path_frame(self) -> pl.DataFrame:
        """One row per bar: symbol, time, gross and net P&L per unit of notional, position at the close."""
        return pl.concat([_path_frame(result) for result in self.portfolio.results])

    @property
    def trades_frame(self) -> pl.DataFrame:
        """One row per trade: symbol, rows, side, prices, P&L, cost and why it ended."""
        return pl.concat([_trades_frame(result) for result in self.portfolio.results])


def score_part(
    part: str, predictions: Predictions, container: TimeSeriesDataContainer, *, seed: int, rule: DecisionRule = ARGMAX
) -> Scores:
    """Score the predictions of a part's rows (in the container's order) beside the baselines; `rule` made the decisions."""
    train = container.rows("train", scored=True)
    return score_rows(part, predictions, container, container.rows(part), train, seed=seed, rule=rule)


def score_rows(
    name: str,
    predictions: Predictions,
    container: TimeSeriesDataContainer,
    rows: np.ndarray,
    train: np.ndarray,
    *,
    seed: int,
    rule: DecisionRule | None = ARGMAX,
) -> Scores:
    """Score the predictions of some rows beside the baselines.

    `train` are scored training rows: the class-prior baseline and the groups by volatility know theirs. `rule` made the
    decisions; None where the rules of several fits did.
    """
    bar_ns = container.markets[0].bars.bar_seconds * NANOSECONDS
    label_end, uniqueness = container.labels.end_ns[rows] + bar_ns, container.labels.uniqueness[rows]
    block = scorecard(
        predictions,
        container.markets,
        label_end=label_end,
        uniqueness=uniqueness,
        class_shares=class_shares(container, train),
        seed=seed,
    )
    counts = {
        "eligible": len(rows),
        "labelled": int(predictions.labelled.sum()),
        "scored": int(predictions.scored.sum()),
    }
    portfolio = simulate_all(predictions, container.markets)
    cuts = VolatilityCuts.fit(container.index[train], container.markets)
    block["decision"] = decision_block(rule, predictions, predictions.index["time_ns"] + bar_ns, label_end)
    block["breakdown"] = breakdown(predictions, portfolio, container.markets, cuts, uniqueness)
    return Scores(name, counts, block, portfolio)


def class_shares(container: TimeSeriesDataContainer, rows: np.ndarray) -> np.ndarray:
    """Shares of short, neutral and long among some scored rows, `(3,)`."""
    shares: np.ndarray = np.bincount(container.labels.label[rows], minlength=CLASS_COUNT) / len(rows)
    return shares


def decision_block(
    rule: DecisionRule | None, predictions: Predictions, close_ns: np.ndarray, label_end_ns: np.ndarray
) -> dict[str, Any]:
    """What the rule is and, where it makes sets, how they kept their coverage; JSON-ready.

    Adaptive sets stand beside them, as if their level had followed the labels of this part as they became known: where
    the two differ, the market has drifted from the calibration rows. Decisions are always those of the rule itself.
    """
    facts: dict[str, Any] = {"kind": "several", "words": "each fold's own rule", "sets": None, "adaptive_sets": None}
    if rule is not None:
        facts |= {"kind": rule.kind, "words": rule.words}
    if isinstance(rule, Conformal):
        scored, truth = predictions.scored, predictions.truth[predictions.scored]
        adaptive = adaptive_sets(rule, predictions, close_ns, label_end_ns).sets
        made = {"sets": rule.sets(predictions.probabilities), "adaptive_sets": adaptive}
        facts |= {name: coverage_scores(sets[scored], truth, rule.coverage) for name, sets in made.items()}
    return facts


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
