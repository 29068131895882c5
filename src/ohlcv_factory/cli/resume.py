"""`resume`: complete a run that was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, say
from ohlcv_factory.errors import StorageError
from ohlcv_factory.storage.experiments import BARRIER_RECIPE, STUDY_RECIPE, TRAINING_RECIPE, TUNING_RECIPE
from ohlcv_factory.storage.locks import refuse_held

if TYPE_CHECKING:
    from ohlcv_factory.studies.barrier_tuning import BarrierTuning
    from ohlcv_factory.studies.cross_validation import CrossValidation
    from ohlcv_factory.studies.ensembling import EnsembleTrainer
    from ohlcv_factory.studies.tuning import Tuning
    from ohlcv_factory.training.trainer import Trainer


def resume(
    run: Annotated[Path, typer.Argument(help="Run or study folder.")],
    dataset: Annotated[Path | None, typer.Option("--dataset", help="Dataset folder, where it has moved.")] = None,
    plugins: options.Plugins = None,
    fork: Annotated[
        bool, typer.Option("--fork", help="Of a run: train a new one beside it, from the settings and data of now.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Complete a run or study that was killed, interrupted or has failed, in its own folder and from its own settings.

    Networks and boosting models continue from their newest whole checkpoint, other models train again; the bytes are those
    of an uninterrupted run. Of a cross-validation or an ensemble the finished folds stay and the others are fitted; a
    search goes on to the same trials.
    """
    if run.is_dir():
        refuse_held(run, "this run")  # before anything heavy is loaded
    from ohlcv_factory.runtime.threads import set_threads
    from ohlcv_factory.storage.manifests import refuse_strange

    set_threads()
    if run.is_dir():
        refuse_strange(run)
    if fork:
        _refuse_to_fork_a_study(run)
    if (run / STUDY_RECIPE).is_file():
        from ohlcv_factory.cli.cv import resume_cv

        return resume_cv(run, dataset, plugins, as_json)
    if (run / TUNING_RECIPE).is_file():
        from ohlcv_factory.cli.tune import resume_tune

        return resume_tune(run, dataset, plugins, as_json)
    if (run / BARRIER_RECIPE).is_file():
        from ohlcv_factory.cli.tune_barriers import resume_barriers

        return resume_barriers(run, dataset, plugins, as_json)
    if is_ensemble(run):
        from ohlcv_factory.cli.ensemble import resume_ensemble

        return resume_ensemble(run, dataset, plugins, as_json)
    return _resume_training(run, dataset, plugins, fork, as_json)


def _resume_training(run: Path, dataset: Path | None, plugins: list[str] | None, fork: bool, as_json: bool) -> None:
    """Complete the run of one model, or with `fork` train it anew beside it."""
    from ohlcv_factory.cli.recipes import read_train_recipe
    from ohlcv_factory.cli.train import result_text, result_values
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.runtime.threads import set_threads
    from ohlcv_factory.training.bundle import require_model
    from ohlcv_factory.training.resumption import unfinished_attempt
    from ohlcv_factory.training.trial import refuse_harmful_checkpoints

    unfinished_attempt(run)
    refuse_harmful_checkpoints(run)
    load_plugins(plugins or ())
    require_model(run)
    named = {"dataset": dataset, "plugins": plugins or []}  # never those of the run's file: they are code
    recipe, _, _ = read_train_recipe(run / TRAINING_RECIPE, None, named)
    set_threads(recipe.threads)
    if recipe.dataset is None:
        raise UsageError("the run was trained in memory.", where=str(run), help="give --dataset DIR")

    from ohlcv_factory.dataset.container import TimeSeriesDataContainer
    from ohlcv_factory.training.trainer import Trainer

    trainer = Trainer(recipe.trainer_config())
    container = TimeSeriesDataContainer.from_dataset(recipe.dataset, recipe.horizon, symbol=recipe.symbol)
    if fork:
        say(f"{run.name} stays as it is: a new run begins")
    elif not trainer.model.resumable:
        say(f"{recipe.model_name} cannot continue from a checkpoint: it trains again from the start")
    with told_how_to_resume(trainer):
        result = trainer.run(container) if fork else trainer.resume(run, container)
    emit(result_values(result), result_text(result), as_json)


def _refuse_to_fork_a_study(run: Path) -> None:
    """Raise UsageError (2) for what is not the run of one model."""
    from ohlcv_factory.errors import UsageError

    if any((run / recipe).is_file() for recipe in (STUDY_RECIPE, TUNING_RECIPE, BARRIER_RECIPE)) or is_ensemble(run):
        raise UsageError(
            "--fork is for the run of one model.", where=str(run), help="begin a new study with the settings of now"
        )


def is_ensemble(run: Path) -> bool:
    """Whether a run's recipe is that of an ensemble."""
    from ohlcv_factory.storage.formats import read_settings

    recipe = run / TRAINING_RECIPE
    return recipe.is_file() and "members" in read_settings(recipe)


@contextmanager
def told_how_to_resume(
    work: Trainer | CrossValidation | EnsembleTrainer | Tuning | BarrierTuning,
) -> Iterator[None]:
    """When a signal or the disk ends the work, print the command that continues it."""
    try:
        yield
    except KeyboardInterrupt:
        if work.folder is not None:
            say(f"continue with: ohlcv-factory resume {work.folder}")
        raise
    except OSError as error:
        if work.folder is not None and getattr(error, "exit_code", StorageError.exit_code) == StorageError.exit_code:
            say(f"checkpoints and all that is finished are kept: ohlcv-factory resume {work.folder}")
        raise
