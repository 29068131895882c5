"""Every option of `cv` and every key under `cv:` changes something one can see, or is refused.

As in test_train_options: a case runs `cv` twice, without and with its change, and names what must differ.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from option_cases import PROBABILITIES, Case, carried_out, flags_of, seen_of
from option_data import laid_out
from own_features import own_features
from quick_studies import quick_studies
from quick_tracking import FLAGS as TRACKING
from quick_tracking import no_courier, told_to_trackers

from ohlcv_factory.cli.recipes import CrossValidationRecipe, TrainRecipe
from ohlcv_factory.config import read_yaml
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.settings import CrossValidationConfig


def key(value: Any, name: str, differs: str = "folds", base: tuple[str, ...] = (), refusal: str = "") -> Case:
    return Case({"cv": {name: value}}, differs, base, refusal)


BOOSTED = ("lightgbm", "--set", "model.n_estimators=20", "--set", "model.learning_rate=0.2")
WALK = ("--scheme", "walk_forward")
COMBINED = ("--scheme", "combinatorial", "--folds", "4")
TINY = ("hidden_size=4", "num_layers=1", "max_epochs=1", "lookback=40", "windows_per_epoch=256")
GRU = ("gru", *(f"--set=model.{each}" for each in TINY))

FLAGS = {
    "model": Case(("random_forest", "--set", "model.n_estimators=5")),
    "dataset": Case(("--dataset", "other")),
    "symbol": Case(("--symbol", "SYNTHA"), base=("--dataset", "two")),
    "horizon": Case(("--horizon", "10")),
    "config": Case({"model": {"C": 0.01}}),
    "overrides": Case(("--set", "model.C=0.01")),
    "scheme": Case(WALK, "folds"),
    "folds": Case(("--folds", "3"), "folds"),
    "test_groups": Case(("--test-groups", "3"), "folds", COMBINED),
    "past": Case(("--past", "rolling"), "folds", WALK),
    "train_share": Case(("--train-share", "0.3"), "folds", WALK),
    "embargo": Case(("--embargo", "0"), "folds"),
    "purge_windows": Case(("--purge-windows",), "folds", (*GRU, "--embargo", "0")),
    "keep_models": Case(("--keep-models",), "models"),
    "importance": Case(("--importance",), "importance"),
    "final": Case(("--final",), "final"),
    "feature_set": Case(("--feature-set", "neural_optimal")),
    "feature_sets": Case(("--feature-sets", "sets.yaml"), "code", ("--feature-set", "mine")),
    "feature_selection": Case(("--feature-selection", "importance")),
    "plugins": Case(("--plugin", "own.py"), "code", ("--dataset", "with_plugin")),
    "weighting": Case(("--weighting", "none")),
    "experiment": Case(("--experiment", "first try"), "experiment"),
    **{name: Case(flags, "tracking", ("--set", "experiment.backend=mlflow")) for name, flags in TRACKING.items()},
    "output_dir": Case(("--output-dir", "elsewhere"), "folder"),
    "seed": Case(("--seed", "7"), base=BOOSTED),
    "executor": Case(("--executor", "local", "--workers", "1"), "jobs"),
    "workers": Case(("--workers", "99"), base=("--executor", "local"), refusal="workers x threads must be between 1"),
    "address": Case(
        ("--address", "HOST:1"), base=("--executor", "local"), refusal="an address belongs to a Ray cluster"
    ),
    "threads": Case(("--threads", "1"), "threads"),
    "dry_run": Case(("--dry-run",), "folder"),
    "as_json": Case(("--json",), "is_json"),
}
KEYS = {
    "scheme": key("walk_forward", "scheme"),
    "folds": key(3, "folds"),
    "test_groups": key(3, "test_groups", base=COMBINED),
    "train_share": key(0.3, "train_share", base=WALK),
    "past": key("rolling", "past", base=WALK),
    "embargo_days": key(0.0, "embargo_days"),
    "purge_windows": key(True, "purge_windows", base=(*GRU, "--embargo", "0")),
    "keep_models": key(True, "keep_models", "models"),
    "importance": key(True, "importance", "importance"),
    "final": key(True, "final", "final"),
}
REFUSALS = {
    "a scheme's own key": key(2, "test_groups", refusal="cv: test_groups: only combinatorial has it"),
    "a final model of several paths": key(True, "final", base=COMBINED, refusal="cv: final: combinatorial predicts"),
    "a final model with thresholds": Case(
        ("--final", "--set", "decision=threshold"), refusal="the final model of a study decides by argmax"
    ),
    "an unknown key": key(2, "fold", refusal="cv.fold: unknown key; did you mean 'folds'?"),
    "no folds": Case(("--folds", "1"), refusal="n_splits must be at least 2, got 1"),
    "an embargo that is no number": Case(("--embargo", "nan"), refusal="--embargo takes days or auto, got 'nan'"),
    "an embargo in words": Case(("--embargo", "some"), refusal="--embargo takes days or auto, got 'some'"),
    "workers without an executor": Case(("--workers", "2"), refusal="workers: folds are done in this process"),
    "windows of the past": Case((*WALK, "--purge-windows"), refusal="windows of earlier rows never reach"),
}
DEFAULTS = {
    "--dataset": "small",
    "--horizon": "5",
    "--feature-set": "boosting_optimal",
    "--output-dir": "studies",
    "--folds": "2",
}


@pytest.fixture(scope="module")
def crossed(folder, option_data):
    """`crossed(arguments)` runs one `cv` command in a folder of datasets and tells what can be seen of it."""
    place = laid_out(option_data, folder / "cv_options")

    @cache
    def cross_validate(arguments: tuple[str, ...]) -> dict[str, Any]:
        with own_features(), no_courier(), quick_studies() as patch:
            patch.chdir(place)
            return observed(*carried_out(place, "cv", *arguments))

    return cross_validate


def observed(answer, study):
    """What a user can see of one command and its study folder."""
    seen = seen_of(answer, study)
    if study and answer.code == 0:
        found = sorted((study / "predictions").glob("oof*_probabilities.npy"))
        folds = read_json(study / "folds.json")["folds"]
        seen |= {
            PROBABILITIES: [path.read_bytes() for path in found],
            "folds": [(fold["learnt_from"], fold["tested"]) for fold in folds],
            "jobs": len(list(study.glob("jobs/*"))),
            "importance": (study / "metrics" / "importance.json").is_file(),
            "final": (study / "final").is_dir(),
            "models": sorted(path.name for path in study.glob("folds/*/checkpoints")),
            "experiment": read_json(study / "manifest.json")["experiment_name"],
            "tracking": (told_to_trackers(study), read_yaml(study / "config" / "study.yaml").values.get("experiment")),
            "threads": read_yaml(study / "config" / "study.yaml").values["threads"],
        }
    return seen


def with_defaults(base, change):
    """A model and a default for each flag that neither `base` nor the change gives, and `base`."""
    given = (*base, *(change if isinstance(change, tuple) else ()))
    keys = change.get("cv", {}) if isinstance(change, dict) else {}
    flags = {
        flag: value
        for flag, value in DEFAULTS.items()
        if flag not in given and not (flag == "--folds" and "folds" in keys)
    }
    model = () if given and not given[0].startswith("-") else ("logistic",)
    return (*model, *base, *(part for pair in flags.items() for part in pair))


@pytest.mark.parametrize(
    "case",
    [*FLAGS.values(), *KEYS.values(), *REFUSALS.values()],
    ids=[*FLAGS, *(f"key {each}" for each in KEYS), *REFUSALS],
)
def test_every_option_acts_or_is_refused(case, crossed, tmp_path):
    if "gru" in case.base:
        pytest.importorskip("torch")
    base = with_defaults(case.base, case.change)
    change = case.arguments(tmp_path)
    after = crossed((*base, *change) if change[0].startswith("-") else (*change, *base))
    case.require(after, lambda: crossed(with_defaults(case.base, ())))


def test_every_flag_of_cv_has_a_case():
    assert flags_of("cv") == set(FLAGS)


def test_every_key_of_a_cv_recipe_has_a_case():
    assert set(CrossValidationConfig.model_fields) == set(KEYS)
    own = set(CrossValidationRecipe.model_fields) - set(TrainRecipe.model_fields)
    assert own == {"cv", "executor", "workers", "address"}  # the last three by their flags
