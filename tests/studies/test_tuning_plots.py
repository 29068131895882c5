from __future__ import annotations

import math

import pytest

from ohlcv_factory.studies.tuning_plots import best_so_far, parameter_importance, plot_history, plot_importance
from ohlcv_factory.studies.tuning_trials import Goal, Trial

optuna = pytest.importorskip("optuna")

GAIN, LOSS = Goal("macro_f1", 0.5), Goal("log_loss", 0.5)


def trials(*values):
    return [Trial(number, "failed" if v is None else "finished", {}, v, ()) for number, v in enumerate(values, start=1)]


def studied(count, value):
    study = optuna.create_study()
    study.sampler = optuna.samplers.RandomSampler(seed=1)
    for _ in range(count):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        study.tell(trial, value(x, y))
    return study


def test_the_best_so_far_goes_the_way_of_the_score_and_passes_over_failures():
    found = best_so_far(trials(None, 0.2, 0.1, None, 0.3), GAIN)
    assert math.isnan(found[0])
    assert found[1:] == [0.2, 0.2, 0.2, 0.3]
    assert best_so_far(trials(0.2, 0.1, 0.3), LOSS) == [0.2, 0.1, 0.1]


def test_importance_is_that_of_what_decides():
    shares = parameter_importance(studied(60, lambda x, y: (x - 0.3) ** 2 + 0.001 * y))
    assert list(shares) == ["x", "y"]
    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_too_few_or_equal_trials_say_nothing_of_importance():
    assert parameter_importance(studied(3, lambda x, y: x)) is None
    assert parameter_importance(studied(8, lambda x, y: 1.0)) is None


def test_pictures_have_the_same_bytes_for_the_same_search(tmp_path):
    for name in ("a", "b"):
        plot_history(tmp_path / f"history_{name}.png", trials(0.2, None, 0.3), GAIN)
        plot_importance(tmp_path / f"importance_{name}.png", {"x": 0.7, "y": 0.3})
        plot_importance(tmp_path / f"none_{name}.png", None)
    for kind in ("history", "importance", "none"):
        assert (tmp_path / f"{kind}_a.png").read_bytes() == (tmp_path / f"{kind}_b.png").read_bytes()
    assert (tmp_path / "importance_a.png").read_bytes() != (tmp_path / "none_a.png").read_bytes()
