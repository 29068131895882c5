"""`train`: one model at one horizon on one dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.training.trainer import RunResult


def train(
    model: Annotated[str | None, typer.Option("--model", help="Model name, see `models list`.")] = None,
    dataset: options.Dataset = None,
    symbol: options.OneSymbol = None,
    horizon: options.Horizon = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    feature_set: options.FeatureSet = None,
    feature_sets: options.FeatureSets = None,
    feature_selection: options.FeatureSelection = None,
    plugins: options.Plugins = None,
    weighting: options.WeightingKind = None,
    experiment: Annotated[str | None, typer.Option("--experiment", help="A name to find the run by.")] = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", help="Folder that the run folder is made in.")
    ] = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Train one model, score it on the val part beside the baselines, and leave a run folder."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.cli.ensemble import run_ensemble
    from ohlcv_factory.cli.recipes import names_ensemble, placed, read_ensemble_recipe, read_train_recipe
    from ohlcv_factory.errors import UsageError

    flags = {
        "model_name": model,
        "dataset": dataset,
        "symbol": symbol,
        "horizon": horizon,
        "feature_set": feature_set,
        "feature_selection": feature_selection,
        "plugins": plugins or None,
        "weighting": weighting,
        "experiment_name": experiment,
        "output_dir": output_dir,
        "random_seed": seed,
        "threads": threads,
    }
    if names_ensemble(config, overrides, flags):
        return run_ensemble(read_ensemble_recipe(config, overrides, flags, None, feature_sets), dry_run, as_json)
    recipe, _, layers = read_train_recipe(config, overrides, flags, feature_sets)
    set_threads(recipe.threads)
    if recipe.dataset is None:
        raise UsageError(
            "train needs a dataset.", where="--dataset", help="ohlcv-factory data build BARS.csv --out DIR"
        )

    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.trainer import Trainer

    options.refuse_inside(recipe.output_dir, recipe.dataset)
    trainer = Trainer(recipe.trainer_config())
    with placed(layers, "horizon"):
        container = TimeSeriesDataContainer.from_dataset(recipe.dataset, recipe.horizon, symbol=recipe.symbol)
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
