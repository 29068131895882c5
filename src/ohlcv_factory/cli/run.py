"""`run`: raw bar files to a report in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit

DEFAULT_MODELS = "logistic,random_forest,svm,lightgbm,xgboost,catboost"


@options.with_reading
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
    bar_size: options.BarSize = None,
    embargo: options.Embargo = None,
    instruments: options.Instruments = None,
    plugins: options.Plugins = None,
    reading: dict[str, Any],
    track: options.Track = None,
    tracking_uri: options.TrackingUri = None,
    tags: options.Tags = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
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
        "bar_size": bar_size,
        "horizons": options.integers(horizons, "--horizons"),
        "embargo_days": options.embargo_days(embargo),
        "instruments": instruments,
        "plugins": plugins or None,
        **reading,
    }
    recipe, _ = read_recipe(BuildRecipe, config, overrides, flags)
    names = tuple(name.strip() for name in models.split(","))
    keys = options.tracking_keys(track, tracking_uri, tags)
    experiment = ExperimentConfig.of_flags(keys)
    outcome = run_everything(Plan(recipe, names, out, seed, experiment), say=not as_json)
    emit(outcome.values, outcome.text, as_json)
