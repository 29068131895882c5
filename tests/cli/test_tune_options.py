"""Every option and key of `tune` and `tune-barriers` changes something one can see, or is refused.

As in test_train_options: a case runs the command twice, without and with its change, and names what must differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from command_line import call
from option_cases import flags_of
from option_data import laid_out
from own_features import own_features
from quick_studies import quick_studies
from quick_tracking import FLAGS as TRACKING
from quick_tracking import no_courier, told_to_trackers

from ohlcv_factory.cli.recipes import BarrierRecipe, TrainRecipe, TuneRecipe, read_fit_recipe
from ohlcv_factory.config import read_yaml, write_yaml
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies import barrier_tuning, tuning, tuning_trials
from ohlcv_factory.studies.tuning_settings import BarrierTuningConfig, TuningConfig

pytest.importorskip("optuna")

Change = tuple[str, ...] | dict[str, Any]
TRIALS, SPACE = "trials", "space"
"""Keys of `observed`: `trials.csv`, and what was drawn from where."""

TUNE_FLAGS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    "model": (("random_forest", "--set", "model.n_estimators=5"), SPACE, ()),
    "dataset": (("--dataset", "other"), TRIALS, ()),
    "symbol": (("--symbol", "SYNTHA"), TRIALS, ("--dataset", "two")),
    "horizon": (("--horizon", "10"), TRIALS, ()),
    "config": ({"model": {"max_iter": 3}}, TRIALS, ()),
    "overrides": (("--set", "model.max_iter=3"), TRIALS, ()),
    "score": (("--score", "macro_f1"), TRIALS, ()),
    "spread_penalty": (("--lambda", "2"), TRIALS, ()),
    "trials": (("--trials", "3"), TRIALS, ()),
    "pruner": (("--pruner", "none"), TRIALS, ("--trials", "4")),
    "ranges": (("--range", "C=0.01:0.1:log"), SPACE, ()),
    "only": (("--only", "scaling"), SPACE, ()),
    "storage": (("--storage", "sqlite:///elsewhere.sqlite"), "database", ()),
    "scheme": (("--scheme", "walk_forward"), TRIALS, ()),
    "folds": (("--folds", "3"), TRIALS, ()),
    "embargo": (("--embargo", "0"), TRIALS, ()),
    "feature_set": (("--feature-set", "neural_optimal"), TRIALS, ()),
    "feature_sets": (("--feature-sets", "sets.yaml"), "code", ("--feature-set", "mine")),
    "feature_selection": (("--feature-selection", "importance"), TRIALS, ()),
    "plugins": (("--plugin", "own.py"), "code", ("--dataset", "with_plugin")),
    "weighting": (("--weighting", "none"), TRIALS, ()),
    "experiment": (("--experiment", "first try"), "experiment", ()),
    **{name: (flags, "tracking", ("--set", "experiment.backend=mlflow")) for name, flags in TRACKING.items()},
    "out": (("--out", "named"), "folder", ()),
    "output_dir": (("--output-dir", "elsewhere"), "folder", ()),
    "seed": (("--seed", "7"), TRIALS, ()),
    "threads": (("--threads", "1"), "threads", ()),
    "dry_run": (("--dry-run",), "folder", ()),
    "as_json": (("--json",), "is_json", ()),
}
BARRIER_FLAGS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    "dataset": (("--dataset", "other"), TRIALS, ()),
    "model": (("--model", "random_forest", "--set", "model.n_estimators=5"), TRIALS, ()),
    "symbols": (("--symbols", "SYNTHA"), TRIALS, ("--dataset", "two")),
    "horizons": (("--horizons", "10"), TRIALS, ()),
    "config": ({"model": {"max_iter": 3}}, TRIALS, ()),
    "overrides": (("--set", "model.max_iter=3"), TRIALS, ()),
    "score": (("--score", "max_drawdown"), TRIALS, ()),
    "spread_penalty": (("--spread-penalty", "2"), TRIALS, ()),
    "trials": (("--trials", "3"), TRIALS, ()),
    "pruner": (("--pruner", "none"), TRIALS, ("--trials", "4")),
    "ranges": (("--range", "max_bars=4:9"), SPACE, ()),
    "storage": (("--storage", "sqlite:///elsewhere.sqlite"), "database", ()),
    "scheme": (("--scheme", "walk_forward"), TRIALS, ()),
    "folds": (("--folds", "3"), TRIALS, ()),
    "feature_set": (("--feature-set", "neural_optimal"), TRIALS, ()),
    "plugins": (("--plugin", "own.py"), "code", ("--dataset", "with_plugin")),
    **{name: (flags, "tracking", ("--set", "experiment.backend=mlflow")) for name, flags in TRACKING.items()},
    "out": (("--out", "named_too"), "folder", ()),
    "output_dir": (("--output-dir", "elsewhere"), "folder", ()),
    "seed": (("--seed", "7"), TRIALS, ()),
    "threads": (("--threads", "1"), "threads", ()),
    "as_json": (("--json",), "is_json", ()),
}
TUNE_KEYS: dict[str, Any] = {
    "score": "macro_f1",
    "spread_penalty": 2.0,
    "trials": 3,
    "pruner": "none",
    "storage": "sqlite:///elsewhere.sqlite",
    "space": {"C": {"low": 0.01, "high": 0.1}},
    "only": ["scaling"],
}
BARRIER_KEYS: dict[str, Any] = {
    "score": "max_drawdown",
    "spread_penalty": 2.0,
    "trials": 3,
    "pruner": "none",
    "storage": "sqlite:///elsewhere.sqlite",
    "class_penalty": 5.0,
    "asymmetry_penalty": 5.0,
    "k_up": {"low": 1.0, "high": 2.0},
    "k_down": {"low": 1.0, "high": 2.0},
    "max_bars": {"low": 4, "high": 9},
    "horizons": [10],
    "symbols": ["SYNTHA"],
}
WITHOUT_A_FLAG = ("class_penalty", "asymmetry_penalty")
RARE = ("--range", "k_up=5:6", "--range", "k_down=5:6")
"""Barriers that few bars reach: nearly all labels are neutral."""
QUICK = {"--dataset": "small", "--folds": "2", "--trials": "2", "--output-dir": "studies"}
DEFAULTS = {
    "tune": {**QUICK, "--horizon": "5", "--feature-set": "boosting_optimal"},
    "tune-barriers": {**QUICK, "--horizons": "5"},
}


@pytest.fixture(scope="module")
def searched(folder, option_data):
    """`searched(arguments)` runs one command in a folder of datasets and tells what can be seen of it."""
    place = laid_out(option_data, folder / "tune_options")

    @cache
    def run(arguments: tuple[str, ...]) -> dict[str, Any]:
        with own_features(), no_courier(), quick_studies() as patch:
            patch.chdir(place)
            patch.setattr(tuning_trials, "STARTUP_TRIALS", 1)
            for name in ("plot_history", "plot_importance"):
                patch.setattr(tuning, name, lambda *_: None)
            opened: list[str] = []
            for module in (tuning, barrier_tuning):
                patch.setattr(module, "opened_storage", partial(in_memory, opened))
            before = {path for pattern in ("*", "*/*") for path in place.glob(f"{pattern}/state.json")}
            answer = call(*arguments, environment={"OMP_NUM_THREADS": "2"})
            after = {path for pattern in ("*", "*/*") for path in place.glob(f"{pattern}/state.json")}
            new = sorted(after - before)
            databases = {"database": [url.rpartition("/")[2] for url in opened]}
            return observed(answer, new[0].parent if new else None, place) | databases

    return run


@contextmanager
def in_memory(opened: list[str], url: str) -> Iterator[Any]:
    """In place of a database, which takes most of the time of a small search: its URL is noted."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened.append(url)
    yield optuna.storages.InMemoryStorage()


