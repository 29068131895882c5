"""`sync`: what trackers do not show of runs yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table


@options.with_flags(options.TRACKING, without=("track", "run_name"))
def sync(
    folders: Annotated[list[Path], typer.Argument(help="Run or study folders, or folders of them.")],
    track: Annotated[
        str | None, typer.Option("--track", help="Show them in mlflow, tensorboard or wandb, tracked before or not.")
    ] = None,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Deliver to MLflow, TensorBoard or Weights & Biases what they do not show yet: nothing twice, however often.

    Each run goes where it was tracked, or where the flags say. What cannot be delivered is named, and the first such
    error decides the exit code; the others are delivered all the same.
    """
    from ohlcv_factory.errors import told_again
    from ohlcv_factory.training.tracking.courier import deliver_all
    from ohlcv_factory.training.tracking.discovery import tracked_folders
    from ohlcv_factory.training.tracking.settings import ExperimentConfig
    from ohlcv_factory.training.tracking.tracker import require_backend

    experiment = ExperimentConfig.of_flags({"experiment.backend": track, **keys})
    require_backend(experiment)
    found = [run for folder in folders for run in tracked_folders(folder, untracked=experiment is not None)]
    answers = [{"folder": str(run), **told} for run, told in zip(found, deliver_all(found, experiment), strict=True)]
    failed = [told for told in answers if "what" in told]
    emit(answers, sync_text(answers), as_json)
    if failed and as_json:
        raise typer.Exit(failed[0]["exit_code"])
    if failed:
        raise told_again(failed[0])


def sync_text(answers: list[dict[str, Any]]) -> str:
    """A row per run: where it is shown, how it stands, and whether anything was missing there."""
    rows = [
        (
            Path(told["folder"]).name,
            told.get("backend", "-"),
            told.get("state", "-"),
            told.get("epochs"),
            told.get("what") or ("delivered" if told["changed"] else "nothing was missing"),
        )
        for told in answers
    ]
    return table(("run", "tracker", "state", "epochs", "outcome"), rows)
