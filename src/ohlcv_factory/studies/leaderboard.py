"""Runs side by side: one row per run, only where they were scored on the very same rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import DataError, InputMissingError, UsageError
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row
from ohlcv_factory.evaluation.scorecard import judged
from ohlcv_factory.evaluation.trials import Trials, scaled_ratio
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training.artifacts import STATE
from ohlcv_factory.training.bundle import MANIFEST, read_run_manifest
from ohlcv_factory.training.settings import RUNS_FOLDER
from ohlcv_factory.training.trainer import RunResult

DEFAULT_RUNS = Path("experiments") / RUNS_FOLDER
LOWER_IS_BETTER = ("log_loss", "brier", "ece", "total_cost")
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
NOT_OF_THE_MODEL = ("random_seed", "experiment_name", "output_dir", "dataset", "threads")
"""Settings in which runs of the same settings may differ; the data is compared by its fingerprint."""


@dataclass(frozen=True)
class FinishedRun:
    """A run folder's manifest and scores."""

    path: Path
    manifest: dict[str, Any]
    evaluation: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> FinishedRun:
        """Read a finished run. Raises InputMissingError (66) for anything else."""
        manifest = read_run_manifest(path)
        return cls(path, manifest, read_json(path / "metrics" / "evaluation_metrics.json")["evaluation_metrics"])


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
    """Runs by horizon, best first; printed as lines, shown by a notebook as a table with the baselines below."""

    groups: Mapping[int, tuple[FinishedRun, ...]]
    by: str

    @property
    def runs(self) -> tuple[FinishedRun, ...]:
        """All runs, horizon after horizon, the best of each first."""
        return tuple(run for group in self.groups.values() for run in group)

    def __str__(self) -> str:
        return "\n".join(
            f"horizon {run.manifest['horizon']}: {run.manifest['model']}, {self.by} {_shown(score(run, self.by))}, {run.path}"
            for run in self.runs
        )

    def _repr_html_(self) -> str:
        return "".join(self._group_html(horizon, group) for horizon, group in self.groups.items())

    def _group_html(self, horizon: int, group: Sequence[FinishedRun]) -> str:
        best = group[0]
        rows = [
            [*score_row(run.manifest["model"], run.evaluation), run.manifest["seed"], run.path.name] for run in group
        ]
        rows += [[*row, None, None] for row in baseline_rows(best.evaluation)]
        title = f"Horizon {horizon}, part {best.evaluation['part']}, by {self.by}"
        verdict = f"{best.manifest['model']}: {best.evaluation['verdict']['words']}"
        return (
            html_table(title, (*SCORE_HEADER, "seed", "run"), rows)
            + html_paragraph(verdict)
            + self._spread_html(seed_spreads(group))
        )

    def _spread_html(self, spreads: Sequence[SeedSpread]) -> str:
        if not spreads:
            return ""
        return html_table(SPREAD_TITLE, *spread_table(spreads, self.by)) + html_paragraph(SPREAD_NOTE)


def leaderboard(*runs: str | Path | RunResult, by: str = "sharpe_ratio", experiment: str | None = None) -> Leaderboard:
    """The leaderboard of runs, run folders or folders of runs; without any, of `experiments/runs`.

    Raises InputMissingError (66) where there is no finished run, DataError (65) for runs scored on different rows,
    UsageError (2) for an unknown score.
    """
    paths = [run.path if isinstance(run, RunResult) else Path(run) for run in runs] or [DEFAULT_RUNS]
    groups = comparable_groups(find_runs(paths, experiment=experiment))
    return Leaderboard({horizon: tuple(ranked(group, by)) for horizon, group in groups.items()}, by)


def find_runs(paths: Sequence[Path], *, experiment: str | None = None) -> list[FinishedRun]:
    """Finished runs among run folders and folders of runs, oldest first; unfinished ones are passed over.

    Raises InputMissingError (66) when there is none.
    """
    folders = [folder for path in paths for folder in _run_folders(path)]
    runs = [FinishedRun.read(folder) for folder in sorted(set(folders), key=lambda folder: folder.name)]
    chosen = [run for run in runs if experiment in (None, run.manifest["experiment_name"])]
    if not chosen:
        where = ", ".join(map(str, paths))
        raise InputMissingError(f"no finished run in {where}.", where=where, help="ohlcv-factory train … makes one")
    return sorted(chosen, key=lambda run: run.evaluation["timestamp"])


