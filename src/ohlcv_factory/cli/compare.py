"""`compare`: runs side by side with their baselines."""

from __future__ import annotations

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
    emit(values, "\n\n".join(horizon_text(*item) for groups in ordered for item in groups.items()), as_json)


def leaderboard_values(groups: dict[int, list[FinishedRun]]) -> list[dict[str, Any]]:
    """JSON rows, one per run."""
    return [
        {"run": str(run.path), "symbols": run.manifest["symbols"], "horizon": horizon, **run.evaluation}
        for horizon, group in groups.items()
        for run in group
    ]


def horizon_text(horizon: int, runs: list[FinishedRun]) -> str:
    """One horizon's table: runs best first, then the baselines of the best run."""
    from ohlcv_factory.evaluation.score_table import SCORE_HEADER, baseline_rows, score_row

    rows = [[*score_row(run.manifest["model"], run.evaluation), thresholds_text(run), run.path.name] for run in runs]
    rows += [[*row, "-", "-"] for row in baseline_rows(runs[0].evaluation)]
    text = table((*SCORE_HEADER, "thresholds", "run"), rows)
    best = runs[0]
    verdict = f"{best.manifest['model']}: {best.evaluation['verdict']['words']}"
    title = f"{', '.join(best.manifest['symbols'])}, horizon {horizon}, part {best.evaluation['part']}"
    return f"{title}\n{text}\n{verdict}"


def thresholds_text(run: FinishedRun) -> str:
    """Which of the specification's thresholds a run reached: `F1 yes, Sharpe no`."""
    facts = run.evaluation["thresholds"]
    return ", ".join(f"{name} {'yes' if fact['passed'] else 'no'}" for name, fact in facts.items())
