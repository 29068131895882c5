"""The trials of a search: drawn, tried fold by fold and told, to the same trials however often the process is cut off.

What a trial draws follows from the seed, the number of trials that came to an end before it, and those trials: the sampler
is made anew before each of them. A trial that a killed process left behind is failed and counts nowhere; the next one has
its place and draws the same. This holds for one process at a time, which the lock of the study folder sees to.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ohlcv_factory.errors import DataError, FactoryError, FactoryWarning, ResourceError, UsageError
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.studies.fold_scores import LABEL_SCORES, MONEY_SCORES, Direction
from ohlcv_factory.studies.tuning_settings import Pruner
from ohlcv_factory.studies.tuning_space import Dimension, Values, choice_label, default_values
from ohlcv_factory.studies.tuning_storage import EXTRA

STARTUP_TRIALS = 5
"""Finished trials before one is pruned."""
CUT_OFF, REASON, SECONDS, SCORES, NOTES, PENALTIES = "cut_off", "reason", "seconds", "scores", "notes", "penalties"
"""What is noted of a trial in the database."""
OPTUNA = "optuna"
"""Under this name the study notes the version that it was made with."""
NOTED = ("log_loss_skill", "log_loss", "macro_f1", "direction_edge", "sharpe_ratio", "total_return", "num_trades")
"""Scores of which the mean over the folds is kept beside the one that is looked for."""
CONFIG_ERRORS = (UsageError, DataError, ResourceError)
"""Errors of ours that one draw may cause and the next may not."""
LIBRARY_ERRORS = (ValueError, ArithmeticError, RuntimeError)

State = Literal["finished", "pruned", "failed"]
TryFold = Callable[[], Mapping[str, Any]]
"""Fits one fold and gives its scores."""


@dataclass(frozen=True)
class Tries:
    """What a trial is to do."""

    folds: Sequence[TryFold]
    """None of them fitted yet."""
    penalties: Mapping[str, float] = field(default_factory=dict)
    """What its values cost beside the scores of the folds, by name, at least 0 and in units of the score."""


TryFolds = Callable[[int, Values], Tries]
"""What the trial of a number is to do with its values."""


@dataclass(frozen=True)
class Goal:
    """What is looked for: a score that is good on average over the folds, and steady."""

    score: str
    spread_penalty: float
    pruner: Pruner = "median"
    penalised: bool = False
    """Whether values can cost something beside the scores (`Tries.penalties`)."""

    @property
    def direction(self) -> Direction:
        """Which way is better."""
        return {**LABEL_SCORES, **MONEY_SCORES}[self.score]

    @property
    def sign(self) -> int:
        """1 where more is better, -1 for a loss."""
        return 1 if self.direction == "maximize" else -1

    def value(self, folds: Sequence[float]) -> float:
        """Mean less penalty x standard deviation over the folds; of a loss, mean and penalty together."""
        spread = float(np.std(folds, ddof=1)) if len(folds) > 1 else 0.0
        return float(np.mean(folds)) - self.sign * self.spread_penalty * spread

    def less(self, folds: Sequence[float], penalties: Mapping[str, float]) -> tuple[float, ...]:
        """The folds, each made worse by the penalties of their trial."""
        cost = self.sign * sum(penalties.values())
        return tuple(fold - cost for fold in folds)

    def falls_behind(self, folds: Sequence[float], finished: Sequence[Sequence[float]]) -> bool:
        """Whether the mean of the folds so far is worse than the median trial's on the same folds.

        Optuna's median pruner compares the best fold so far with the median of the latest: where the first fold is the
        easiest, it prunes nothing.
        """
        if self.pruner == "none" or len(finished) < STARTUP_TRIALS:
            return False
        others = [self.sign * float(np.mean(each[: len(folds)])) for each in finished]
        return self.sign * float(np.mean(folds)) < float(np.median(others))

    def __str__(self) -> str:
        joint = "-" if self.sign > 0 else "+"
        penalties = ", made worse by the penalties" if self.penalised else ""
        return f"mean {joint} {self.spread_penalty:g} x standard deviation of {self.score} over the folds{penalties}"


@dataclass(frozen=True)
class Trial:
    """A trial that came to an end."""

    number: int
    """From 1, in the order in which they ended; those that were cut off have none."""
    state: State
    values: Values
    value: float | None
    """What the goal makes of the folds; None unless finished."""
    folds: tuple[float, ...]
    """The score of each fold that was tried, before penalties."""
    reason: str = ""
    """Why it failed, or where it was pruned."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """Means over the folds of `NOTED`."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """What the fits warned of, each once."""
    penalties: Mapping[str, float] = field(default_factory=dict)
    """What its values cost beside the folds, by name."""


def search(
    study: Any, space: Sequence[Dimension], goal: Goal, trials: int, seed: int, try_folds: TryFolds
) -> Iterator[Trial]:
    """Go on until `trials` trials have come to an end, and give each of them as it ends."""
    optuna = import_extra("optuna", EXTRA)
    while True:
        fail_cut_off(study)
        done = len(_ended(study))
        if done >= trials:
            return
        study.sampler = optuna.samplers.TPESampler(seed=component_seed(seed, "trial", done))
        if done == 0:
            _enqueue_defaults(study, space)
        _carry_out(study, study.ask(), space, goal, done + 1, try_folds)
        yield ended_trials(study, space)[-1]


def opened_study(storage: Any, name: str, goal: Goal) -> Any:
    """The study of this name in a database, made where there is none, with the version of Optuna noted.

    Another version than that is warned of: it may draw otherwise.
    """
    optuna = import_extra("optuna", EXTRA)
    study = optuna.create_study(storage=storage, study_name=name, direction=goal.direction, load_if_exists=True)
    if OPTUNA not in study.user_attrs:
        study.set_user_attr(OPTUNA, optuna.__version__)
    if study.user_attrs[OPTUNA] != optuna.__version__:
        warnings.warn(
            f"the search began with Optuna {study.user_attrs[OPTUNA]}, this is {optuna.__version__}: its trials may differ "
            "from those of a search that was not cut off.",
            FactoryWarning,
            stacklevel=2,
        )
    return study


def fail_cut_off(study: Any) -> None:
    """Fail the trials that a killed process left RUNNING."""
    from optuna.trial import TrialState

    for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study._storage.set_trial_user_attr(each._trial_id, CUT_OFF, True)
        study.tell(each.number, state=TrialState.FAIL)


def cut_off_count(study: Any) -> int:
    """How many trials were left by a killed process."""
    return sum(CUT_OFF in each.user_attrs for each in study.get_trials(deepcopy=False))


def ended_trials(study: Any, space: Sequence[Dimension]) -> list[Trial]:
    """The trials that came to an end, in their order."""
    return [_trial(number, each, space) for number, each in enumerate(_ended(study), start=1)]


def best_trial(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """The finished trial of the best value, the first of equal ones; None where none finished."""
    finished = [each for each in trials if each.value is not None]
    return max(finished, key=lambda each: goal.sign * (each.value or 0.0), default=None)


def _carry_out(
    study: Any, drawn: Any, space: Sequence[Dimension], goal: Goal, number: int, try_folds: TryFolds
) -> None:
    """One trial: what one draw can cause is its failure, everything else ends the search."""
    from optuna.trial import TrialState

    values, started = {each.name: each.draw(drawn) for each in space}, time.perf_counter()
    outcome: dict[str, Any]
    notes: list[str] = []
    try:
        with _noting_warnings(notes):
            outcome = _outcome(study, drawn, goal, try_folds(number, values))
    except FactoryError as error:
        if not isinstance(error, CONFIG_ERRORS):
            raise
        outcome = {"state": TrialState.FAIL, REASON: error.what}
    except LIBRARY_ERRORS as error:
        outcome = {"state": TrialState.FAIL, REASON: f"{type(error).__name__}: {error}"}
    drawn.set_user_attr(SECONDS, round(time.perf_counter() - started, 3))
    drawn.set_user_attr(NOTES, notes)
    for name in (REASON, SCORES):
        if name in outcome:
            drawn.set_user_attr(name, outcome[name])
    study.tell(drawn, outcome.get("values"), state=outcome["state"])


@contextmanager
def _noting_warnings(notes: list[str]) -> Iterator[None]:
    """Our own warnings go into the notes, each once: a search would print them by the hundred. Others stay as they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FactoryWarning)
        try:
            yield
        finally:
            own = [str(each.message) for each in caught if issubclass(each.category, FactoryWarning)]
            notes.extend(dict.fromkeys(own))
    for each in caught:
        if not issubclass(each.category, FactoryWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _outcome(study: Any, drawn: Any, goal: Goal, tries: Tries) -> dict[str, Any]:
    """Report the folds as they come; end early where they fall behind. Raises DataError (65) for an undefined score."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finished = [goal.less(_folds(each), each.user_attrs.get(PENALTIES, {})) for each in complete]
    folds: list[float] = []
    found: list[Mapping[str, Any]] = []
    drawn.set_user_attr(PENALTIES, dict(tries.penalties))
    for number, try_fold in enumerate(tries.folds, start=1):
        found.append(try_fold())
        folds.append(_defined(goal, found[-1], number))
        drawn.report(folds[-1], step=number)
        if number < len(tries.folds) and goal.falls_behind(goal.less(folds, tries.penalties), finished):
            return {"state": TrialState.PRUNED, REASON: f"pruned after fold {number}", SCORES: _means(found)}
    value = goal.value(goal.less(folds, tries.penalties))
    return {"state": TrialState.COMPLETE, "values": value, SCORES: _means(found)}


def _defined(goal: Goal, scores: Mapping[str, Any], fold: int) -> float:
    value = scores[goal.score]
    if value is None:
        raise DataError(f"{goal.score} is undefined in fold {fold}.", help="another score, or fewer folds")
    return float(value)


def _means(found: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The mean of each score over the folds; None where a fold leaves it undefined."""
    columns = {name: [scores[name] for scores in found] for name in NOTED}
    return {
        name: None if any(value is None for value in values) else float(np.mean(values))
        for name, values in columns.items()
    }


def _enqueue_defaults(study: Any, space: Sequence[Dimension]) -> None:
    """The first trial is what there would be without a search, so that the best can be compared with it."""
    from optuna.trial import TrialState

    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    values = default_values(space)
    if values and not waiting:
        study.enqueue_trial(values)


def _ended(study: Any) -> list[Any]:
    """The trials of Optuna that came to an end and were not cut off, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False)
    return [each for each in trials if each.state.is_finished() and CUT_OFF not in each.user_attrs]


def _trial(number: int, stored: Any, space: Sequence[Dimension]) -> Trial:
    states: dict[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
    state = states[stored.state.name]
    return Trial(
        number,
        state,
        {each.name: each.told(stored.params[each.name]) for each in space if each.name in stored.params},
        stored.value if state == "finished" else None,
        _folds(stored),
        str(stored.user_attrs.get(REASON, "")),
        _numbers(stored.user_attrs.get(SCORES, {})),
        float(stored.user_attrs.get(SECONDS, 0.0)),
        tuple(map(str, stored.user_attrs.get(NOTES, ()))),
        _numbers(stored.user_attrs.get(PENALTIES, {})),
    )


def _numbers(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers by name, undefined ones as None. Raises ValueError, TypeError or AttributeError for anything else."""
    return {str(name): None if value is None else float(value) for name, value in stored.items()}


def _folds(stored: Any) -> tuple[float, ...]:
    return tuple(value for _, value in sorted(stored.intermediate_values.items()))


def repeats(trials: Sequence[Trial]) -> dict[int, int]:
    """Trials that drew what an earlier one had drawn: number to number of the earlier one."""
    first: dict[tuple[Any, ...], int] = {}
    found = {}
    for each in trials:
        drawn = tuple((name, choice_label(value)) for name, value in each.values.items())
        if first.setdefault(drawn, each.number) != each.number:
            found[each.number] = first[drawn]
    return found