def observed(answer, study, place) -> dict[str, Any]:
    """What a user can see of one command and its study folder."""
    seen = {"answer": answer, "code": answer.code, "is_json": answer.out.startswith("{"), "folder": None}
    if study is None or answer.code:
        return seen
    is_barriers = (study / barrier_tuning.BARRIER_RECIPE).is_file()
    metrics = read_json(study / (barrier_tuning.METRICS if is_barriers else tuning.METRICS))
    searches = metrics["searches"] if is_barriers else [metrics]
    recipe = read_yaml(study / (barrier_tuning.BARRIER_RECIPE if is_barriers else tuning.TUNING_RECIPE)).values
    return seen | {
        "folder": study.parent.name if study.parent != place else study.name,
        TRIALS: (study / "trials.csv").read_bytes(),
        SPACE: [[(each["name"], each["low"], each["choices"]) for each in one["space"]] for one in searches],
        "experiment": read_json(study / "manifest.json")["experiment_name"],
        "tracking": (told_to_trackers(study), recipe.get("experiment")),
        "threads": recipe["threads"],
    }


def check(searched, command: str, change: Change, differs: str, base: tuple[str, ...], recipe) -> None:
    after = searched(arguments(command, base, change, recipe))
    before = searched(arguments(command, base, (), recipe))
    assert after["code"] == 0, after["answer"].err
    assert before.get(differs) != after.get(differs)


