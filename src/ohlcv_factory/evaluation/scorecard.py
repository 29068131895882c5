"""Everything that is said about one set of predictions: scores, the same for every baseline, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.baselines import Baseline, baselines
from ohlcv_factory.evaluation.classification import classification_intervals, classification_scores
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.significance import TAILS, default_block_length
from ohlcv_factory.evaluation.trading import TradeRules, simulate_all
from ohlcv_factory.evaluation.trials import Trials, trials_block
from ohlcv_factory.evaluation.verdict import verdict
from ohlcv_factory.storage.formats import jsonable

THRESHOLDS = {"macro_f1": 0.35, "sharpe_ratio": 0.3}
"""The model specification's: a score passes when it lies above."""
ONLY_TRIAL = Trials()
OVERLAP_MULTIPLE = 5
"""Blocks of rows outlast the mean overlap of labels by this factor."""


def scorecard(
    predictions: Predictions,
    markets: Sequence[SymbolMarket],
    *,
    label_end: np.ndarray,
    uniqueness: np.ndarray,
    class_shares: np.ndarray,
    rules: TradeRules | None = None,
    trials: Trials = ONLY_TRIAL,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a model and of every baseline on the same rows, thresholds and verdict, JSON-ready.

    label_end `(n,)` int64 ns, close of the bar that ended each label; uniqueness `(n,)` average uniqueness of each
    label; class_shares `(3,)` of the training rows. `markets` stand in the order of `symbol_code`; `trials` are those on
    the same data. Keys: classification, trading, thresholds, trials, verdict, baselines (name -> classification, trading).
    Raises DataError (65).
    """
    _check_rows(predictions, label_end=label_end, uniqueness=uniqueness)
    own = score(predictions, markets, uniqueness, rules, seed=seed)
    table = baselines(predictions, markets, label_end=label_end, class_shares=class_shares, seed=seed)
    others = {each.name: score_baseline(each, markets, uniqueness, rules, seed=seed) for each in table}
    card = {**own, "thresholds": threshold_column(own), "trials": {}, "verdict": {}, "baselines": others}
    return judged(card, trials)


def score(
    predictions: Predictions,
    markets: Sequence[SymbolMarket],
    uniqueness: np.ndarray,
    rules: TradeRules | None = None,
    *,
    has_probabilities: bool = True,
    intervals: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """`{"classification": ..., "trading": ...}` of one set of decisions: classes on scored rows, trades on all rows."""
    return {
        "classification": classification(predictions, uniqueness, has_probabilities, intervals, seed),
        "trading": jsonable(simulate_all(predictions, markets, rules).metrics(intervals=intervals, seed=seed)),
    }


def classification(
    predictions: Predictions, uniqueness: np.ndarray, has_probabilities: bool, intervals: bool, seed: int
) -> dict[str, Any]:
    """The classification block over all symbols, with `per_symbol` beside it when there are several."""
    together = _classification(predictions, uniqueness, has_probabilities, intervals, seed)
    present, codes = predictions.codes, predictions.index["symbol_code"]
    if len(present) < 2:
        return together
    parts = {predictions.symbols[code]: np.flatnonzero(codes == code) for code in present}
    each = {
        symbol: _classification(predictions.take(rows), uniqueness[rows], has_probabilities, intervals, seed)
        for symbol, rows in parts.items()
    }
    return {**together, "per_symbol": each}


def _classification(
    predictions: Predictions, uniqueness: np.ndarray, has_probabilities: bool, intervals: bool, seed: int
) -> dict[str, Any]:
    scored = np.flatnonzero(predictions.scored)
    rows = scored[np.argsort(predictions.index["time_ns"][scored], kind="stable")]
    truth, decision, weight = predictions.truth[rows], predictions.decision[rows], uniqueness[rows]
    probabilities = predictions.probabilities[rows] if has_probabilities else None
    block: dict[str, Any] = classification_scores(truth, decision, probabilities, weight)
    block |= dict.fromkeys(("direction_edge_interval", "direction_block_rows", "intervals"))
    if intervals and len(rows):
        symbols = np.count_nonzero(np.bincount(predictions.index["symbol_code"][rows]))
        block_rows = outlasting_block(weight, symbols=int(symbols))
        found = classification_intervals(truth, decision, probabilities, block_rows=block_rows, seed=seed)
        edge = found.pop("direction_edge")
        block |= {"direction_edge_interval": edge, "direction_block_rows": block_rows, "intervals": found}
    return jsonable(block)  # type: ignore[no-any-return]


def outlasting_block(uniqueness: np.ndarray, symbols: int) -> int:
    """Mean block for rows in time order: longer than labels overlap, and whole across the symbols of one moment."""
    overlap = OVERLAP_MULTIPLE / max(float(uniqueness.mean()), 1e-3)
    return symbols * max(default_block_length(len(uniqueness) // symbols), round(overlap))


def score_baseline(
    baseline: Baseline,
    markets: Sequence[SymbolMarket],
    uniqueness: np.ndarray,
    rules: TradeRules | None = None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a baseline; of several versions the mean, with the spread of their Sharpe ratios as its interval."""
    rules = (rules or TradeRules()).model_copy(update={} if baseline.barriers else {"barriers": False})
    known = baseline.has_probabilities
    if len(baseline.versions) == 1:
        return score(baseline.versions[0], markets, uniqueness, rules, has_probabilities=known, seed=seed)
    blocks = [
        score(version, markets, uniqueness, rules, has_probabilities=known, intervals=False)
        for version in baseline.versions
    ]
    mean_block: dict[str, Any] = averaged(blocks)
    mean_block["trading"]["sharpe_interval"] = _spread([block["trading"]["sharpe_ratio"] for block in blocks])
    return mean_block


def averaged(values: Sequence[Any]) -> Any:
    """The mean of equally shaped blocks, number by number; None where any is undefined; what all share stays."""
    first = values[0]
    if all(value == first for value in values):
        return first
    if any(value is None for value in values):
        return None
    if isinstance(first, Mapping):
        return {key: averaged([value[key] for value in values]) for key in first}
    if isinstance(first, list):
        return [averaged(inner) for inner in zip(*values, strict=True)]
    return float(np.mean(values))


def _spread(values: Sequence[float | None]) -> list[float] | None:
    """The central 90 % of the defined values."""
    defined = [value for value in values if value is not None]
    return [float(end) for end in np.quantile(defined, TAILS)] if defined else None


def _check_rows(predictions: Predictions, **arrays: np.ndarray) -> None:
    for name, values in arrays.items():
        if len(values) != len(predictions):
            raise DataError(
                f"{name} has {len(values)} rows, the predictions have {len(predictions)}.", help="one value per row"
            )


def threshold_column(scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The specification's thresholds beside the values; `passed` is None where the value is undefined."""
    values = {**scores["classification"], **scores["trading"]}
    return {
        name: {"threshold": limit, "value": value, "passed": None if value is None else value > limit}
        for name, limit in THRESHOLDS.items()
        for value in (values[name],)
    }


def judged(card: Mapping[str, Any], trials: Trials) -> dict[str, Any]:
    """A scorecard with its verdict by these trials; one that was judged by them, or is of the first version, as it is."""
    if "trials" not in card or _same(card["trials"], trials):
        return dict(card)
    block = trials_block(trials, card["trading"])
    return {**card, "trials": block, "verdict": asdict(verdict({**card, "trials": block}, card["baselines"]))}


def _same(block: Mapping[str, Any], trials: Trials) -> bool:
    return {name: block.get(name) for name in asdict(trials)} == asdict(trials)