def by_symbols(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """Runs on the same symbols together: those of one symbol each and those of all are never on the same rows."""
    groups: dict[tuple[str, ...], list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault(tuple(run.manifest["symbols"]), []).append(run)
    return list(groups.values())


def comparable_groups(runs: Sequence[FinishedRun]) -> dict[int, list[FinishedRun]]:
    """Runs by horizon, judged together. Raises DataError (65) when two runs were scored on different rows."""
    digests = {run.manifest["row_digest"]: run for run in runs}
    if len(digests) > 1:
        names = ", ".join(run.path.name for run in digests.values())
        raise DataError(
            f"these runs were scored on different rows, so their scores cannot be compared: {names}.",
            help="compare runs of one dataset, or give --experiment",
        )
    groups: dict[int, list[FinishedRun]] = {}
    for run in judged_together(runs):
        groups.setdefault(run.manifest["horizon"], []).append(run)
    return dict(sorted(groups.items()))


def judged_together(runs: Sequence[FinishedRun], *, tried: int = 0) -> list[FinishedRun]:
    """The runs with the verdict that the trials behind all of them allow; their folders stay as they are.

    Whoever compares runs picks the best of them, so none is judged by fewer trials than the last of them was, nor by fewer
    than are compared, nor than `tried`. Runs of the first version keep their verdict.
    """
    told = [run.evaluation["trials"] for run in runs if "trials" in run.evaluation]
    if not told:
        return list(runs)
    ratios = {
        (run.manifest["model"], _settings(run), run.manifest["seed"]): scaled_ratio(run.evaluation["trading"])
        for run in runs
    }
    seen = Trials.of(max(len(ratios), tried), [ratio for ratio in ratios.values() if ratio is not None])
    recorded = Trials.stored(max(told, key=lambda each: int(each["known"])))
    best_known = recorded if recorded.known >= seen.known else seen
    trials = replace(best_known, count=max(seen.count, *(each["count"] for each in told)))
    return [replace(run, evaluation=judged(run.evaluation, trials)) for run in runs]


def ranked(runs: Sequence[FinishedRun], by: str = "sharpe_ratio") -> list[FinishedRun]:
    """Runs of one horizon, best first by one score; undefined scores come last. Raises UsageError (2)."""
    sign = 1.0 if by in LOWER_IS_BETTER else -1.0
    return sorted(runs, key=lambda run: (score(run, by) is None, sign * (score(run, by) or 0.0), run.path.name))


def seed_spreads(group: Sequence[FinishedRun]) -> tuple[SeedSpread, ...]:
    """The models of one horizon that were trained with several seeds and else the same settings on the same data."""
    newest = {
        (run.manifest["model"], _settings(run), run.manifest["seed"]): run for run in sorted(group, key=_finished)
    }
    alike = groupby(sorted(newest), key=lambda key: key[:2])
    found = (SeedSpread(model, tuple(newest[key] for key in keys)) for (model, _), keys in alike)
    return tuple(spread for spread in found if len(spread.runs) > 1)


def spread_table(spreads: Sequence[SeedSpread], by: str = "sharpe_ratio") -> tuple[tuple[str, ...], list[list[Any]]]:
    """Header and rows for people: model, seeds, and `mean ± standard deviation` of each score."""
    names = {**SPREAD_SCORES, **({} if by in SPREAD_SCORES else {by: by})}
    rows = [[spread.model, len(spread.seeds), *(_mean_text(spread.of(name)) for name in names)] for spread in spreads]
    return ("name", "seeds", *names.values()), rows


def score(run: FinishedRun, name: str) -> float | None:
    """One number of a run's classification or trading block."""
    for block in ("trading", "classification"):
        if name in run.evaluation[block]:
            value = run.evaluation[block][name]
            if value is None or isinstance(value, int | float):
                return value
    raise UsageError(f"unknown score {name!r}.", help="for example: sharpe_ratio, macro_f1, log_loss")


def _run_folders(path: Path) -> list[Path]:
    if (path / MANIFEST).is_file():
        return [path]
    if not path.is_dir():
        raise InputMissingError(f"{path} does not exist.", where=str(path), help="a run folder, or a folder of runs")
    return [folder for folder in path.iterdir() if (folder / MANIFEST).is_file()]


def _finished(run: FinishedRun) -> tuple[str, str]:
    """When a run ended: to the second, then to the microsecond (runs of older versions have no such time)."""
    return str(run.evaluation["timestamp"]), str(read_json(run.path / STATE)["updated"])


def _settings(run: FinishedRun) -> str:
    """Everything that a run was trained with except its seed, as text; of the data its fingerprint."""
    values = read_yaml(run.path / "config" / "training_config.yaml").values
    kept = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
    return json.dumps([run.manifest["data_fingerprint"], kept], sort_keys=True)


def _mean_text(spread: Mapping[str, float] | None) -> str:
    return f"{spread['mean']:.3f} ± {spread['standard_deviation']:.3f}" if spread else "undefined"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
