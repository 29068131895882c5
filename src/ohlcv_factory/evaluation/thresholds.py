"""Fit the probabilities from which on it pays to act, by what acting would have earned after costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.evaluation.decisions import Threshold
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.trading import TradeRules, simulate
from ohlcv_factory.labels.classes import LONG, SHORT

LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Quantiles of each side's probability that may become its threshold; beside them: never."""
MIN_TRADES = 10
"""Fewer decide nothing."""
NEVER = Threshold(None, None)


@dataclass(frozen=True)
class FittedThreshold:
    """The best thresholds and what they did on the rows that chose them, which is no estimate of what they will do."""

    rule: Threshold
    trades: int
    net: float
    """Sum of net P&L per unit of notional, all symbols."""
    tried: int
    """Pairs of thresholds that were compared: each is a trial."""


def fit_thresholds(
    predictions: Predictions, markets: Sequence[SymbolMarket], rules: TradeRules | None = None
) -> FittedThreshold:
    """The pair of thresholds with the largest net P&L less one standard error of it, or never to act.

    predictions: of all eligible rows of a span, labelled or not, on rows that are never scored; `markets` stand in the
    order of `symbol_code`. Rows that are not neighbours are traded apart, so no position is held over bars between them.
    The standard error is the root of the sum of squared profits: a few lucky trades earn little more than theirs.
    Deterministic. Never acting scores 0, so every pair that does not earn its error loses to it.
    """
    pieces = [(piece, markets[piece.index["symbol_code"][0]]) for piece in _neighbours(predictions)]
    best, best_score = FittedThreshold(NEVER, 0, 0.0, 0), 0.0
    pairs = list(product(_levels(predictions, SHORT), _levels(predictions, LONG)))
    for short, long in pairs:
        rule = Threshold(short, long)
        net = np.concatenate([_trades(rule, *piece, rules) for piece in pieces])
        score = float(net.sum() - np.sqrt((net**2).sum()))
        if len(net) >= MIN_TRADES and score > best_score:
            best, best_score = FittedThreshold(rule, len(net), float(net.sum()), 0), score
    return FittedThreshold(best.rule, best.trades, best.net, len(pairs))


def _neighbours(predictions: Predictions) -> list[Predictions]:
    """Runs of rows of one symbol whose bars follow one another."""
    code, row = predictions.index["symbol_code"], predictions.index["row"]
    order = np.lexsort((row, code))
    breaks = 1 + np.flatnonzero((np.diff(code[order]) != 0) | (np.diff(row[order]) != 1))
    return [predictions.take(rows) for rows in np.split(order, breaks) if len(rows)]


def _levels(predictions: Predictions, side: int) -> list[float | None]:
    """Thresholds to try, never first: of equal scores the rule that acts less is kept."""
    found = np.quantile(predictions.probabilities[:, side], LEVELS, method="higher") if len(predictions) else []
    return [None, *np.unique(found)[::-1].tolist()]


def _trades(rule: Threshold, piece: Predictions, market: SymbolMarket, rules: TradeRules | None) -> np.ndarray:
    """Net P&L of each trade of one run of rows."""
    return np.asarray(simulate(piece.decided_by(rule), market, rules).trades["net"])
