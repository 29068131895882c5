"""`ensemble`: models of any families, and one that learns from their out-of-fold answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, table
from ohlcv_factory.cli.resume import told_how_to_resume

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import EnsembleRecipe
    from ohlcv_factory.studies.ensembling import EnsembleResult, EnsembleTrainer


@options.with_flags(
    options.FIT, options.FOLDS, options.TRACKING, without=("feature_set", "feature_selection", "scheme")
)
def ensemble(
    method: Annotated[str | None, typer.Option("--method", help="voting, stacking or blending.")] = None,
    members: Annotated[
        str | None, typer.Option("--members", help="Models by name, of any families: lightgbm,lstm,patchtst,logistic")
    ] = None,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    final: Annotated[
        str | None,
        typer.Option("--final", help="refit (each member on the train part) or average_folds (its fold models)."),
    ] = None,
    choose: Annotated[
        str | None, typer.Option("--choose", help="Members that the head reads: all, or greedy by log-loss.")
    ] = None,
    feature_sets: options.FeatureSets = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    *,
    keys: dict[str, Any],
) -> None:
    """Predict the train part out of fold by every member, fit an ensemble on that, and score it beside its members on val.

    The run folder is one like any other, and says whether the ensemble beats the plain average and its best member.
    """
    from ohlcv_factory.cli.recipes import read_ensemble_recipe

    flags = {"model_name": method, **keys, "final": final, "choose": choose}
    named = [name.strip() for name in members.split(",")] if members else None
    run_ensemble(read_ensemble_recipe(config, overrides, flags, named, feature_sets), dry_run, as_json)


def run_ensemble(recipe: EnsembleRecipe, dry_run: bool, as_json: bool) -> None:
    """Train what a recipe says, or show what that would be."""
    trainer, container = _opened(recipe)
    if dry_run:
        plan = trainer.outlook(container)
        emit(plan, fact_lines(plan), as_json)
        return
    with told_how_to_resume(trainer):
        result = trainer.run(container)
    emit(result_values(result), result_text(result), as_json)


def resume_ensemble(run: Path, dataset: Path | None, plugins: list[str] | None, as_json: bool) -> None:
    """Complete an ensemble that was cut off: folds and members that are whole stay, the others are fitted."""
    from ohlcv_factory.cli.recipes import read_ensemble_recipe

    named = {"dataset": dataset, "plugins": plugins or []}  # never those of the run's file: they are code
    trainer, container = _opened(read_ensemble_recipe(run / "config" / "training_config.yaml", None, named))
    with told_how_to_resume(trainer):
        result = trainer.resume(run, container)
    emit(result_values(result), result_text(result), as_json)


def result_values(result: EnsembleResult) -> dict[str, Any]:
    """What `--json` prints of an ensemble."""
    from ohlcv_factory.cli.scores import run_values

    return {**run_values(result), "ensemble": result.ensemble, "evaluation_metrics": result.evaluation}


def result_text(result: EnsembleResult) -> str:
    """Where the run lies, how its members differ, what won on val, and its table of scores."""
    from ohlcv_factory.cli.scores import run_head, score_table

    facts, comparison = result.ensemble, result.ensemble["comparison"]
    out_of_fold = facts["out_of_fold"]["log_loss"]
    rows = [(name, out_of_fold.get(name), loss) for name, loss in comparison["log_loss"].items()]
    losses = table(("log-loss", "out of fold", "val"), rows)
    pairs = table(
        ("first", "second", "disagreement", "correlation", "double fault"),
        [tuple(pair.values()) for pair in facts["out_of_fold"]["diversity"]],
    )
    verdict = f"{comparison['words']}\n{result.evaluation['verdict']['words']}"
    return f"{run_head(result)}\n{pairs}\n\n{losses}\n\n{score_table(result.evaluation)}\n\n{verdict}"


def _opened(recipe: EnsembleRecipe) -> tuple[EnsembleTrainer, Any]:
    """The ensemble of a recipe, and its data."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(recipe.threads)
    dataset = options.required_dataset(recipe.dataset, "ensemble")
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.studies.ensembling import EnsembleTrainer

    trainer = EnsembleTrainer(recipe.ensemble_config())
    return trainer, TimeSeriesDataContainer.from_dataset(dataset, recipe.horizon, symbol=recipe.symbol)
