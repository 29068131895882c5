"""`evaluate`: score a finished run on a part of its dataset; a look at the test part is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder; DIR/latest is the run of DIR that finished last.")],
    part: Annotated[
        str, typer.Option("--part", help="val or test; each look at test is counted in the ledger.")
    ] = "val",
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Dataset folder, where it has moved.")] = None,
    plugins: options.Plugins = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Predict and score one part again from the run's files, into addenda/NNN/ of the run folder."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.cli.scores import score_table
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.studies.run_folders import named_run
    from ohlcv_factory.training.evaluation import evaluate_run

    load_plugins(plugins or ())
    result = evaluate_run(named_run(run), part, dataset)
    looks = f"look {result.looks} at this test part\n" if part == "test" else ""
    text = (
        f"{looks}{score_table(result.evaluation)}\n\n{result.evaluation['verdict']['words']}\nwritten: {result.folder}"
    )
    values = {"written": str(result.folder), "test_looks": result.looks, "evaluation_metrics": result.evaluation}
    emit(values, text, as_json)
