from __future__ import annotations

import warnings

import pytest

from ohlcv_factory.errors import DataError, FactoryWarning, StorageError, UsageError
from ohlcv_factory.studies.tuning_settings import Range
from ohlcv_factory.studies.tuning_space import Dimension
from ohlcv_factory.studies.tuning_trials import (
    NOTED,
    Goal,
    Trial,
    Tries,
    best_trial,
    cut_off_count,
    ended_trials,
    opened_study,
    repeats,
    search,
)

optuna = pytest.importorskip("optuna")

GOAL = Goal("log_loss", 0.5)
SPACE = (
    Dimension("x", Range(low=-2.0, high=2.0), default=1.5),
    Dimension("kind", Range(choices=("a", "b")), default="a"),
)


class Killed(BaseException):
    """In place of a signal that no code can catch."""


def opened(goal=GOAL):
    return opened_study(optuna.storages.InMemoryStorage(), "trials", goal)


def folds_of(values, tried=None, count=3, kill_at=None):
    """Folds whose loss is least at x = 0.3 of kind b; `tried` counts them, the one of number `kill_at` is cut off."""

    def fold(number):
        if tried is not None:
            tried.append(number)
            if len(tried) == kill_at:
                raise Killed
        loss = (values["x"] - 0.3) ** 2 + (values["kind"] == "a") + 0.01 * number
        return {**dict.fromkeys(NOTED), "log_loss": loss, "macro_f1": 0.5}

    return Tries([lambda number=number: fold(number) for number in range(count)])


def all_of(study, trials, tries, goal=GOAL, seed=1):
    list(search(study, SPACE, goal, trials, seed, tries))
    return ended_trials(study, SPACE)


def test_the_goal_takes_the_spread_off_a_score_and_puts_it_on_a_loss():
    assert Goal("macro_f1", 0.5).value([0.2, 0.4, 0.6]) == pytest.approx(0.4 - 0.5 * 0.2)
    assert Goal("log_loss", 0.5).value([0.2, 0.4, 0.6]) == pytest.approx(0.4 + 0.5 * 0.2)
    assert Goal("macro_f1", 0.0).value([0.2, 0.4, 0.6]) == pytest.approx(0.4)
    assert Goal("macro_f1", 2.0).value([0.2]) == 0.2


def test_a_trial_is_pruned_where_its_folds_so_far_are_worse_than_the_median_trials_on_the_same_folds():
    easy_first = [(0.9, 0.1), (0.8, 0.2), (0.7, 0.3), (0.6, 0.4), (0.5, 0.5)]
    goal = Goal("macro_f1", 0.5)
    assert goal.falls_behind([0.69], easy_first)
    assert not goal.falls_behind([0.71], easy_first)
    assert goal.falls_behind([0.9, 0.0], easy_first)  # Optuna's own would keep it for its first fold
    assert not goal.falls_behind([0.1], easy_first[:4])
    assert not Goal("macro_f1", 0.5, "none").falls_behind([0.1], easy_first)
    assert not Goal("log_loss", 0.5).falls_behind([0.69], easy_first)


def test_the_first_trial_is_the_default_and_the_search_gets_better():
    trials = all_of(opened(), 25, lambda number, values: folds_of(values))
    assert trials[0].values == {"x": 1.5, "kind": "a"}
    best = best_trial(trials, GOAL)
    assert best.values["kind"] == "b"
    assert abs(best.values["x"] - 0.3) < 0.3
    assert [trial.number for trial in trials] == list(range(1, 26))
    assert {trial.state for trial in trials} == {"finished", "pruned"}


@pytest.mark.parametrize(("score", "worse"), [("log_loss", 0.7), ("macro_f1", -0.7)])
def test_penalties_make_a_value_worse_and_stay_beside_the_folds(score, worse):
    def tries(number, values):
        return Tries(folds_of({"x": 0.3, "kind": "b"}).folds, {"one": 0.5, "other": 0.2} if number > 1 else {})

    goal = Goal(score, 0.0, "none", penalised=True)
    study = opened(goal)
    free, penalised = all_of(study, 2, tries, goal)
    assert penalised.value - free.value == pytest.approx(worse)
    assert penalised.folds == free.folds
    assert (free.penalties, penalised.penalties) == ({}, {"one": 0.5, "other": 0.2})
    assert str(goal).endswith("over the folds, made worse by the penalties")


def test_a_trial_is_pruned_by_what_penalties_leave_of_it():
    def tries(number, values):
        costly = {"cost": 1.0} if number == 6 else {}
        return Tries(folds_of({"x": 0.3, "kind": "b"}).folds, costly)

    trials = all_of(opened(), 7, tries, Goal("log_loss", 0.5, penalised=True))
    assert [each.number for each in trials if each.state == "pruned"] == [6]


