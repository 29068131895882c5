"""`train`: one model at one horizon on one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.training.trainer import RunResult


@options.with_flags(options.FIT)
def train(
    model: Annotated[str | None, typer.Option("--model", help="Model name, see `models list`.")] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    feature_sets: options.FeatureSets = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Train one model, score it on the val part beside the baselines, and leave a run folder."""
    from ohlcv_factory.cli.ensemble import run_ensemble
    from ohlcv_factory.cli.recipes import names_ensemble, read_ensemble_recipe, read_train_recipe
    from ohlcv_factory.runtime.threads import set_threads

    flags = {"model_name": model, **keys}
    if names_ensemble(config, overrides, flags):
        return run_ensemble(read_ensemble_recipe(config, overrides, flags, None, feature_sets), dry_run, as_json)
    recipe, _, _ = read_train_recipe(config, overrides, flags, feature_sets)
    set_threads(recipe.threads)
    dataset = options.required_dataset(recipe.dataset, "train")
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.trainer import Trainer

    trainer = Trainer(recipe.trainer_config())
    container = TimeSeriesDataContainer.from_dataset(dataset, recipe.horizon, symbol=recipe.symbol)
    if dry_run:
        from ohlcv_factory.training.plan import run_plan

        plan = run_plan(recipe.trainer_config(), container)
        emit(plan, "\n".join(f"{name}: {value}" for name, value in plan.items()), as_json)
        return
    with told_how_to_resume(trainer):
        result = trainer.run(container)
    emit(result_values(result), result_text(result), as_json)


def result_values(result: RunResult) -> dict[str, Any]:
    """What `--json` prints of a run."""
    return {"run_id": result.run_id, "output_path": str(result.path), "evaluation_metrics": result.evaluation}


def result_text(result: RunResult) -> str:
    """Where the run lies and its table of scores."""
    from ohlcv_factory.cli.scores import score_table

    verdict = result.evaluation["verdict"]["words"]
    notes = "".join(f"  note: {note}\n" for note in result.notes)
    return f"run: {result.path}\n{notes}\n{score_table(result.evaluation)}\n\n{verdict}"
