"""Everything that is said about one set of predictions: scores, the same for every baseline, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.baselines import CHANCE, Baseline, baselines
from ohlcv_factory.evaluation.classification import classification_intervals, classification_scores
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.significance import TAILS, default_block_length
from ohlcv_factory.evaluation.trading import TradeRules, simulate_all
from ohlcv_factory.storage.formats import jsonable

THRESHOLDS = {"macro_f1": 0.35, "sharpe_ratio": 0.3}
"""The model specification's: a score passes when it lies above."""
MIN_SESSIONS = 20
MIN_TRADES = 30
MIN_DIRECTION_ROWS = 50.0
"""Sum of average uniqueness, as in the rule for calibration rows."""
ROUNDING = 1e-9
"""An edge below this is rounding: a model that always takes one side has one of 1e-17."""
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
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a model and of every baseline on the same rows, thresholds and verdict, JSON-ready.

    label_end `(n,)` int64 ns, close of the bar that ended each label; uniqueness `(n,)` average uniqueness of each
    label; class_shares `(3,)` of the training rows. `markets` stand in the order of `symbol_code`. Keys:
    classification, trading, thresholds, verdict, baselines (name -> classification, trading). Raises DataError (65).
    """
    _check_rows(predictions, label_end=label_end, uniqueness=uniqueness)
    own = score(predictions, markets, uniqueness, rules, seed=seed)
    table = baselines(predictions, markets, label_end=label_end, class_shares=class_shares, seed=seed)
    others = {each.name: score_baseline(each, markets, uniqueness, rules, seed=seed) for each in table}
    return {
        **own,
        "thresholds": threshold_column(own),
        "verdict": asdict(verdict(own, others)),
        "baselines": others,
    }


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
    codes = predictions.index["symbol_code"]
    together = _classification(predictions, uniqueness, has_probabilities, intervals, seed)
    present = np.unique(codes)
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
        block_rows = outlasting_block(weight, symbols=len(np.unique(predictions.index["symbol_code"][rows])))
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


@dataclass(frozen=True)
class Verdict:
    """What the numbers allow to say."""

    code: Literal["edge", "no edge found", "too little data"]
    words: str


def verdict(scores: Mapping[str, Any], baseline_scores: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Judge one model conservatively: an edge must show in direction *and* in net Sharpe, and beat every baseline.

    "too little data" under 20 sessions, 30 trades or 50 independent direction rows, unless even the upper end of the
    Sharpe interval is a loss: that is enough to say "no edge found". "edge" when both 90 % intervals lie
    above chance and the Sharpe ratio above each baseline's (above the upper end of random's). Else "no edge found".
    """
    lacking = _lacking(scores)
    if lacking and not _lies_below_zero(scores["trading"]["sharpe_interval"]):
        return Verdict("too little data", f"Too little data to judge: {lacking}.")
    missing = _missing_evidence(scores, baseline_scores)
    if missing:
        return Verdict("no edge found", f"No edge found: {'; '.join(missing)}.")
    trading, direction = scores["trading"], scores["classification"]
    return Verdict(
        "edge",
        f"Net Sharpe {trading['sharpe_ratio']:.2f} (90 % interval {_ends(trading['sharpe_interval'])}) over "
        f"{trading['sessions']} sessions and above every baseline. "
        f"Direction hit rate {direction['direction_edge']:+.3f} against its independent rate "
        f"{direction['independent_rate']:.3f} (90 % interval {_ends(direction['direction_edge_interval'], '+.3f')}).",
    )


def _lacking(scores: Mapping[str, Any]) -> str:
    """What falls short of the least amount of data, in words; empty when nothing does."""
    trading, direction = scores["trading"], scores["classification"]
    amounts = (
        ("sessions", trading["sessions"], MIN_SESSIONS),
        ("trades", trading["num_trades"], MIN_TRADES),
        ("independent direction rows", direction["direction_effective_rows"], MIN_DIRECTION_ROWS),
    )
    return ", ".join(f"{have:.0f} {name} (at least {least:.0f})" for name, have, least in amounts if have < least)


def _missing_evidence(scores: Mapping[str, Any], baseline_scores: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every reason against an edge, with its numbers."""
    trading, direction = scores["trading"], scores["classification"]
    own, own_ends = trading["sharpe_ratio"], trading["sharpe_interval"]
    edge, edge_ends = direction["direction_edge"], direction["direction_edge_interval"]
    reasons = []
    if not _lies_above_zero(own_ends):
        reasons.append(f"net Sharpe {_number(own)}, 90 % interval {_ends(own_ends)}")
    if not _lies_above_zero(edge_ends):
        reasons.append(
            f"direction hit rate {_number(edge, '+.3f')} against its independent rate, "
            f"90 % interval {_ends(edge_ends, '+.3f')}"
        )
    to_beat = dict(_to_beat(name, block["trading"]) for name, block in baseline_scores.items())
    unbeaten = [
        f"{words} {least:.2f}" for words, least in to_beat.items() if least is not None and not _above(own, least)
    ]
    if unbeaten:
        reasons.append(f"net Sharpe not above {', '.join(unbeaten)}")
    return reasons


def _to_beat(name: str, trading: Mapping[str, Any]) -> tuple[str, float | None]:
    """A baseline and its Sharpe ratio; of chance the upper end of its spread. None where it never traded."""
    spread, ratio = trading["sharpe_interval"], trading["sharpe_ratio"]
    return (f"the upper end of {name}", float(spread[1])) if name == CHANCE and spread else (name, ratio)


def _above(value: float | None, least: float) -> bool:
    return value is not None and value > least


def _lies_above_zero(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[0] > ROUNDING


def _lies_below_zero(interval: Sequence[float] | None) -> bool:
    return interval is not None and interval[1] < 0


def _number(value: float | None, form: str = ".2f") -> str:
    return "undefined" if value is None else format(value, form)


def _ends(interval: Sequence[float] | None, form: str = ".2f") -> str:
    return "undefined" if interval is None else f"{interval[0]:{form}} to {interval[1]:{form}}"
