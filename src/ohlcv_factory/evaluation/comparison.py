"""Which of several models is best on the same sessions, and how sure that is.

All models are resampled by the same blocks of sessions. Each resample ranks them anew, so an interval of ranks counts what
moves them together; differences from the best are paired in the same resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation import overfitting, superiority
from ohlcv_factory.evaluation.classification import score_columns, score_statistics
from ohlcv_factory.evaluation.overfitting import Overfitting, backtest_overfitting
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.sharpe import annualised_sharpe, sharpe_columns
from ohlcv_factory.evaluation.significance import (
    RESAMPLES,
    TAILS,
    Difference,
    Statistic,
    bootstrap_means,
    default_block_length,
    paired_differences,
    widening,
)
from ohlcv_factory.evaluation.superiority import Superiority, superior_ability

LABEL_SCORES = score_statistics(True)
"""Scores of labels that can be paired, as functions of the means of `score_columns`."""
MONEY_SCORES = ("sharpe_ratio", "annualized_return", "total_return")
PAIRED_SCORES = (*MONEY_SCORES, *LABEL_SCORES)


@dataclass(frozen=True)
class SessionRecord:
    """What one model did in each of S sessions, in time order, on P paths: one, or those of a combinatorial study.

    A score of several paths is the mean of the score of each.
    """

    days: np.ndarray
    """`(S,)` int64, the sessions."""
    daily: np.ndarray
    """`(P, S)` float64, net P&L."""
    labels: np.ndarray
    """`(P, S, 12)` float64: sums of `score_columns` over the session's scored rows, and their number."""
    truth: str
    """Digest of the scored rows and their labels: where it differs, label scores cannot be paired."""
    sessions_per_year: float
    label_block: int
    """Mean block, in sessions, that outlasts the overlap of labels."""


def label_sums(predictions: Predictions, session: np.ndarray, days: np.ndarray) -> np.ndarray:
    """One path of `SessionRecord.labels`, `(S, 12)`, of n predictions.

    session `(n,)`: of each row, among `days` `(S,)`, ascending.
    """
    rows = np.flatnonzero(predictions.scored)
    columns = score_columns(predictions.truth[rows], predictions.decision[rows], predictions.probabilities[rows])
    sums = np.zeros((len(days), columns.shape[1] + 1))
    np.add.at(sums, np.searchsorted(days, session[rows]), np.column_stack([columns, np.ones(len(rows))]))
    return sums


def label_block(sums: np.ndarray, block_rows: int | None) -> int:
    """Sessions that hold `block_rows` scored rows on average, and no fewer than the default block."""
    sessions, rows = len(sums), float(sums[:, -1].sum())
    held = math.ceil((block_rows or 0) * sessions / rows) if rows else 0
    return max(default_block_length(sessions), held)


@dataclass(frozen=True)
class Standing:
    """Where one model stands among the others, by one score."""

    value: float | None
    """The score; None where it is undefined."""
    rank: int
    """1 + how many models are strictly better; an undefined score comes last."""
    rank_interval: tuple[int, int] | None
    """The ranks that hold 90 % of the resamples; None under two blocks of sessions."""
    difference: Difference | None
    """The score less that of the best model, with its 90 % interval; None for the best, and where the score is undefined."""

    @property
    def differs(self) -> bool:
        """Whether the whole interval of the difference lies on one side of 0: worse than the best beyond chance."""
        ends = self.difference and self.difference.interval
        return bool(ends) and not ends.low <= 0 <= ends.high  # type: ignore[union-attr]


def standings(
    records: Sequence[SessionRecord], by: str, *, lower_is_better: bool = False, seed: int = 0
) -> tuple[Standing, ...] | None:
    """Rank, its 90 % interval and the paired difference from the best of m models, by one of PAIRED_SCORES.

    None for any other score: it is no function of sums over sessions. The best is the first of those of rank 1. The same
    seed gives the same bytes. Raises DataError (65) where the sessions differ or, for a score of labels, the labels do.
    """
    if by not in PAIRED_SCORES:
        return None
    _check_paired(records, by)
    columns, statistic, block = _columns(records, by), _statistic(records[0], by), _block(records, by)
    own = np.array([float(statistic(each.mean(axis=0, keepdims=True))[0]) for each in columns])
    ranks = _ranks(own[None], lower_is_better)[0]
    best = int(np.argmin(ranks))
    intervals = _rank_intervals(columns, own, statistic, block, lower_is_better, seed)
    return tuple(
        Standing(
            value=None if math.isnan(value) else float(value),
            rank=int(rank),
            rank_interval=ends,
            difference=None
            if place == best or math.isnan(value)
            else _difference(each, columns[best], statistic, block, seed),
        )
        for place, (each, value, rank, ends) in enumerate(zip(columns, own, ranks, intervals, strict=True))
    )


