"""The runs of one group side by side: ranks with intervals, paired differences from the best, and what choosing proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation import overfitting, superiority
from ohlcv_factory.evaluation.comparison import (
    LABEL_SCORES,
    PAIRED_SCORES,
    SessionRecord,
    Standing,
    against_no_trade,
    overfitting_of_choice,
    standings,
)
from ohlcv_factory.evaluation.overfitting import Overfitting
from ohlcv_factory.evaluation.superiority import Superiority
from ohlcv_factory.studies.finished_runs import LOWER_IS_BETTER, FinishedRun, Group, ranked, run_names
from ohlcv_factory.studies.session_records import record_files, session_record

LEVEL = 0.05
"""A p-value at or below it speaks for the best run; intervals leave as much at either end."""
COIN = 0.5
"""Probability of overfitting from which choosing the best does no better than a coin."""


@dataclass(frozen=True)
class ComparedGroup:
    """Runs on the same rows, best first by one score."""

    group: Group
    by: str
    runs: tuple[FinishedRun, ...]
    standings: tuple[Standing, ...] | None
    """One per run; None where the runs cannot be paired, as `gap` says."""
    superiority: Superiority | None
    """Of all runs against no trade; None under 20 sessions."""
    overfitting: tuple[Overfitting, ...]
    """Of choosing the best run, on each path; empty for one run and under 32 sessions."""
    sessions: int | None
    gap: str = ""

    @property
    def names(self) -> list[str]:
        """Of the runs, each once."""
        return run_names(self.runs)

    @property
    def words(self) -> tuple[str, ...]:
        """Plain sentences: whether the best can be told from the others, and what its being best proves."""
        said = (self.gap,) if self.gap else (_best_words(self), _superiority_words(self), _overfitting_words(self))
        return tuple(filter(None, (*said, _looks_words(self))))

    @property
    def overfitting_probability(self) -> float | None:
        """The mean over the paths."""
        return mean(each.probability for each in self.overfitting) if self.overfitting else None

    def facts(self) -> dict[str, Any]:
        """What is said of the group as a whole; JSON-ready."""
        probabilities = [each.probability for each in self.overfitting]
        return {
            "symbols": list(self.group.symbols),
            "horizon": self.group.horizon,
            "part": self.runs[0].evaluation["part"],
            "by": self.by,
            "runs": len(self.runs),
            "sessions": self.sessions,
            "superiority": self.superiority and asdict(self.superiority),
            "paths": self.runs[0].paths,
            "overfitting": self.overfitting_probability,
            "overfitting_by_path": probabilities,
            "words": list(self.words),
        }


def compared(group: Group, runs: Sequence[FinishedRun], by: str, *, seed: int = 0) -> ComparedGroup:
    """Compare runs on the same rows; random draws follow from `seed`.

    Runs whose predictions are gone are ranked, and nothing more. Raises UsageError (2) for an unknown score, DataError (65)
    where a score of labels is asked for and the labels differ, VerificationError (76) for predictions that were changed.
    """
    ordered = tuple(ranked(runs, by))
    gone = [run.path.name for run in ordered if not _keeps_predictions(run)]
    if gone:
        gap = f"No paired comparison: the predictions of {', '.join(gone)} are gone."
        return ComparedGroup(group, by, ordered, None, None, (), None, gap)
    records = [session_record(run) for run in ordered]
    _refuse_other_labels(ordered, records, by)
    return ComparedGroup(
        group,
        by,
        ordered,
        standings=standings(records, by, lower_is_better=by in LOWER_IS_BETTER, seed=seed),
        superiority=against_no_trade(records, seed=seed),
        overfitting=overfitting_of_choice(records),
        sessions=len(records[0].days),
    )


def _refuse_other_labels(runs: Sequence[FinishedRun], records: Sequence[SessionRecord], by: str) -> None:
    kinds = {record.truth: run.path.name for run, record in zip(runs, records, strict=True)}
    if by in LABEL_SCORES and len(kinds) > 1:
        names = ", ".join(kinds.values())
        raise DataError(
            f"these runs were scored on other labels of the same bars, so {by} cannot be compared: {names}.",
            help="compare them by sharpe_ratio, or give --experiment",
        )


def _keeps_predictions(run: FinishedRun) -> bool:
    return all(file.is_file() for files in record_files(run) for file in files)


def _best_words(found: ComparedGroup) -> str:
    """Whether the best run can be told from the others."""
    if found.standings is None:
        return f"{found.by} has no paired intervals; these have: {', '.join(PAIRED_SCORES)}."
    names, best = found.names, found.names[0]
    if len(names) == 1:
        return f"{best} is alone here: there is no other run to compare it with."
    if found.standings[0].value is None:
        return f"No run has a {found.by}, so none is better than another."
    others = list(zip(names[1:], found.standings[1:], strict=True))
    if all(each.difference is None or each.difference.interval is None for _, each in others):
        return (
            f"{best} is best by {found.by}; {found.sessions} sessions are too few to say whether by more than chance."
        )
    alike = [name for name, each in others if each.difference and each.difference.interval and not each.differs]
    apart = [name for name, each in others if each.differs]
    if not alike:
        return (
            f"{best} is best by {found.by}, beyond chance against each other run: no 90 % interval of a paired difference "
            "holds 0."
        )
    told = f" Worse beyond chance: {', '.join(apart)}." if apart else ""
    return (
        f"{best} is best by {found.by}, but cannot be told apart from {', '.join(alike)}: the 90 % intervals of their paired "
        f"differences hold 0.{told}"
    )


def _superiority_words(found: ComparedGroup) -> str:
    tested = found.superiority
    if tested is None:
        least = max(superiority.MIN_ROWS, len(found.runs))
        return f"No test against no trade: {found.sessions} sessions, at least {least} are needed."
    meaning = (
        f"{found.names[tested.best]} earned more than standing aside, the choice among all of them considered"
        if tested.consistent <= LEVEL
        else "none is shown to be better than standing aside"
    )
    return (
        f"Against no trade, best of {len(found.runs)} over {found.sessions} sessions: SPA p = {tested.consistent:.3f}, "
        f"reality check p = {tested.reality_check:.3f}; {meaning}."
    )


def _overfitting_words(found: ComparedGroup) -> str:
    if len(found.runs) == 1:
        return ""
    risk = found.overfitting_probability
    if risk is None:
        least = max(overfitting.MIN_BLOCK_ROWS * overfitting.BLOCKS, len(found.runs))
        return f"No probability of overfitting: {found.sessions} sessions, at least {least} are needed."
    meaning = "choosing by one half is no help on the other" if risk >= COIN else "what is best tends to stay so"
    return (
        f"Probability of backtest overfitting {risk:.2f}{_paths_words(found.overfitting)}: how often the best run on one half "
        f"of the sessions lies below the median on the other half; {meaning}."
    )


def _paths_words(found: Sequence[Overfitting]) -> str:
    """Between what the probabilities of several paths lie."""
    ends = [end(each.probability for each in found) for end in (min, max)]
    return f" (mean of {len(found)} paths, {ends[0]:.2f} to {ends[1]:.2f})" if len(found) > 1 else ""


def _looks_words(found: ComparedGroup) -> str:
    """How often the test part has been looked at, where the scores are on it."""
    looks = max(run.evaluation.get("test_looks") or 0 for run in found.runs)
    if not looks:
        return ""
    return f"This test part has been looked at {looks} times: the more looks, the less its best score is worth."
