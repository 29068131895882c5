"""Tuning: the settings of a model searched on purged folds of the train part, and the best of them as a recipe.

Every trial is a cross-validation that keeps no model: what is fitted is fitted inside the fold, rows of val and test are in
no fold. The trials lie in a database that a killed study goes on from, to the same trials. The best of many looks better
than it is: the val part, which chose nothing here, says what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, InputMissingError, OutputError, UsageError
from ohlcv_factory.runtime.clock import Clock, system_clock
from ohlcv_factory.runtime.display import html_paragraph, html_table
from ohlcv_factory.runtime.progress import meter
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.experiments import TUNING_RECIPE
from ohlcv_factory.storage.formats import jsonable, read_json, read_settings, write_json, write_settings
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.studies.fold_scores import plain_scores
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import TUNING, at_work, new_study_folder, write_study_manifest
from ohlcv_factory.studies.tuning_plots import parameter_importance, plot_history, plot_importance
from ohlcv_factory.studies.tuning_settings import SearchConfig, TuningConfig, folds_of, trials_of
from ohlcv_factory.studies.tuning_space import Dimension, Values, choice_label, config_with, space_of
from ohlcv_factory.studies.tuning_storage import DATABASE, opened_storage, require_storage, shown_url, storage_url
from ohlcv_factory.studies.tuning_trials import (
    OPTUNA,
    Goal,
    Trial,
    Tries,
    TryFold,
    best_trial,
    cut_off_count,
    ended_trials,
    opened_study,
    repeats,
    search,
)
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import MANIFEST
from ohlcv_factory.training.fitting import fit_pipeline, input_columns, refuse_ensemble, refuse_missing_class
from ohlcv_factory.training.memory_estimate import refuse_too_large
from ohlcv_factory.training.resumption import refuse_other_start, unfinished_attempt
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.tracking.tracker import require_backend
from ohlcv_factory.training.trials import trial_of

BEST, TRIALS_TABLE = "best.yaml", "trials.csv"
METRICS = Path("metrics") / "tuning.json"
HISTORY, IMPORTANCE = Path("plots") / "history.png", Path("plots") / "importance.png"
DECIDES_NOTHING = ("output_dir", "experiment_name")
DATABASE_NAME = "name_in_database"
"""Key of `start.json`: a folder that was renamed or moved goes on with the trials that it began with."""

WritePage = Callable[[Path], object]
"""Writes a page about the study into its folder, before the manifest closes it (`reports.tuning_report`)."""


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
        if container.horizon != self.config.horizon:
            raise UsageError(
                f"the config asks for horizon {self.config.horizon}, the container holds {container.horizon}.",
                help="give both the same horizon",
            )
        columns = input_columns(self.config, self.model, container)
        for name in _feature_sets(self.space):
            input_columns(config_with(self.config, {"feature_set": name}), self.model, container)
        refuse_missing_class(container, container.rows("train", scored=True), self.config)
        refuse_too_large(self.model, len(container), len(columns))
        return TrainFolds.of(container, self.cv, self.model.lookback)

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
                study = begun_study(storage, name, folder, self.goal)
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


def search_facts(
    study: Any, trials: Sequence[Trial], best: Trial, space: Sequence[Dimension], goal: Goal
) -> dict[str, Any]:
    """What is said of a search: goal, counts, best and leading trials, importance, JSON-ready."""
    states = [each.state for each in trials]
    ranked = sorted(
        (each for each in trials if each.value is not None), key=lambda each: -goal.sign * (each.value or 0.0)
    )
    return {
        "score": goal.score,
        "direction": goal.direction,
        "goal": str(goal),
        "space": [each.plain() for each in space],
        "trials": {name: states.count(name) for name in ("finished", "pruned", "failed")},
        "cut_off": cut_off_count(study),
        "repeats": {str(number): earlier for number, earlier in repeats(trials).items()},
        "failures": {str(each.number): each.reason for each in trials if each.state == "failed"},
        "best": _told(best),
        "defaults": _told(trials[0]) if _begins_with_defaults(space) else None,
        "leaders": [{"rank": rank, **_told(each)} for rank, each in enumerate(ranked[:5], start=1)],
        "importance": parameter_importance(study),
        "words": _words(trials, best, goal, trials[0] if _begins_with_defaults(space) else None),
        OPTUNA: study.user_attrs[OPTUNA],
    }


def trials_frame(
    trials: Sequence[Trial], space: Sequence[Dimension], more: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """`trials.csv`: a row per trial, `more` in front; the same bytes whether or not the study was cut off."""
    same = repeats(trials)
    count = max((len(each.folds) for each in trials), default=0)
    rows = [
        {
            **(more or {}),
            "trial": each.number,
            "state": each.state,
            "value": each.value,
            **{f"fold_{at + 1}": each.folds[at] if at < len(each.folds) else None for at in range(count)},
            **{dimension.name: choice_label(each.values.get(dimension.name)) for dimension in space},
            **each.scores,
            **{f"penalty_{name}": cost for name, cost in each.penalties.items()},
            "same_as": same.get(each.number),
            "reason": each.reason,
            "notes": "; ".join(each.notes),
        }
        for each in trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


def trial_words(trial: Trial) -> str:
    """One line about a trial, for the log."""
    drawn = ", ".join(f"{name}={value}" for name, value in trial.values.items())
    result = f"{trial.value:.6g}" if trial.value is not None else trial.reason
    return f"trial {trial.number} {trial.state} in {trial.seconds:.1f} s: {result} ({drawn})"


def enter_search_trial(
    config: TrainerConfig,
    run_id: str,
    settings: Mapping[str, Any],
    container: TimeSeriesDataContainer,
    clock: Clock,
    *,
    data_digest: str | None = None,
) -> None:
    """One entry per trial: one that is done again after a cut was counted before.

    `data_digest` is that of the dataset which the search is about, where a trial labels its bars anew.
    """
    ledger = Ledger.in_folder(config.experiments_folder, clock)
    trial = trial_of(run_id, config, settings, container)
    if not ledger.knows("trial", run_id):
        ledger.record("trial", **trial | {"data_digest": data_digest or trial["data_digest"]})


def refuse_kept(cv: CrossValidationConfig) -> None:
    """Raise UsageError (2) for what a cross-validation keeps and a search does not."""
    for name in ("keep_models", "importance", "final"):
        if getattr(cv, name):
            raise UsageError(f"a search keeps no models, got {name}.", where=f"cv.{name}", help="cv of the best config")


def shown_settings(tuning: SearchConfig) -> dict[str, Any]:
    """The settings of a search as they may be written down: without the password of its database."""
    return {**tuning.plain(), "storage": tuning.storage and shown_url(tuning.storage)}


def begun_attempts(folder: Path, recipe: Path) -> int:
    """How many processes have worked on a named study folder: 0 for a new or empty one.

    Raises OutputError (73) for a folder that holds something else.
    """
    if (folder / STATE).is_file() and (folder / recipe).is_file():
        return int(read_json(folder / STATE)["attempt"])
    atomic.create_folder(folder)
    known = {STATE, "logs", "config", DATABASE, f"{DATABASE}-journal"}  # a begin that was cut off
    if any(path.name not in known for path in folder.iterdir()):
        raise OutputError(f"{folder} holds no such study.", where=str(folder), help="choose a new or an empty folder")
    return 0


def refuse_fewer_trials(recipe: Path, trials: int) -> None:
    """Raise UsageError (2) where a study was begun with more trials than are asked for now."""
    before = read_settings(recipe)["tune"]["trials"]
    if trials < before:
        raise UsageError(
            f"tune.trials: the study was begun with {before}, {trials} are asked for.",
            where=str(recipe),
            help="ask for as many or more, or choose another folder",
        )


def name_in_database(folder: Path) -> str:
    """The name that the trials of a study folder are kept under: the folder's, as it was when the study began."""
    start = read_json(folder / artifacts.START) if (folder / artifacts.START).is_file() else {}
    return str(start.get(DATABASE_NAME, folder.name))