def arguments(command: str, base: tuple[str, ...], change: Change, recipe) -> tuple[str, ...]:
    """A model, a default for each flag that neither base nor change gives, base and change."""
    flags = change if isinstance(change, tuple) else ("--config", recipe(change))
    keys = change.get("tune", {}) if isinstance(change, dict) else {}
    named = flags[:1] if flags and not flags[0].startswith("-") else ()
    given = {*base, *flags, *(f"--{name}" for name in keys), *(("--output-dir",) if "--out" in flags else ())}
    filled = [part for flag, value in DEFAULTS[command].items() if flag not in given for part in (flag, value)]
    model = named or (("logistic",) if command == "tune" else ())
    return (command, *model, *filled, *base, *flags[len(named) :])


@pytest.fixture
def recipe(tmp_path):
    """A recipe file of some values."""

    def write(values: dict[str, Any]) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(write_yaml(values), encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", TUNE_FLAGS)
def test_every_flag_of_tune_acts(name, searched, recipe):
    change, differs, base = TUNE_FLAGS[name]
    check(searched, "tune", change, differs, base, recipe)


@pytest.mark.parametrize("name", BARRIER_FLAGS)
def test_every_flag_of_tune_barriers_acts(name, searched, recipe):
    change, differs, base = BARRIER_FLAGS[name]
    check(searched, "tune-barriers", change, differs, base, recipe)


@pytest.mark.parametrize("name", WITHOUT_A_FLAG)
def test_a_key_without_a_flag_acts(name, searched, recipe):
    base = RARE if name == "class_penalty" else ()
    check(searched, "tune-barriers", {"tune": {name: BARRIER_KEYS[name]}}, TRIALS, base, recipe)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((TuneRecipe, name, value) for name, value in TUNE_KEYS.items()),
        *((BarrierRecipe, name, value) for name, value in BARRIER_KEYS.items()),
    ],
)
def test_every_key_is_the_setting_that_its_flag_sets(kind, name, value, recipe):
    """That the flag acts is shown above; a search for each key too would show it twice."""
    keys = {"model_name": "logistic", "tune": {name: value}}
    found, _, _ = read_fit_recipe(kind, Path(recipe(keys)), None, {})
    told = found.tune.plain()[name]
    default = type(found.tune)().plain()[name]
    assert told != default
    assert without_nothing(told) == without_nothing({"C": value["C"]} if name == "space" else value)


def without_nothing(value):
    """A range without the fields that it leaves at their defaults."""
    if not isinstance(value, dict):
        return value
    return {key: without_nothing(each) for key, each in value.items() if each not in (None, False)}


def test_every_flag_has_a_case():
    for name, cases in (("tune", TUNE_FLAGS), ("tune-barriers", BARRIER_FLAGS)):
        assert flags_of(name) == set(cases)


def test_every_key_has_a_case():
    assert set(TuningConfig.model_fields) == set(TUNE_KEYS)
    assert set(BarrierTuningConfig.model_fields) == set(BARRIER_KEYS)
    for kind in (TuneRecipe, BarrierRecipe):
        assert set(kind.model_fields) - set(TrainRecipe.model_fields) == {"tune", "cv", "out"}
