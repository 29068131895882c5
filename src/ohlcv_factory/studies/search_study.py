"""What a search of settings and one of barriers have in common: how they begin, and what is said of their trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, InputMissingError, OutputError, UsageError
from ohlcv_factory.runtime.clock import Clock
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import jsonable, read_json, read_settings, told_as_damage
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.run_state import STATE
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.tuning_plots import parameter_importance
from ohlcv_factory.studies.tuning_settings import SearchConfig
from ohlcv_factory.studies.tuning_space import Dimension, choice_label
from ohlcv_factory.studies.tuning_storage import DATABASE, odd_rows_told, shown_url
from ohlcv_factory.studies.tuning_trials import (
    OPTUNA,
    Goal,
    Trial,
    best_trial,
    cut_off_count,
    ended_trials,
    opened_study,
    repeats,
)
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trials import trial_of

TRIALS_TABLE = "trials.csv"
DECIDES_NOTHING = ("output_dir", "experiment_name")
"""Settings without a say in what is found."""
DATABASE_NAME = "name_in_database"
"""Key of `start.json`: a folder that was renamed or moved goes on with the trials that it began with."""

WritePage = Callable[[Path], object]
"""Writes a page about the study into its folder, before the manifest closes it (`reports.tuning_report`)."""


def begun_attempts(folder: Path, recipe: Path) -> int:
    """How many processes have worked on a named study folder: 0 for a new or empty one.

    Raises OutputError (73) for a folder that holds something else.
    """
    if (folder / STATE).is_file() and (folder / recipe).is_file():
        values = read_json(folder / STATE)
        with told_as_damage(folder / STATE):
            return int(values["attempt"])
    atomic.create_folder(folder)
    known = {STATE, "logs", "config", DATABASE, f"{DATABASE}-journal"}  # a begin that was cut off
    if any(path.name not in known for path in folder.iterdir()):
        raise OutputError(f"{folder} holds no such study.", where=str(folder), help="choose a new or an empty folder")
    return 0


def name_in_database(folder: Path) -> str:
    """The name that the trials of a study folder are kept under: the folder's, as it was when the study began."""
    start = read_json(folder / artifacts.START) if (folder / artifacts.START).is_file() else {}
    return str(start.get(DATABASE_NAME, folder.name))


def begun_study(storage: Any, name: str, folder: Path, goal: Goal, space: Sequence[Dimension]) -> Any:
    """The study in the database, made where the folder has not begun.

    Raises InputMissingError (66) where the folder has begun and the database holds nothing of it, UsageError (2) where it
    has not, and the database holds trials under its name, DataError (65) for trials that no search of this space wrote.
    """
    with odd_rows_told(storage):
        study = _begun(storage, name, folder, goal)
        ended_trials(study, space)
    return study


def _begun(storage: Any, name: str, folder: Path, goal: Goal) -> Any:
    import optuna

    is_begun = (folder / artifacts.START).is_file()
    if is_begun and name not in optuna.get_all_study_names(storage):
        raise InputMissingError(
            f"the database of the trials holds no study {name!r}.",
            where=shown_url(storage.url),
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


def refuse_fewer_trials(recipe: Path, trials: int) -> None:
    """Raise UsageError (2) where a study was begun with more trials than are asked for now."""
    values = read_settings(recipe)
    with told_as_damage(recipe):
        before = int(values["tune"]["trials"])
    if trials < before:
        raise UsageError(
            f"tune.trials: the study was begun with {before}, {trials} are asked for.",
            where=str(recipe),
            help="ask for as many or more, or choose another folder",
        )


def refuse_kept(cv: CrossValidationConfig) -> None:
    """Raise UsageError (2) for what a cross-validation keeps and a search does not."""
    for name in ("keep_models", "importance", "final"):
        if getattr(cv, name):
            raise UsageError(f"a search keeps no models, got {name}.", where=f"cv.{name}", help="cv of the best config")


def shown_settings(tuning: SearchConfig) -> dict[str, Any]:
    """The settings of a search as they may be written down: without the password of its database."""
    return {**tuning.plain(), "storage": tuning.storage and shown_url(tuning.storage)}


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


def _told(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "value": trial.value,
        "folds": list(trial.folds),
        "values": jsonable(trial.values),
        "scores": dict(trial.scores),
        **({"penalties": dict(trial.penalties)} if trial.penalties else {}),
    }


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
