"""`report`: one HTML page of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit


def report(
    runs: Annotated[list[Path] | None, typer.Argument(help="Run folders, or folders of runs.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The HTML file.")] = Path("experiments/report.html"),
    experiment: Annotated[str | None, typer.Option("--experiment", help="Only runs of this name.")] = None,
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Dataset folder, where it has moved.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Write one self-contained HTML page: question, data, leaderboard, curves, explanation, verdict."""
    from ohlcv_factory.reports.run_report import write_run_report
    from ohlcv_factory.studies.finished_runs import find_runs, misfits_told

    places = runs or [Path("experiments/runs")]
    with misfits_told(places):
        path = write_run_report(find_runs(places, experiment=experiment), out, dataset=dataset)
    emit({"report": str(path)}, f"report: {path}", as_json)
