"""Which parameters mattered, and how the search went: as numbers and as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ohlcv_factory.studies.tuning_trials import Goal, Trial
from ohlcv_factory.training.plots import blank_figure, save_figure

FEWEST_TRIALS = 4
"""Finished trials below which nothing is said of parameters."""


def parameter_importance(study: Any) -> dict[str, float] | None:
    """Shares of the parameters in what tells the better tenth of the trials from all: PED-ANOVA (Watanabe et al. 2023).

    None with under four finished trials, or where all have the same value.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState

    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < FEWEST_TRIALS or len({each.value for each in finished}) == 1:
        return None
    return {
        name: float(share)
        for name, share in get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()).items()
    }


def best_so_far(trials: Sequence[Trial], goal: Goal) -> list[float]:
    """The best value up to each trial, NaN before the first that finished."""
    values = [np.nan if each.value is None else goal.sign * each.value for each in trials]
    best = np.fmax.accumulate(np.array(values, dtype=np.float64))
    return [goal.sign * value for value in best.tolist()]


def plot_history(path: Path, trials: Sequence[Trial], goal: Goal) -> None:
    """Every finished trial, and the best so far."""
    figure, axes = blank_figure(7, 4)
    finished = [each for each in trials if each.value is not None]
    axes.plot([each.number for each in finished], [each.value for each in finished], "o", markersize=4, label="trial")
    axes.step([each.number for each in trials], best_so_far(trials, goal), where="post", label="best so far")
    axes.set(xlabel="trial", ylabel=goal.score)
    axes.legend(loc="best")
    save_figure(figure, path)


def plot_importance(path: Path, importance: Mapping[str, float] | None) -> None:
    """One bar per parameter, the longest first."""
    names = list(importance or {})
    figure, axes = blank_figure(7, 0.3 * len(names) + 1.2)
    axes.barh(names[::-1], [(importance or {})[name] for name in names[::-1]])
    title = "" if names else f"fewer than {FEWEST_TRIALS} finished trials that differ"
    axes.set(xlabel="share of importance (PED-ANOVA)", title=title)
    save_figure(figure, path)
