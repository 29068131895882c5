"""`train`: one model at one horizon on one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.trainer import RunResult, Trainer


@options.with_flags(options.FIT, options.TRACKING)
def train(
    context: typer.Context,
    model: Annotated[str | None, typer.Option("--model", help="Model name, see `models list`.")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    feature_sets: options.FeatureSets = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", help="Name of the run folder; default: model, horizon, time, a random part."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in a process of its own that outlives this terminal.")
    ] = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Train one model, score it on the val part beside the baselines, and leave a run folder."""
    from ohlcv_factory.cli.ensemble import run_ensemble
    from ohlcv_factory.cli.recipes import names_ensemble, placed, read_ensemble_recipe, read_train_recipe
    from ohlcv_factory.runtime.threads import set_threads

    flags = {"model_name": model, **keys}
    if names_ensemble(config, overrides, flags):
        _refuse_for_ensembles({"--run-id": run_id, "--detach": detach})
        return run_ensemble(read_ensemble_recipe(config, overrides, flags, None, feature_sets), dry_run, as_json)
    if run_id is not None:
        _refuse_path(run_id)
    recipe, _, layers = read_train_recipe(config, overrides, flags, feature_sets)
    set_threads(recipe.threads)
    dataset = options.required_dataset(recipe.dataset, "train")
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.trainer import Trainer

    options.refuse_inside(recipe.output_dir, dataset)
    trainer = Trainer(recipe.trainer_config())
    if detach:
        return _detach(context.obj, trainer, run_id, dry_run, as_json)
    with placed(layers, "horizon"):
        container = TimeSeriesDataContainer.from_dataset(dataset, recipe.horizon, symbol=recipe.symbol)
    if dry_run:
        return _show_plan(trainer, container, as_json)
    with told_how_to_resume(trainer):
        result = trainer.run(container, run_id=run_id)
    emit(result_values(result), result_text(result), as_json)


def _refuse_path(run_id: str) -> None:
    """Raise UsageError (2) for a name that is no plain folder name on every system."""
    from ohlcv_factory.errors import UsageError

    if not run_id or run_id.startswith(".") or any(sign in run_id for sign in '/\\:*?"<>|'):
        raise UsageError(
            f"--run-id is the name of a folder, got {run_id!r}.", where="--run-id", help="letters and digits"
        )


def _refuse_for_ensembles(given: dict[str, Any]) -> None:
    from ohlcv_factory.errors import UsageError

    for flag in [flag for flag, value in given.items() if value]:
        raise UsageError(f"{flag} is for a single model, not for an ensemble.", where=flag, help="leave it out")


def _detach(arguments: list[str], trainer: Trainer, run_id: str | None, dry_run: bool, as_json: bool) -> None:
    """Begin the training in a process of its own, and print where it is. Raises UsageError (2) with `--dry-run`."""
    from ohlcv_factory.cli.detach import begin_detached
    from ohlcv_factory.errors import UsageError

    if dry_run:
        raise UsageError("--dry-run does nothing that could be detached.", where="--detach", help="leave out one")
    begun = begin_detached(arguments, run_id or trainer.new_run_id(), trainer.config.output_dir)
    emit(begun, fact_lines(begun), as_json)


def _show_plan(trainer: Trainer, container: TimeSeriesDataContainer, as_json: bool) -> None:
    """Print rows, memory and estimated time of the training."""
    from ohlcv_factory.training.plan import run_plan

    plan = run_plan(trainer.config, container)
    emit(plan, fact_lines(plan), as_json)


def result_values(result: RunResult) -> dict[str, Any]:
    """What `--json` prints of a run."""
    from ohlcv_factory.cli.scores import run_values

    return {**run_values(result), "evaluation_metrics": result.evaluation}


def result_text(result: RunResult) -> str:
    """Where the run lies and its table of scores."""
    from ohlcv_factory.cli.scores import run_head, score_table

    return f"{run_head(result)}\n{score_table(result.evaluation)}\n\n{result.evaluation['verdict']['words']}"
