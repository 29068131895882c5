"""Tuning: the settings of a model searched on purged folds of the train part, and the best of them as a recipe.

Every trial is a cross-validation that keeps no model: what is fitted is fitted inside the fold, rows of val and test are in
no fold. The trials lie in a database that a killed study goes on from, to the same trials. The best of many looks better
than it is: the val part, which chose nothing here, says what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.progress import meter
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.experiments import TUNING_RECIPE
from ohlcv_factory.storage.formats import jsonable, write_json, write_settings
from ohlcv_factory.studies.fold_scores import plain_scores
from ohlcv_factory.studies.folds import TrainFolds, planned_folds
from ohlcv_factory.studies.search_study import (
    DATABASE_NAME,
    DECIDES_NOTHING,
    TRIALS_TABLE,
    WritePage,
    begun_attempts,
    begun_study,
    enter_search_trial,
    name_in_database,
    refuse_fewer_trials,
    refuse_kept,
    require_best,
    search_facts,
    shown_settings,
    trial_words,
    trials_frame,
)
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import TUNING, at_work, new_study_folder, write_study_manifest
from ohlcv_factory.studies.tuning_plots import plot_history, plot_importance
from ohlcv_factory.studies.tuning_settings import TuningConfig, folds_of, trials_of
from ohlcv_factory.studies.tuning_space import Dimension, Values, config_with, space_of
from ohlcv_factory.studies.tuning_storage import opened_storage, require_storage, storage_url
from ohlcv_factory.studies.tuning_trials import (
    OPTUNA,
    Goal,
    Trial,
    Tries,
    TryFold,
    ended_trials,
    search,
)
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.fitting import (
    fit_pipeline,
    input_columns,
    refuse_ensemble,
    refuse_other_horizon,
)
from ohlcv_factory.training.memory_estimate import refuse_too_large
from ohlcv_factory.training.resumption import refuse_other_start, unfinished_attempt
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.tracker import require_backend

BEST = "best.yaml"
METRICS = Path("metrics") / "tuning.json"
HISTORY, IMPORTANCE = Path("plots") / "history.png", Path("plots") / "importance.png"


@dataclass(frozen=True)
class TuningResult:
    """A finished search."""

    study_id: str
    path: Path
    trials: tuple[Trial, ...]
    """In the order in which they ended."""
    best: Trial
    config: TrainerConfig
    """The settings of the best trial: those of `best.yaml`."""
    metrics: dict[str, Any]
    """`metrics/tuning.json`."""

    def _repr_html_(self) -> str:
        """What a notebook shows: the best trials, and where the recipe lies."""
        shown = sorted(self.metrics["leaders"], key=lambda row: row["rank"])
        header = ("rank", "trial", "value", *self.best.values)
        rows = [(row["rank"], row["trial"], row["value"], *row["values"].values()) for row in shown]
        words = [self.metrics["words"], f"recipe: {self.path / BEST}"]
        title = f"{self.metrics['model_name']}, horizon {self.metrics['horizon']}: {self.metrics['goal']}"
        return html_table(title, header, rows) + "".join(map(html_paragraph, words))


def tune(
    config: TrainerConfig,
    container: TimeSeriesDataContainer,
    tuning: TuningConfig | None = None,
    cv: CrossValidationConfig | Splitter | None = None,
    *,
    folder: Path | None = None,
    write_page: WritePage | None = None,
    clock: Clock = system_clock,
) -> TuningResult:
    """Search the settings of a config's model on purged folds of the train part, and leave a study folder.

    `folder` names it; one that was begun with the same settings is continued. Raises UsageError (2) for settings that
    cannot be obeyed, DataError (65) where no trial finishes; the study's state then says FAILED and why.
    """
    return Tuning(config, tuning, cv, write_page=write_page, clock=clock).run(container, folder)


class Tuning:
    """A search over the settings of one model, which can be cut off and resumed."""

    def __init__(
        self,
        config: TrainerConfig,
        tuning: TuningConfig | None = None,
        cv: CrossValidationConfig | Splitter | None = None,
        *,
        write_page: WritePage | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.config, self.tuning = config, tuning or TuningConfig()
        self.write_page, self.clock = write_page, clock
        self.model = config.create_model()
        """An unfitted model with the settings that the search begins with."""
        refuse_ensemble(self.model)
        given = CrossValidationConfig.of(cv) if isinstance(cv, Splitter) else cv or CrossValidationConfig()
        self.cv = folds_of(given, self.model.family)
        self.goal = Goal(self.tuning.score, self.tuning.spread_penalty, self.tuning.pruner)
        self.trials = trials_of(self.tuning, self.model.family)
        self.space = space_of(config, self.tuning)
        self.folder: Path | None = None
        """The study folder, once there is one."""
        refuse_kept(self.cv)

    def plan(self, container: TimeSeriesDataContainer) -> TrainFolds:
        """The folds of the settings that the search begins with, with everything checked that can be without a fit.

        Raises UsageError (2), DataError (65) or ResourceError (70).
        """
        refuse_other_horizon(container, self.config.horizon)
        for name in _feature_sets(self.space):
            input_columns(config_with(self.config, {"feature_set": name}), self.model, container)
        return planned_folds(self.config, self.model, self.cv, container)

    def run(self, container: TimeSeriesDataContainer, folder: Path | None = None) -> TuningResult:
        """All trials in a new study folder, or in the one that is named, where what is there is continued."""
        self.plan(container)
        require_backend(self.config.experiment)
        require_storage(self.tuning.storage)
        if folder is None:
            return self._attempt(new_study_folder(TUNING, self.config, self.clock), container, 1)
        attempt = 1 + begun_attempts(folder, TUNING_RECIPE)
        self._refuse_other_start(folder, container)
        return self._attempt(folder, container, attempt)

    def resume(self, folder: Path, container: TimeSeriesDataContainer) -> TuningResult:
        """Complete a study that was cut off. Raises UsageError (2) for a finished one, or other settings or data."""
        attempt = 1 + unfinished_attempt(folder)
        self.plan(container)
        self._refuse_other_start(folder, container)
        return self._attempt(folder, container, attempt)

    def _refuse_other_start(self, folder: Path, container: TimeSeriesDataContainer) -> None:
        """Before anything of a study that was begun is touched."""
        if (folder / artifacts.START).is_file():
            refuse_other_start(folder, self._settings(container), container)
            refuse_fewer_trials(folder / TUNING_RECIPE, self.trials)

    def _attempt(self, folder: Path, container: TimeSeriesDataContainer, attempt: int) -> TuningResult:
        self.folder = folder
        with at_work(folder, self.clock, attempt, self.config.tracking) as log:
            log.write(f"{self.config.model_name} at horizon {self.config.horizon}, {self.goal}, attempt {attempt}")
            self._write_recipe(folder, container)
            with opened_storage(storage_url(self.tuning.storage, folder)) as storage:
                name = name_in_database(folder)
                study = begun_study(storage, name, folder, self.goal, self.space)
                artifacts.write_start(folder, self._settings(container), container, **{DATABASE_NAME: name})
                self._search(study, container, log)
                result = self._complete(folder, study, container)
            log.write(f"finished: {result.metrics['words']}")
            more = {"score": self.goal.score, OPTUNA: result.metrics[OPTUNA]}
            write_study_manifest(folder, TUNING, self.config, self.model, container, self.clock, more)
        return result

    def _settings(self, container: TimeSeriesDataContainer) -> dict[str, Any]:
        """All that decides a trial, by the names of the recipe."""
        trainer = artifacts.repeatable_config(self.config, self.model)
        shown = shown_settings(self.tuning)
        del shown["trials"]  # more of them change none of the earlier ones
        return {
            **{name: value for name, value in trainer.items() if name not in DECIDES_NOTHING},
            "symbol": container.symbol,
            "tune": shown,
            "cv": self.cv.plain(),
        }

    def _write_recipe(self, folder: Path, container: TimeSeriesDataContainer) -> None:
        """The recipe that repeats the study. A manifest of fewer trials is void from now on."""
        (folder / MANIFEST).unlink(missing_ok=True)
        recipe = {
            **self.config.plain(),
            **self._places(container),
            "tune": {**shown_settings(self.tuning), "trials": self.trials},
            "cv": self.cv.plain(),
        }
        write_settings(folder / TUNING_RECIPE, recipe)

    def _places(self, container: TimeSeriesDataContainer) -> dict[str, Any]:
        return {
            "dataset": container.origin,
            "symbol": container.symbol,
            "plugins": artifacts.plugin_files(self.model, container),
            "threads": self.model.threads,
        }

    def _search(self, study: Any, container: TimeSeriesDataContainer, log: artifacts.RunLog) -> None:
        done = len(ended_trials(study, self.space))
        seed, tries = self.config.random_seed, partial(self._tries, container)
        with meter(self.trials - done, "trials") as bar, log.listening():
            for trial in search(study, self.space, self.goal, self.trials, seed, tries):
                log.write(trial_words(trial))
                bar.update()

    def _tries(self, container: TimeSeriesDataContainer, number: int, values: Values) -> Tries:
        """The folds of one trial, which is entered into the ledger first, whatever comes of it."""
        self._enter_ledger(container, number, values)
        config = config_with(self.config, values).model_copy(update={"allow_missing_class": True})
        return Tries(fold_tries(config, container, self.cv))

    def _enter_ledger(self, container: TimeSeriesDataContainer, number: int, values: Values) -> None:
        """Under the digest of the run that the draw would make, so that training the best one is the same trial once more."""
        try:
            config = config_with(self.config, values)
            settings = artifacts.repeatable_config(config, config.create_model())
        except UsageError:  # values that contradict: no run has these settings
            settings = {**artifacts.repeatable_config(self.config, self.model), "drawn": jsonable(values)}
        folder = self.folder or Path()
        enter_search_trial(self.config, f"{folder.name}/trial_{number:03d}", settings, container, self.clock)

    def _complete(self, folder: Path, study: Any, container: TimeSeriesDataContainer) -> TuningResult:
        """The best settings as a recipe, the table, the numbers, the pictures and the page."""
        trials = ended_trials(study, self.space)
        best = require_best(trials, self.goal, folder)
        config = config_with(self.config, best.values)
        recipe = {**artifacts.repeatable_config(config, config.create_model()), **self._places(container)}
        write_settings(folder / BEST, recipe)
        atomic.write_with(folder / TRIALS_TABLE, trials_frame(trials, self.space).write_csv)
        metrics = self._metrics(study, trials, best)
        write_json(folder / METRICS, metrics)
        plot_history(folder / HISTORY, trials, self.goal)
        plot_importance(folder / IMPORTANCE, metrics["importance"])
        if self.write_page is not None:
            self.write_page(folder)
        return TuningResult(folder.name, folder, tuple(trials), best, config, metrics)

    def _metrics(self, study: Any, trials: Sequence[Trial], best: Trial) -> dict[str, Any]:
        """`metrics/tuning.json`: but for the cut-off trials the same for a study that was cut off and one that was not."""
        return {
            "model_name": self.config.model_name,
            "family": self.model.family,
            "horizon": self.config.horizon,
            "scheme": self.cv.scheme,
            "folds": self.cv.folds,
            **search_facts(study, trials, best, self.space, self.goal),
        }


def fold_tries(config: TrainerConfig, container: TimeSeriesDataContainer, cv: CrossValidationConfig) -> list[TryFold]:
    """One function per fold of the train part: it fits the config there and scores the rows that it never saw.

    Raises UsageError (2), DataError (65) or ResourceError (70) for what shows before a fit.
    """
    model = config.create_model()
    refuse_too_large(model, len(container), len(input_columns(config, model, container)))
    folds = TrainFolds.of(container, cv, model.lookback)

    def scores(number: int) -> dict[str, Any]:
        fold = folds.folds[number]
        part = folds.part(fold)
        predictions = fit_pipeline(config, part, kept=False).pipeline.predict(part, folds.tested(fold))
        return plain_scores(folds, fold, predictions)

    return [partial(scores, number) for number in range(len(folds.folds))]


def _feature_sets(space: Sequence[Dimension]) -> tuple[str, ...]:
    """The feature sets that may be drawn."""
    return next((each.range.choices or () for each in space if each.name == "feature_set"), ())
