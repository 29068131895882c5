"""`compare`: runs side by side with their baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.studies.comparison import ComparedGroup
    from ohlcv_factory.studies.finished_runs import FinishedRun
    from ohlcv_factory.studies.leaderboard import Leaderboard


def compare(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, or folders of runs; of cv with --part oof.")
    ] = None,
    experiment: Annotated[str | None, typer.Option("--experiment", help="Only runs of this name.")] = None,
    by: Annotated[str, typer.Option("--by", help="Score to rank by, for example macro_f1.")] = "sharpe_ratio",
    part: Annotated[
        str,
        typer.Option(
            "--part", help="val; test, for runs that evaluate --part test has scored; oof, of cross-validations."
        ),
    ] = "val",
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the table to FILE.csv, FILE.html or FILE.md.")
    ] = None,
    seed: options.Seed = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank runs within each symbol and horizon, with intervals, paired differences from the best, and the baselines.

    Runs of one symbol and horizon must have been scored on the same rows. Nothing is scored anew: the test part is looked
    at by `evaluate`, which counts it.
    """
    from ohlcv_factory.reports.leaderboard_files import check_suffix, write_leaderboard
    from ohlcv_factory.studies.finished_runs import misfits_told
    from ohlcv_factory.studies.leaderboard import leaderboard

    if out is not None:
        check_suffix(out)
    with misfits_told(runs or ()):
        board = leaderboard(*(runs or ()), by=by, experiment=experiment, part=part, seed=seed or 0)
        written = "" if out is None else f"\n\nwritten: {write_leaderboard(board, out)}"
        values, text = leaderboard_values(board), leaderboard_text(board)
    emit(values, text + written, as_json)


def leaderboard_values(board: Leaderboard) -> list[dict[str, Any]]:
    """JSON rows, one per run, best first in each group; `seed_spread` where a model was trained with several seeds."""
    averages = board.average_ranks
    return [
        {**row, "average_rank": averages.get(row["model_name"])}
        for found in board.groups.values()
        for row in group_values(found)
    ]


def group_values(found: ComparedGroup) -> list[dict[str, Any]]:
    """The JSON rows of one group, best first; `group` is what is said of it as a whole."""
    from ohlcv_factory.studies.leaderboard import comparison_rows, seed_spreads

    spreads = {run.path: spread.facts() for spread in seed_spreads(found.runs) for run in spread.runs}
    facts = found.facts()
    return [
        {
            "run": str(run.path),
            "symbols": run.manifest["symbols"],
            "horizon": found.group.horizon,
            "seed": run.manifest["seed"],
            "seed_spread": spreads.get(run.path),
            "comparison": compared,
            "group": facts,
            **run.evaluation,
        }
        for run, compared in zip(found.runs, comparison_rows(found), strict=True)
    ]


def leaderboard_text(board: Leaderboard) -> str:
    """The tables of every group, over all groups the average ranks, and what the columns of ranks mean."""
    from ohlcv_factory.studies.leaderboard import AVERAGE_HEADER, AVERAGE_NOTE, RANK_LEGEND, average_rows

    rows = average_rows(board)
    averages = [f"over all groups, by {board.by}\n{table(AVERAGE_HEADER, rows)}\n{AVERAGE_NOTE}"] if rows else []
    return "\n\n".join([*map(group_text, board.groups.values()), *averages, RANK_LEGEND])


def group_text(found: ComparedGroup) -> str:
    """One group: scores best first, the baselines of the best run, ranks; below, verdicts and spread over seeds."""
    from ohlcv_factory.evaluation.score_table import SCORE_HEADER, SCORE_LEGEND, baseline_rows, score_row
    from ohlcv_factory.studies.leaderboard import RANK_HEADER, rank_rows

    runs, best = found.runs, found.runs[0]
    marks = [
        {"seed": run.manifest["seed"], **threshold_marks(run.evaluation["thresholds"]), "run": run.path.name}
        for run in runs
    ]
    rows = [
        [*score_row(run.manifest["model"], run.evaluation), *more.values()]
        for run, more in zip(runs, marks, strict=True)
    ]
    rows += [[*row, *([None] * len(marks[0]))] for row in baseline_rows(best.evaluation)]
    title = f"{found.group.words}, part {best.evaluation['part']}, best {found.by} first"
    title += f"; in brackets the baselines of {best.manifest['model']}"
    scores = f"{title}\n{table((*SCORE_HEADER, *marks[0]), rows)}\n{SCORE_LEGEND}"
    ranks = "\n".join([f"by {found.by}", table(RANK_HEADER, rank_rows(found)), *found.words])
    return f"{scores}\n\n{ranks}\n\n{verdicts_text(runs)}{spread_text(runs, found.by)}"


def threshold_marks(thresholds: dict[str, Any]) -> dict[str, bool | None]:
    """Which of the specification's thresholds a run passed, by heading; None where the score is undefined."""
    from ohlcv_factory.evaluation.score_table import threshold_heading

    return {threshold_heading(name, fact["threshold"]): fact["passed"] for name, fact in thresholds.items()}


def verdicts_text(runs: Sequence[FinishedRun]) -> str:
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


def spread_text(runs: Sequence[FinishedRun], by: str) -> str:
    """The table of models that were trained with several seeds; empty without one."""
    from ohlcv_factory.studies.leaderboard import SPREAD_NOTE, SPREAD_TITLE, seed_spreads, spread_table

    spreads = seed_spreads(runs)
    return f"\n\n{SPREAD_TITLE}\n{table(*spread_table(spreads, by))}\n{SPREAD_NOTE}" if spreads else ""
