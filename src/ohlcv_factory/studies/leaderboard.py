"""Runs side by side: models x horizons x symbols, ranked only where they were scored on the very same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.seeding import refuse_negative
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.studies.comparison import ComparedGroup, compared
from ohlcv_factory.studies.cross_validation import CrossValidationResult
from ohlcv_factory.studies.finished_runs import (
    DEFAULT_RUNS,
    DEFAULT_STUDIES,
    LOWER_IS_BETTER,
    OUT_OF_FOLD,
    VAL,
    FinishedRun,
    Group,
    comparable_groups,
    find_runs,
    score,
    settings_text,
)
from ohlcv_factory.training.trainer import RunResult

SPREAD_SCORES = {
    "macro_f1": "macro F1",
    "direction_hit_rate": "hit rate",
    "log_loss": "log-loss",
    "sharpe_ratio": "Sharpe",
    "annualized_return": "return/year",
}
"""Scores whose spread over seeds is shown, with their headings; the score that ranks comes after them where it is another."""
SPREAD_TITLE = "Several seeds of the same settings: mean ± standard deviation"
SPREAD_NOTE = "Two models that lie no further apart than this may differ by their seed only."
RANK_HEADER = ("name", "rank", "rank 90 %", "value", "less the best", "difference 90 %", "seconds", "MB")
RANK_LEGEND = (
    "Ranks and differences from the best, both with 90 % intervals: all runs resampled by the same blocks of sessions.\n"
    "Seconds: the fits alone. MB: the most memory that the process had held when the run ended."
)
AVERAGE_HEADER = ("name", "average rank", "groups")
AVERAGE_NOTE = (
    "Average rank of the models that are in every group, among each other; several runs of a model count with the mean of "
    "their scores."
)


@dataclass(frozen=True)
class SeedSpread:
    """The runs of one model that differ in nothing but the seed: how far each score moves by chance alone."""

    model: str
    runs: tuple[FinishedRun, ...]
    """The newest of each seed, at least two, by seed."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(run.manifest["seed"] for run in self.runs)

    def of(self, name: str) -> dict[str, float] | None:
        """mean, standard_deviation, smallest and largest of one score; None where it is undefined for a run."""
        values = [value for run in self.runs if (value := score(run, name)) is not None]
        if len(values) < len(self.runs):
            return None
        return {
            "mean": mean(values),
            "standard_deviation": stdev(values),
            "smallest": min(values),
            "largest": max(values),
        }

    def facts(self) -> dict[str, Any]:
        """The seeds, and the spread of each of SPREAD_SCORES; JSON-ready."""
        return {"seeds": self.seeds, **{name: self.of(name) for name in SPREAD_SCORES}}


@dataclass(frozen=True)
class Leaderboard:
    """Compared runs by symbols and horizon; printed as lines, shown by a notebook as tables with the baselines below."""

    groups: Mapping[Group, ComparedGroup]
    by: str

    @property
    def runs(self) -> tuple[FinishedRun, ...]:
        """All runs, group after group, the best of each first."""
        return tuple(run for found in self.groups.values() for run in found.runs)

    @property
    def average_ranks(self) -> dict[str, float]:
        """Of each model that is in every group its mean rank among such models, best first; empty for a
        single group and where fewer than two models are in all of them.

        A model with several runs in a group counts with the mean of their scores; equal scores share the mean of their
        ranks; an undefined score comes last.
        """
        scores = [_scores_by_model(found) for found in self.groups.values()]
        everywhere = [name for name in scores[0] if all(name in each for each in scores)]
        if len(scores) < 2 or len(everywhere) < 2:
            return {}
        tables = [_mean_ranks({name: each[name] for name in everywhere}, self.by) for each in scores]
        found = {name: mean(table[name] for table in tables) for name in everywhere}
        return dict(sorted(found.items(), key=lambda pair: (pair[1], pair[0])))

    def __str__(self) -> str:
        several = len({group.symbols for group in self.groups}) > 1
        return "\n".join(
            f"{run.group.words if several else f'horizon {run.group.horizon}'}: {run.manifest['model']}, "
            f"{self.by} {_shown(score(run, self.by))}, {run.path}"
            for run in self.runs
        )

    def _repr_html_(self) -> str:
        return "".join(map(self._group_html, self.groups.values())) + self._averages_html()

    def _group_html(self, found: ComparedGroup) -> str:
        best = found.runs[0]
        rows = [
            [*score_row(run.manifest["model"], run.evaluation), run.manifest["seed"], run.path.name]
            for run in found.runs
        ]
        rows += [[*row, None, None] for row in baseline_rows(best.evaluation)]
        title = f"{found.group.words}, part {best.evaluation['part']}, by {self.by}"
        verdict = f"{best.manifest['model']}: {best.evaluation['verdict']['words']}"
        return (
            html_table(title, (*SCORE_HEADER, "seed", "run"), rows)
            + html_paragraph(verdict)
            + html_table(f"Ranks by {self.by}", RANK_HEADER, rank_rows(found))
            + "".join(map(html_paragraph, found.words))
            + self._spread_html(seed_spreads(found.runs))
        )

    def _spread_html(self, spreads: Sequence[SeedSpread]) -> str:
        if not spreads:
            return ""
        return html_table(SPREAD_TITLE, *spread_table(spreads, self.by)) + html_paragraph(SPREAD_NOTE)

    def _averages_html(self) -> str:
        rows = average_rows(self)
        return html_table("Over all groups", AVERAGE_HEADER, rows) + html_paragraph(AVERAGE_NOTE) if rows else ""


