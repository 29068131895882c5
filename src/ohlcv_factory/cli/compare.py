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
    """Rank runs of one dataset by horizon, baselines and the specification's thresholds beside them."""
    from ohlcv_factory.studies.leaderboard import comparable_groups, find_runs, ranked

    groups = comparable_groups(find_runs(runs or [Path("experiments/runs")], experiment=experiment))
    ordered = {horizon: ranked(group, by) for horizon, group in groups.items()}
    texts = (horizon_text(horizon, group, by) for horizon, group in ordered.items())
    emit(leaderboard_values(ordered), "\n\n".join(texts), as_json)


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
            "horizon": horizon,
            "seed": run.manifest["seed"],
            "seed_spread": spreads.get(run.path),
            **run.evaluation,
        }
        for run in runs
    ]


def horizon_text(horizon: int, runs: list[FinishedRun], by: str = "sharpe_ratio") -> str:
    """One horizon's table: runs best first, then the baselines of the best run; below, the spread over seeds."""
    from ohlcv_factory.evaluation.score_table import SCORE_HEADER, SCORE_LEGEND, baseline_rows, score_row

    rows = [
        [*score_row(run.manifest["model"], run.evaluation), thresholds_text(run), run.manifest["seed"], run.path.name]
        for run in runs
    ]
    rows += [[*row, "-", None, "-"] for row in baseline_rows(runs[0].evaluation)]
    text = table((*SCORE_HEADER, "thresholds", "seed", "run"), rows)
    best = runs[0]
    verdict = f"{best.manifest['model']}: {best.evaluation['verdict']['words']}"
    title = f"horizon {horizon}, part {best.evaluation['part']}"
    return f"{title}\n{text}\n{SCORE_LEGEND}\n\n{verdict}{spread_text(runs, by)}"


def spread_text(runs: list[FinishedRun], by: str) -> str:
    """The table of models that were trained with several seeds; empty without one."""
    from ohlcv_factory.studies.leaderboard import SPREAD_NOTE, SPREAD_TITLE, seed_spreads, spread_table

    spreads = seed_spreads(runs)
    return f"\n\n{SPREAD_TITLE}\n{table(*spread_table(spreads, by))}\n{SPREAD_NOTE}" if spreads else ""


def thresholds_text(run: FinishedRun) -> str:
    """Which of the specification's thresholds a run reached: `F1 yes, Sharpe no`."""
    facts = run.evaluation["thresholds"]
    return ", ".join(f"{name} {'yes' if fact['passed'] else 'no'}" for name, fact in facts.items())