def begun_study(storage: Any, name: str, folder: Path, goal: Goal) -> Any:
    """The study in the database, made where the folder has not begun.

    Raises InputMissingError (66) where the folder has begun and the database holds nothing of it, UsageError (2) where it
    has not, and the database holds trials under its name.
    """
    import optuna

    is_begun = (folder / artifacts.START).is_file()
    if is_begun and name not in optuna.get_all_study_names(storage):
        raise InputMissingError(
            f"the database of the trials holds no study {name!r}.",
            where=str(folder),
            help="give the storage that the study began with, or start a new study",
        )
    study = opened_study(storage, name, goal)
    if not is_begun and study.get_trials(deepcopy=False):
        raise UsageError(
            f"the database holds trials of another study {name!r}.",
            where=str(folder),
            help="choose another folder name",
        )
    return study


def require_best(trials: Sequence[Trial], goal: Goal, folder: Path, of: str = "") -> Trial:
    """The best trial. Raises DataError (65) with the first reason where none finished."""
    best = best_trial(trials, goal)
    if best is None:
        raise DataError(
            f"{of}none of {len(trials)} trials finished; the first says: {trials[0].reason}.",
            where=str(folder),
            help="mend what it says, or narrow the ranges",
        )
    return best


def _told(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "value": trial.value,
        "folds": list(trial.folds),
        "values": jsonable(trial.values),
        "scores": dict(trial.scores),
        **({"penalties": dict(trial.penalties)} if trial.penalties else {}),
    }


def _feature_sets(space: Sequence[Dimension]) -> tuple[str, ...]:
    """The feature sets that may be drawn."""
    return next((each.range.choices or () for each in space if each.name == "feature_set"), ())


def _begins_with_defaults(space: Sequence[Dimension]) -> bool:
    return all(each.holds_default for each in space)


def _words(trials: Sequence[Trial], best: Trial, goal: Goal, first: Trial | None) -> str:
    """What the search found, beside what there was before it."""
    found = f"Trial {best.number} of {len(trials)} is the best: {best.value:.4f} = {goal}."
    beside = ""
    if first is not None and best.number == first.number:
        beside = " That is what there was without a search."
    elif first is not None:
        beside = f" Without a search it is {first.value:.4f}." if first.value is not None else ""
    return f"{found}{beside} The best of many looks better than it is; val and test have not been touched."