def test_a_pruned_trial_is_not_fitted_further():
    study, tried = opened(), []
    trials = all_of(study, 20, lambda number, values: folds_of(values, tried))
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.reason == f"pruned after fold {len(trial.folds)}" and trial.value is None for trial in pruned)
    assert len(tried) == sum(len(trial.folds) for trial in trials) < 60


@pytest.mark.parametrize("cuts", [(1,), (8,), (2, 5), (30, 1)])
def test_a_search_that_was_cut_off_draws_the_same_trials(cuts):
    whole = all_of(opened(), 14, lambda number, values: folds_of(values))
    study = opened()
    for cut in cuts:
        tried = []
        with pytest.raises(Killed):
            all_of(study, 14, lambda number, values, tried=tried, cut=cut: folds_of(values, tried, kill_at=cut))
    found = all_of(study, 14, lambda number, values: folds_of(values))
    assert [(each.values, each.folds, each.state) for each in found] == [
        (each.values, each.folds, each.state) for each in whole
    ]
    assert cut_off_count(study) == len(cuts)


def test_another_seed_draws_other_trials():
    one, other = (all_of(opened(), 3, lambda number, values: folds_of(values), seed=seed) for seed in (1, 2))
    assert one[0].values == other[0].values
    assert one[1].values != other[1].values


def test_more_trials_go_on_from_those_that_are_there():
    study = opened()
    few = all_of(study, 5, lambda number, values: folds_of(values))
    more = all_of(study, 9, lambda number, values: folds_of(values))
    assert [each.values for each in more[:5]] == [each.values for each in few]
    assert [each.values for each in more] == [
        each.values for each in all_of(opened(), 9, lambda number, values: folds_of(values))
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UsageError("heads do not divide the width."), "heads do not divide the width."),
        (DataError("one class only."), "one class only."),
        (ValueError("bad shape"), "ValueError: bad shape"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_what_one_draw_causes_is_a_failed_trial_with_its_reason(error, reason):
    def tries(number, values):
        if number == 2:
            raise error
        return folds_of(values)

    trials = all_of(opened(), 4, tries)
    assert [each.state for each in trials] == ["finished", "failed", "finished", "finished"]
    assert (trials[1].reason, trials[1].value, trials[1].folds) == (reason, None, ())
    assert trials[2].values != trials[1].values


def test_an_error_that_every_trial_would_meet_ends_the_search():
    def tries(number, values):
        raise StorageError("the disk is full.")

    with pytest.raises(StorageError, match="the disk is full"):
        all_of(opened(), 4, tries)


def test_an_undefined_score_fails_the_trial():
    trials = all_of(opened(), 1, lambda number, values: Tries([lambda: {**dict.fromkeys(NOTED), "log_loss": None}]))
    assert (trials[0].state, trials[0].reason) == ("failed", "log_loss is undefined in fold 1.")


def test_our_warnings_become_notes_and_others_stay():
    def warned(values):
        warnings.warn("class missing", FactoryWarning, stacklevel=1)
        return folds_of(values)

    (trial,) = all_of(opened(), 1, lambda number, values: warned(values))
    assert trial.notes == ("class missing",)

    def strange(values):
        warnings.warn("strange", UserWarning, stacklevel=1)
        return folds_of(values)

    with pytest.raises(UserWarning, match="strange"):
        all_of(opened(), 1, lambda number, values: strange(values))


def test_the_version_of_optuna_is_noted_and_another_one_is_warned_of():
    storage = optuna.storages.InMemoryStorage()
    study = opened_study(storage, "trials", GOAL)
    assert study.user_attrs["optuna"] == optuna.__version__
    opened_study(storage, "trials", GOAL)
    study.set_user_attr("optuna", "5.9.9")
    with pytest.warns(FactoryWarning, match=r"the search began with Optuna 5\.9\.9, this is"):
        again = opened_study(storage, "trials", GOAL)
    assert again.user_attrs["optuna"] == "5.9.9"


def trial(number, value, x):
    return Trial(number, "finished", {"x": x}, value, ())


def test_the_best_is_the_first_of_equal_values():
    trials = [trial(1, 0.5, 1), trial(2, 0.4, 2), trial(3, 0.4, 3), Trial(4, "failed", {}, None, ())]
    assert best_trial(trials, Goal("log_loss", 0.0)).number == 2
    assert best_trial(trials, Goal("macro_f1", 0.0)).number == 1
    assert best_trial(trials[3:], GOAL) is None


def test_a_trial_that_draws_what_was_drawn_before_is_said_to_repeat_it():
    assert repeats([trial(1, 0.5, (1, 2)), trial(2, 0.4, 2), trial(3, 0.5, (1, 2))]) == {3: 1}