def leaderboard(
    *runs: str | Path | RunResult | CrossValidationResult,
    by: str = "sharpe_ratio",
    experiment: str | None = None,
    part: str = VAL,
    seed: int = 0,
) -> Leaderboard:
    """The leaderboard of runs, run folders or folders of runs; without any, of `experiments/runs`.

    Runs are ranked within each (symbols, horizon), by their scores on val, or on test where `evaluate` has looked at it; of
    the part `oof` cross-validations by those of their folds, without any those of `experiments/studies`. `seed` decides the
    resamples. Raises InputMissingError (66) where there is no finished run or one without such scores, DataError (65) for
    runs of one group that were scored on different rows, UsageError (2) for an unknown score or a negative seed.
    """
    refuse_negative(seed)
    everywhere = DEFAULT_STUDIES if part == OUT_OF_FOLD else DEFAULT_RUNS
    paths = [run.path if isinstance(run, RunResult | CrossValidationResult) else Path(run) for run in runs] or [
        everywhere
    ]
    return ranked_board(find_runs(paths, experiment=experiment, part=part), by, seed=seed)


def ranked_board(runs: Sequence[FinishedRun], by: str = "sharpe_ratio", *, seed: int = 0) -> Leaderboard:
    """The leaderboard of runs that were read already."""
    groups = comparable_groups(runs)
    return Leaderboard({group: compared(group, members, by, seed=seed) for group, members in groups.items()}, by)


def rank_rows(found: ComparedGroup) -> list[list[Any]]:
    """One row per run under RANK_HEADER, best first; None where a number is undefined."""
    cells = [[row["rank"], _ends(row["rank_interval"], "d"), *_difference_cells(row)] for row in comparison_rows(found)]
    costs = [[_rounded(run.training_seconds), run.peak_memory_mb] for run in found.runs]
    return [[name, *own, *cost] for name, own, cost in zip(found.names, cells, costs, strict=True)]


def comparison_rows(found: ComparedGroup) -> list[dict[str, Any]]:
    """One mapping per run, best first: its name, rank, difference from the best, time and memory; JSON-ready."""
    ranks = found.standings or (None,) * len(found.runs)
    return [
        {
            "name": name,
            "value": score(run, found.by),
            "rank": standing and standing.rank,
            "rank_interval": standing and standing.rank_interval,
            "difference": standing and standing.difference and standing.difference.value,
            "difference_interval": standing and standing.difference and standing.difference.interval,
            "differs_from_best": standing and standing.differs,
            "training_time_seconds": run.training_seconds,
            "peak_memory_mb": run.peak_memory_mb,
        }
        for name, run, standing in zip(found.names, found.runs, ranks, strict=True)
    ]


def average_rows(board: Leaderboard) -> list[list[Any]]:
    """The average ranks under AVERAGE_HEADER."""
    return [[name, rank, len(board.groups)] for name, rank in board.average_ranks.items()]


def seed_spreads(group: Sequence[FinishedRun]) -> tuple[SeedSpread, ...]:
    """The models of one horizon that were trained with several seeds and else the same settings on the same data."""
    newest = {
        (run.manifest["model"], settings_text(run), run.manifest["seed"]): run for run in sorted(group, key=_finished)
    }
    alike = groupby(sorted(newest), key=lambda key: key[:2])
    found = (SeedSpread(model, tuple(newest[key] for key in keys)) for (model, _), keys in alike)
    return tuple(spread for spread in found if len(spread.runs) > 1)


def spread_table(spreads: Sequence[SeedSpread], by: str = "sharpe_ratio") -> tuple[tuple[str, ...], list[list[Any]]]:
    """Header and rows for people: model, seeds, and `mean ± standard deviation` of each score."""
    names = {**SPREAD_SCORES, **({} if by in SPREAD_SCORES else {by: by})}
    rows = [[spread.model, len(spread.seeds), *(_mean_text(spread.of(name)) for name in names)] for spread in spreads]
    return ("name", "seeds", *names.values()), rows


def _finished(run: FinishedRun) -> tuple[str, str]:
    """When a run ended: to the second, then to the microsecond (runs of older versions have no such time)."""
    return str(run.evaluation["timestamp"]), str(read_json(run.path / STATE)["updated"])


def _mean_text(spread: Mapping[str, float] | None) -> str:
    return f"{spread['mean']:.3f} ± {spread['standard_deviation']:.3f}" if spread else "undefined"


def _scores_by_model(found: ComparedGroup) -> dict[str, float | None]:
    """The mean score of each model's runs; None where one of them has none."""
    values: dict[str, list[float | None]] = {}
    for run in found.runs:
        values.setdefault(run.manifest["model"], []).append(score(run, found.by))
    return {name: _mean_or_none(each) for name, each in values.items()}


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def _mean_ranks(scores: Mapping[str, float | None], by: str) -> dict[str, float]:
    """Ranks from 1, the best first; equal scores share the mean of theirs."""
    sign = 1.0 if by in LOWER_IS_BETTER else -1.0
    keys = {name: math.inf if value is None else sign * value for name, value in scores.items()}
    return {
        name: sum(other < key for other in keys.values()) + (sum(other == key for other in keys.values()) + 1) / 2
        for name, key in keys.items()
    }


def _difference_cells(row: Mapping[str, Any]) -> list[Any]:
    return [row["value"], row["difference"], _ends(row["difference_interval"], "+.3f")]


def _ends(interval: Sequence[float] | None, form: str) -> str:
    return "-" if interval is None else f"[{interval[0]:{form}}, {interval[1]:{form}}]"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
