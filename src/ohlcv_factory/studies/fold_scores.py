"""Scores of every tested block, what they come to together, and how steady they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from ohlcv_factory.evaluation.decisions import DecisionRule
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import score
from ohlcv_factory.evaluation.stability import log_loss_gain, log_loss_skill, stability, summarised
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.purge import Fold
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.training.scoring import class_shares, score_rows

SKILL = "log_loss_skill"
JUDGED = {
    SKILL: (None, SKILL),
    "direction_edge": ("classification", "direction_edge"),
    "sharpe_ratio": ("trading", "sharpe"),
}
"""The scores whose block_stability is judged: block of the entry that they stand in, and name of their interval."""

Direction = Literal["maximize", "minimize"]
LABEL_SCORES: Mapping[str, Direction] = {
    SKILL: "maximize",
    "log_loss": "minimize",
    "brier": "minimize",
    "ece": "minimize",
    "accuracy": "maximize",
    "macro_f1": "maximize",
    "weighted_f1": "maximize",
    "balanced_accuracy": "maximize",
    "mcc": "maximize",
    "direction_hit_rate": "maximize",
    "direction_edge": "maximize",
}
"""What one may choose by that is measured on labels, and which way is better."""
MONEY_SCORES: Mapping[str, Direction] = {
    "total_return": "maximize",
    "annualized_return": "maximize",
    "sharpe_ratio": "maximize",
    "probabilistic_sharpe_ratio": "maximize",
    "max_drawdown": "maximize",
    "win_rate": "maximize",
    "profit_factor": "maximize",
    "break_even_cost_bps": "maximize",
}
"""The same of what is measured on bars, after costs (the break-even cost before them). A drawdown is never above 0."""
DESCRIPTIVE = (
    *("rows", "independent_rate", "direction_rows", "direction_effective_rows", "direction_block_rows"),
    *("minimum_track_record", "num_trades", "turnover", "exposure", "average_holding_bars", "total_cost", "cost_bps"),
    *("sessions", "sessions_per_year", "skewness", "kurtosis"),
)
"""Numbers that say how much or how long, not how well: nothing is chosen by them."""

Entry = Mapping[str, Any]
"""Scores of one tested block, as `block_scores` makes them."""


def block_scores(
    folds: TrainFolds, fold: Fold, group: int, predictions: Predictions, *, seed: int, rule: DecisionRule
) -> dict[str, Any]:
    """One block of a fold, scored beside the baselines as a part of a run is, JSON-ready.

    `predictions` are those of all rows that the fold tests. The baseline's class shares are those of the fold's training rows.
    """
    rows, container = folds.block(fold, group), folds.container
    own = predictions.take(np.searchsorted(folds.tested(fold), rows))
    train = folds.learnt(fold)
    scores = score_rows("block", own, container, rows, train, seed=seed, rule=rule)
    skill, interval = log_loss_skill(own, class_shares(container, train), container.labels.uniqueness[rows], seed=seed)
    times = container.index["time_ns"][rows]
    return {
        "fold": fold.number,
        "block": group,
        "first": time_text(times.min()),
        "last": time_text(times.max()),
        "rows": scores.rows,
        SKILL: skill,
        f"{SKILL}_interval": interval,
        **scores.block,
    }


def plain_scores(folds: TrainFolds, fold: Fold, predictions: Predictions) -> dict[str, Any]:
    """The numbers of all rows that a fold tests, without baselines and intervals, which take most of the time.

    `predictions` are those of these rows. Names and values are those of `block_scores`, in one flat table.
    """
    rows, container = folds.tested(fold), folds.container
    found = score(predictions, container.markets, container.labels.uniqueness[rows], intervals=False)
    scored = np.flatnonzero(predictions.scored)
    shares = class_shares(container, folds.learnt(fold))
    skill = float(log_loss_gain(predictions, scored, shares).mean()) if len(scored) else None
    numbers = {**found["classification"], **found["trading"]}
    return {SKILL: skill, **{name: value for name, value in numbers.items() if _is_plain(value)}}


def summary(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Mean, spread and extremes of every score over the tested blocks, or over the paths through them."""
    return summarised([_numbers(entry) for entry in entries])


def block_stability(entries: Sequence[Entry]) -> dict[str, Any]:
    """The grade, which is that of the log-loss skill, and the judgement of each score that has intervals.

    Where several folds predict a block, their mean stands for it: they are no independent witnesses.
    """
    judged = {name: asdict(stability(*_by_block(entries, name))) for name in JUDGED}
    return {"grade": judged[SKILL]["grade"], **judged}


def score_of(entry: Entry, name: str) -> tuple[float | None, Sequence[float] | None]:
    """One of the scores of `JUDGED` and its interval."""
    block, stem = JUDGED[name]
    place = entry[block] if block else entry
    return place[name], place[f"{stem}_interval"]


def _by_block(entries: Sequence[Entry], name: str) -> tuple[list[float | None], list[tuple[float, float] | None]]:
    """A score and its interval for each block, in time order."""
    values, intervals = [], []
    for block in sorted({entry["block"] for entry in entries}):
        found = [score_of(entry, name) for entry in entries if entry["block"] == block]
        known = [(value, ends) for value, ends in found if value is not None]
        ends = [pair for _, pair in known if pair is not None]
        values.append(float(np.mean([value for value, _ in known])) if known else None)
        intervals.append(
            (float(np.mean([low for low, _ in ends])), float(np.mean([high for _, high in ends]))) if ends else None
        )
    return values, intervals


def _is_plain(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _numbers(entry: Entry) -> dict[str, Any]:
    own = {SKILL: entry[SKILL]} if SKILL in entry else {}
    return {**own, **entry["classification"], **entry["trading"]}
