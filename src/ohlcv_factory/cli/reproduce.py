"""`reproduce`: train a run again from its own settings and say whether it comes out the same."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit
from ohlcv_factory.cli.runs import Run

if TYPE_CHECKING:
    from ohlcv_factory.cli.recipes import EnsembleRecipe, TrainRecipe
    from ohlcv_factory.studies.ensembling import EnsembleTrainer
    from ohlcv_factory.studies.reproduction import Reproduction
    from ohlcv_factory.training.trainer import Trainer

EXIT_DIFFERS = 1


def reproduce(
    run: Run,
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Dataset folder, where it has moved.")] = None,
    plugins: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a finished run again, compare its val probabilities byte by byte; exit code 1 where they differ.

    Refused, with the names, where settings or data are not those of the run. Other packages, threads or code are named;
    the bytes may then differ within 1e-5.
    """
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.threads import set_threads

    set_threads()
    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.studies import reproduction
    from ohlcv_factory.studies.run_folders import find_run
    from ohlcv_factory.training.bundle import require_model
    from ohlcv_factory.training.run_manifest import read_run_manifest, require_kind
    from ohlcv_factory.training.trial import open_run

    folder = find_run(run)
    require_kind(folder, read_run_manifest(folder))
    load_plugins(plugins or ())
    threads = open_run(folder)["threads"]
    require_model(folder)
    recipe = _recipe(folder, dataset, plugins or [])
    set_threads(recipe.threads or threads)
    if recipe.dataset is None:
        raise UsageError("the run was trained in memory.", where=str(folder), help="give --dataset DIR")
    container = TimeSeriesDataContainer.from_dataset(recipe.dataset, recipe.horizon, symbol=recipe.symbol)
    found = reproduction.reproduce(folder, _trainer(recipe), partial(_trainer, recipe), container)
    emit({"run": str(folder), **found.plain()}, reproduction_text(folder, found), as_json)
    if found.verdict == reproduction.DIFFERS:
        raise typer.Exit(EXIT_DIFFERS)


def reproduction_text(run: Path, found: Reproduction) -> str:
    """The verdict, and what is not as it was."""
    counted = (
        f"{found.differing_rows} of {found.rows} rows have other bits, at most {found.largest_difference:.1e} apart"
    )
    changed = "".join(f"\n  not as it was: {each}" for each in found.environment)
    return f"{run.name}: {found.verdict}\n  {counted}{changed}"


def _recipe(run: Path, dataset: Path | None, plugins: list[str]) -> TrainRecipe | EnsembleRecipe:
    from ohlcv_factory.cli.recipes import read_ensemble_recipe, read_train_recipe
    from ohlcv_factory.cli.resume import is_ensemble

    file = run / "config" / "training_config.yaml"
    named = {"dataset": dataset, "plugins": plugins}  # never those of the run's file: they are code
    return read_ensemble_recipe(file, None, named) if is_ensemble(run) else read_train_recipe(file, None, named)[0]


def _trainer(recipe: TrainRecipe | EnsembleRecipe, output_dir: Path | None = None) -> Trainer | EnsembleTrainer:
    """What trains by the recipe; in another folder of runs where one is given."""
    from ohlcv_factory.cli.recipes import EnsembleRecipe
    from ohlcv_factory.studies.ensembling import EnsembleTrainer
    from ohlcv_factory.training.trainer import Trainer

    place = {} if output_dir is None else {"output_dir": output_dir, "experiment": None}
    if isinstance(recipe, EnsembleRecipe):
        return EnsembleTrainer(recipe.ensemble_config().model_copy(update=place))
    return Trainer(recipe.trainer_config().model_copy(update=place))
