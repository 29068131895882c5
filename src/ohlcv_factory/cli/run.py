"""`run`: raw bar files to a report in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit

DEFAULT_MODELS = "logistic,random_forest,svm,lightgbm,xgboost,catboost"


@options.with_reading
@options.with_flags(options.BUILD)
@options.with_flags(options.TRACKING, without=("run_name",), into="tracking")
def run(
    *,
    files: Annotated[list[str], typer.Argument(help="Bar files and folders of them; files of one symbol are joined.")],
    models: Annotated[str, typer.Option("--models", help="Model names, comma between.")] = DEFAULT_MODELS,
    horizons: Annotated[str, typer.Option("--horizons", help="Label horizons in bars, comma between.")] = "20",
    out: Annotated[
        Path, typer.Option("--out", help="Folder for dataset, runs and report; must be new or empty.")
    ] = Path("experiments"),
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
    keys: dict[str, Any],
    tracking: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Build a dataset, train every model at every horizon, compare, write one report, predict the newest bar.

    `--config` and `--set` take the keys of `data build`.
    """
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    from ohlcv_factory.cli.pipeline import Plan, run_everything
    from ohlcv_factory.cli.recipes import BuildRecipe, read_recipe
    from ohlcv_factory.training.tracking.settings import ExperimentConfig

    flags = {
        "sources": files,
        "out": out / "dataset",
        "horizons": options.integers(horizons, "--horizons"),
        **keys,
        **reading,
    }
    recipe, _ = read_recipe(BuildRecipe, config, overrides, flags)
    names = tuple(name.strip() for name in models.split(","))
    experiment = ExperimentConfig.of_flags(tracking)
    outcome = run_everything(Plan(recipe, names, out, seed, experiment), say=not as_json)
    emit(outcome.values, outcome.text, as_json)
