"""`compare`: runs side by side with their baselines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.studies.leaderboard import FinishedRun


def compare(
    runs: Annotated[list[Path] | None, typer.Argument(help="Run folders, or folders of runs.")] = None,
    experiment: Annotated[str | None, typer.Option("--experiment", help="Only runs of this name.")] = None,
    by: Annotated[str, typer.Option("--by", help="Score to rank by, for example macro_f1.")] = "sharpe_ratio",
    as_json: options.AsJson = False,
) -> None:
    """Rank runs of one dataset by symbol and horizon, baselines and the specification's thresholds beside them."""
    from ohlcv_factory.studies.leaderboard import by_symbols, comparable_groups, find_runs, ranked

    found = by_symbols(find_runs(runs or [Path("experiments/runs")], experiment=experiment))
    ordered = [{horizon: ranked(group, by) for horizon, group in comparable_groups(same).items()} for same in found]
    values = [row for groups in ordered for row in leaderboard_values(groups)]
    texts = (horizon_text(horizon, group, by) for groups in ordered for horizon, group in groups.items())
    emit(values, "\n\n".join(texts), as_json)


def leaderboard_values(groups: dict[int, list[FinishedRun]]) -> list[dict[str, Any]]:
    """JSON rows, one per run; `seed_spread` where the same settings were trained with several seeds."""
    return [row for horizon, group in groups.items() for row in horizon_values(horizon, group)]


def horizon_values(horizon: int, runs: list[FinishedRun]) -> list[dict[str, Any]]:
    """The JSON rows of one horizon, best first."""
    from ohlcv_factory.studies.leaderboard import seed_spreads

    spreads = {run.path: spread.facts() for spread in seed_spreads(runs) for run in spread.runs}
    return [
        {
            "run": str(run.path),
            "symbols": run.manifest["symbols"],
            "horizon": horizon,
            "seed": run.manifest["seed"],
            "seed_spread": spreads.get(run.path),
            **run.evaluation,
        }
        for run in runs
    ]


def horizon_text(horizon: int, runs: list[FinishedRun], by: str = "sharpe_ratio") -> str:
    """One horizon's table: runs best first, then the baselines of the best run; below, verdicts and spread over seeds."""
    from ohlcv_factory.evaluation.score_table import SCORE_HEADER, SCORE_LEGEND, baseline_rows, score_row

    best = runs[0]
    marks = [
        {"seed": run.manifest["seed"], **threshold_marks(run.evaluation["thresholds"]), "run": run.path.name}
        for run in runs
    ]
    rows = [
        [*score_row(run.manifest["model"], run.evaluation), *more.values()]
        for run, more in zip(runs, marks, strict=True)
    ]
    rows += [[*row, *([None] * len(marks[0]))] for row in baseline_rows(best.evaluation)]
    title = f"{', '.join(best.manifest['symbols'])}, horizon {horizon}, part {best.evaluation['part']}, best {by} first"
    title += f"; in brackets the baselines of {best.manifest['model']}"
    text = table((*SCORE_HEADER, *marks[0]), rows)
    return f"{title}\n{text}\n{SCORE_LEGEND}\n\n{verdicts_text(runs)}{spread_text(runs, by)}"


def threshold_marks(thresholds: dict[str, Any]) -> dict[str, bool | None]:
    """Which of the specification's thresholds a run passed, by heading; None where the score is undefined."""
    from ohlcv_factory.evaluation.score_table import threshold_heading

    return {threshold_heading(name, fact["threshold"]): fact["passed"] for name, fact in thresholds.items()}


def verdicts_text(runs: list[FinishedRun]) -> str:
    """How many runs have which verdict, and the words of every edge, else of the best run."""
    counts = Counter(run.evaluation["verdict"]["code"] for run in runs)
    edges = [run for run in runs if run.evaluation["verdict"]["code"] == "edge"]
    counted = ", ".join(f"{code} in {count}" for code, count in counts.most_common())
    words = [f"{run.manifest['model']}: {run.evaluation['verdict']['words']}" for run in edges or runs[:1]]
    lines = [f"verdicts of {len(runs)} runs: {counted}", *words] if len(runs) > 1 else words
    return "\n".join([*lines, *trials_line(runs[0].evaluation)])


def trials_line(evaluation: dict[str, Any]) -> list[str]:
    """What was tried behind the verdicts, as one line; none for runs of the first version."""
    if "trials" not in evaluation:
        return []
    trials = evaluation["trials"]
    return [f"trials on this data: {trials['count']:,}, of which {trials['known']:,} have a known Sharpe ratio"]


def spread_text(runs: list[FinishedRun], by: str) -> str:
    """The table of models that were trained with several seeds; empty without one."""
    from ohlcv_factory.studies.leaderboard import SPREAD_NOTE, SPREAD_TITLE, seed_spreads, spread_table

    spreads = seed_spreads(runs)
    return f"\n\n{SPREAD_TITLE}\n{table(*spread_table(spreads, by))}\n{SPREAD_NOTE}" if spreads else ""