def against_no_trade(records: Sequence[SessionRecord], *, seed: int = 0) -> Superiority | None:
    """Hansen's SPA and White's reality check of m models' daily net P&L, the mean over paths, against standing aside.

    None under 20 sessions, and for more models than sessions.
    """
    daily = np.column_stack([record.daily.mean(axis=0) for record in records])
    if len(daily) < max(superiority.MIN_ROWS, daily.shape[1]):
        return None
    return superior_ability(daily, seed=seed)


def overfitting_of_choice(records: Sequence[SessionRecord]) -> tuple[Overfitting, ...]:
    """Of each path, the probability that the best of m models on one half of the sessions lies below the median on the other.

    Empty for one model, under 32 sessions, and for more models than sessions.
    """
    daily = np.stack([record.daily for record in records], axis=-1)  # (path, session, model)
    least = overfitting.MIN_BLOCK_ROWS * overfitting.BLOCKS
    if len(records) < 2 or daily.shape[1] < max(least, len(records)):
        return ()
    return tuple(backtest_overfitting(path) for path in daily)


def _check_paired(records: Sequence[SessionRecord], by: str) -> None:
    first = records[0]
    if any(not np.array_equal(each.days, first.days) or each.daily.shape != first.daily.shape for each in records):
        raise DataError(
            "these models were traded on different sessions or different numbers of paths.",
            help="compare runs of one dataset",
        )
    if by in LABEL_SCORES and len({record.truth for record in records}) > 1:
        raise DataError(
            f"these models were scored on different labels, so {by} says nothing about which is better.",
            help="compare by sharpe_ratio: net P&L on the same bars is",
        )


def _columns(records: Sequence[SessionRecord], by: str) -> list[np.ndarray]:
    """Per model what the score is a function of the means of, `(S, P · k)` each: path beside path."""
    if by in LABEL_SCORES:
        return [np.hstack(list(record.labels)) for record in records]
    if by == "sharpe_ratio":
        return [np.hstack([sharpe_columns(daily) for daily in record.daily]) for record in records]
    return [record.daily.T for record in records]


def _statistic(record: SessionRecord, by: str) -> Statistic:
    """The score as a function of the means of `_columns`: the mean of the score of each path."""
    of_path, paths = _path_statistic(record, by), len(record.daily)
    return lambda means: np.mean([of_path(own) for own in np.split(means, paths, axis=1)], axis=0)


def _path_statistic(record: SessionRecord, by: str) -> Statistic:
    if by in LABEL_SCORES:
        score = LABEL_SCORES[by]
        return lambda means: score(means[:, :-1] / np.where(means[:, -1:] > 0, means[:, -1:], np.nan))
    if by == "sharpe_ratio":
        return annualised_sharpe(len(record.days), record.sessions_per_year)
    factor = record.sessions_per_year if by == "annualized_return" else float(len(record.days))
    return lambda means: means[:, 0] * factor


def _block(records: Sequence[SessionRecord], by: str) -> int:
    """Mean block in sessions: for labels the longest that any model needs."""
    own = [record.label_block for record in records] if by in LABEL_SCORES else []
    return max([default_block_length(len(records[0].days)), *own])


def _difference(first: np.ndarray, best: np.ndarray, statistic: Statistic, block: int, seed: int) -> Difference:
    return paired_differences(first, best, {"only": statistic}, block_length=block, seed=seed)["only"]


def _rank_intervals(
    columns: Sequence[np.ndarray], own: np.ndarray, statistic: Statistic, block: int, lower_is_better: bool, seed: int
) -> list[tuple[int, int] | None]:
    """Of each model the ranks that hold 90 % of the resamples: those of the paired differences, widened as they are."""
    count = len(columns[0])
    if count < 2 * block:
        return [None] * len(columns)
    means = bootstrap_means(np.hstack(columns), block_length=block, resamples=RESAMPLES, seed=seed)
    scores = np.column_stack([statistic(each) for each in np.split(means, len(columns), axis=1)])
    ranks = _ranks(own + (scores - own) * widening(count, block), lower_is_better)
    low, high = np.quantile(ranks, TAILS, axis=0, method="inverted_cdf")
    return [(int(first), int(last)) for first, last in zip(low, high, strict=True)]


def _ranks(scores: np.ndarray, lower_is_better: bool) -> np.ndarray:
    """Ranks `(r, m)` of scores `(r, m)`: 1 + how many are strictly better; NaN is worse than anything."""
    signed = -scores if lower_is_better else scores
    known = np.where(np.isnan(signed), -np.inf, signed)
    return np.asarray(1 + (known[:, None, :] > known[:, :, None]).sum(axis=2))
