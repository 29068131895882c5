"""Every option, flag and key of `train` changes something one can see, or is refused.

One table. A case runs `train` twice, without and with its change, and names what must differ (or how the second is
refused); an option, a key or a hyper-parameter without a case fails the suite.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import DATASET, Answer, succeed, write_bars
from markets import COLUMNS
from option_cases import PROBABILITIES, Case, carried_out, flags_of, seen_of
from own_features import OWN_FEATURE, own_features
from quick_tracking import FLAGS as TRACKING
from quick_tracking import no_courier, told_to_trackers

from ohlcv_factory.cli.recipes import TrainRecipe
from ohlcv_factory.config import read_yaml, write_yaml
from ohlcv_factory.models.base import MissingClassWarning
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training import artifacts


def key(name: str, value: Any, differs: str = PROBABILITIES, **more: Any) -> Case:
    return Case({name: value}, differs, **more)


LIGHTGBM = ("--model", "lightgbm", "--set", "model.n_estimators=40", "--set", "model.learning_rate=0.2")
SMALL = ("--dataset", "small")
OWN_SET = {"mine": {"include": ["rsi_14", "return_*"]}}
WITH_PLUGIN = ("--dataset", "with_plugin")
TWO = ("--dataset", "two")

FLAGS = {
    "model": Case(("--model", "random_forest")),
    "dataset": Case(("--dataset", "small")),
    "symbol": Case(("--symbol", "SYNTHB"), "symbols", base=TWO),
    "horizon": Case(("--horizon", "10")),
    "config": Case({"model": {"C": 0.01}}),
    "overrides": Case(("--set", "model.C=0.01")),
    "feature_set": Case(("--feature-set", "neural_optimal")),
    "feature_sets": Case(("--feature-sets", "sets.yaml"), "code", base=("--feature-set", "mine")),
    "feature_selection": Case(("--feature-selection", "importance")),
    "plugins": Case(("--plugin", "own.py"), "code", base=WITH_PLUGIN),
    "weighting": Case(("--weighting", "none")),
    "experiment": Case(("--experiment", "first try"), "experiment"),
    **{name: Case(flags, "tracking", base=("--set", "experiment.backend=mlflow")) for name, flags in TRACKING.items()},
    "output_dir": Case(("--output-dir", "elsewhere"), "folder"),
    "seed": Case(("--seed", "7"), base=LIGHTGBM),
    "threads": Case(("--threads", "1"), "threads"),
    "run_id": Case(("--run-id", "a/b"), refusal="--run-id is the name of a folder, got 'a/b'"),
    "detach": Case(("--detach", "--dry-run"), refusal="--dry-run does nothing that could be detached"),
    "dry_run": Case(("--dry-run",), "folder"),
    "as_json": Case(("--json",), "is_json"),
}
KEYS = {
    "model_name": key("model_name", "random_forest"),
    "dataset": key("dataset", "small"),
    "symbol": key("symbol", "SYNTHB", "symbols", base=TWO),
    "horizon": key("horizon", 10),
    "feature_set": key("feature_set", "neural_optimal"),
    "feature_sets": key("feature_sets", OWN_SET, "code", base=("--feature-set", "mine")),
    "feature_selection": key("feature_selection", "importance"),
    "plugins": key("plugins", ["own.py"], "code", base=WITH_PLUGIN),
    "scaling": key("scaling", "robust"),
    "sequence_length": key("sequence_length", 8, refusal="sequence_length does not apply to model 'logistic'"),
    "batch_size": key("batch_size", 8, refusal="batch_size does not apply to model 'logistic'"),
    "max_epochs": key("max_epochs", 5, base=("--model", "lightgbm")),
    "early_stopping_patience": key("early_stopping_patience", 1, base=LIGHTGBM),
    "random_seed": key("random_seed", 7, base=LIGHTGBM),
    "experiment_name": key("experiment_name", "first try", "experiment"),
    "experiment": key("experiment", {"backend": "wandb"}, "tracking"),
    "output_dir": key("output_dir", "elsewhere", "folder"),
    "model": key("model", {"C": 0.01}),
    "weighting": key("weighting", "quality"),
    "balanced": key("balanced", True),
    "calibration": key("calibration", "none"),
    "decision": key("decision", "threshold", "decisions"),
    "conformal_coverage": key("conformal_coverage", 0.5, "decisions", base=("--set", "decision=conformal")),
    "refit": key("refit", "all"),
    "allow_missing_class": key("allow_missing_class", True, "code", base=("--dataset", "without_long")),
    "threads": key("threads", 1, "threads"),
}
FOREST = {"n_estimators": 10}
BOOSTING = {"n_estimators": 40, "learning_rate": 0.2, "max_depth": 4}
CATBOOST = {"iterations": 40, "learning_rate": 0.5, "depth": 3}
NO_CUDA = {"refusal": "cuda", "code": 69}

MODEL_BASE = {
    "logistic": {},
    "random_forest": FOREST,
    "svm": {"max_rows": 600},
    "lightgbm": BOOSTING,
    "xgboost": BOOSTING,
    "catboost": CATBOOST,
    "gru": {"lookback": 8, "num_layers": 1, "max_epochs": 2, "warmup_epochs": 0, "learning_rate": 0.002},
}
"""The shared fields of all networks are tried on the gru; the own fields of each in tests/models/_torch/test_model.py."""
STUCK = ("--set", "model.min_delta=10")
PLATEAU = ("--set", "model.scheduler=plateau", "--set", "model.learning_rate=1e-30", "--set", "model.max_epochs=4")
CHUNKED = {
    "learning_rate": Case(("0.1",)),
    "early_stopping_rounds": Case(("1",), "epochs"),
    "fixed_rounds": Case(("10",), base=SMALL),
    "device": Case(("cuda",), **NO_CUDA),
    "n_estimators": Case(("5",)),
    "max_depth": Case(("2",)),
    "subsample": Case(("0.5",)),
    "colsample_bytree": Case(("0.3",)),
    "reg_alpha": Case(("5",)),
    "reg_lambda": Case(("20",)),
    "chunk_trees": Case(("4",)),
}
HYPER_PARAMETERS = {
    "logistic": {"C": Case(("0.01",)), "solver": Case(("newton-cg",)), "max_iter": Case(("2",))},
    "random_forest": {
        "n_estimators": Case(("11",)),
        "max_depth": Case(("2",)),
        "min_samples_split": Case(("500",)),
        "min_samples_leaf": Case(("200",)),
        "max_features": Case(("1.0",)),
    },
    "svm": {
        "C": Case(("0.1",)),
        "gamma": Case(("0.5",)),
        "max_rows": Case(("500",)),
        "calibration_blocks": Case(("2",)),
    },
    "lightgbm": {**CHUNKED, "num_leaves": Case(("3",)), "min_child_samples": Case(("200",))},
    "xgboost": {**CHUNKED, "min_child_weight": Case(("100",)), "gamma": Case(("5",))},
    "catboost": {
        "learning_rate": Case(("0.1",)),
        "early_stopping_rounds": Case(("1",), "epochs"),
        "fixed_rounds": Case(("10",), base=SMALL),
        "device": Case(("cuda",), **NO_CUDA),
        "iterations": Case(("5",)),
        "depth": Case(("2",)),
        "l2_leaf_reg": Case(("30",)),
        "random_strength": Case(("10",)),
        "bagging_temperature": Case(("0",)),
        "use_best_model": Case(("false",), base=("--set", "model.learning_rate=1")),
    },
    "gru": {
        "lookback": Case(("12",)),
        "batch_size": Case(("64",)),
        "max_epochs": Case(("1",), "epochs"),
        "learning_rate": Case(("0.02",)),
        "weight_decay": Case(("1",)),
        "gradient_clip": Case(("0.01",)),
        "early_stopping_patience": Case(("1",), "epochs", base=(*STUCK, "--set", "model.max_epochs=3")),
        "min_delta": Case(("10",)),
        "optimizer": Case(("sgd",)),
        "scheduler": Case(("none",)),
        "warmup_epochs": Case(("1",)),
        "plateau_patience": Case(("1",), "history", base=PLATEAU),
        "dropout": Case(("0.6",)),
        "preset": Case(("spec",), base=("--set", "model.preset=small")),
        "fixed_epochs": Case(("1",), "epochs", base=SMALL),
        "windows_per_epoch": Case(("500",)),
        "label_smoothing": Case(("0.5",)),
        "time_budget_minutes": Case(("0.000001",), "epochs"),
        "precision": Case(("bf16",), base=("--set", "model.precision=fp32")),
        "device": Case(("cuda",), **NO_CUDA),
        "hidden_size": Case(("16",)),
        "num_layers": Case(("2",)),
        "bidirectional": Case(("true",)),
    },
}
BESIDE_THE_LOOP = {"compile"}
"""Fields of a network that would take a compiler and half a minute here: see tests/models/_torch/test_model.py."""
ALIAS = {"sequence_length": "lookback"}
NETWORK_KEYS = {
    "sequence_length": key("sequence_length", 12),
    "batch_size": key("batch_size", 64),
    "max_epochs": key("max_epochs", 1, "epochs"),
    "early_stopping_patience": key(
        "early_stopping_patience", 1, "epochs", base=(*STUCK, "--set", "model.max_epochs=3")
    ),
    "random_seed": key("random_seed", 7),
    "weighting": key("weighting", "none"),
    "balanced": key("balanced", True),
    "refit": key("refit", "all"),
}
"""Keys of a recipe that mean something else for a network, or nothing at all for `logistic`."""


def all_cases() -> Iterator[Any]:
    for name, case in FLAGS.items():
        yield pytest.param(case, id=f"flag {name}")
    for name, case in KEYS.items():
        yield pytest.param(case, id=f"key {name}")
    for model, cases in HYPER_PARAMETERS.items():
        base = model_base(model)
        for name, case in cases.items():
            change = ("--set", f"model.{name}={case.change[0]}")
            own = Case(change, case.differs, ("--model", model, *base, *case.base), case.refusal, case.code)
            yield pytest.param(own, id=f"{model} {name}", marks=needs(model))
    for name, case in NETWORK_KEYS.items():
        own = replace(case, base=("--model", "gru", *model_base("gru", without=name), *case.base))
        yield pytest.param(own, id=f"gru key {name}", marks=needs("gru"))


def model_base(model: str, without: str = "") -> tuple[str, ...]:
    """The hyper-parameters that make a model quick, as arguments; without the one that a key of the recipe sets."""
    settings = {name: value for name, value in MODEL_BASE[model].items() if name not in (without, ALIAS.get(without))}
    return tuple(part for name, value in settings.items() for part in ("--set", f"model.{name}={value}"))


def needs(model: str) -> Any:
    entry = ModelRegistry.entry(model)
    return pytest.mark.skipif(not entry.installed, reason=f"{model} needs {entry.requires}")


@pytest.fixture(scope="module")
def trained(folder, dataset, bar_csv):
    """`trained(arguments)` runs one `train` command in a folder of datasets and tells what can be seen of it."""
    place = folder / "options"
    place.mkdir()
    (place / "large").symlink_to(dataset)
    few = write_bars(place / "SYNTH_few.csv", 3000)
    succeed("data", "build", few, "--out", place / "small", *DATASET)
    two = [write_bars(place / f"SYNTH{name}.csv", 2600, seed=seed) for seed, name in enumerate("AB")]
    succeed("data", "build", *two, "--out", place / "two", *DATASET)
    unreachable = ("--set", "barriers.5={k_up: 50, k_down: 2, max_bars: 8}")
    succeed("data", "build", few, "--out", place / "without_long", *DATASET, *unreachable)

    (place / "sets.yaml").write_text(write_yaml(OWN_SET), encoding="utf-8")
    (place / "own.py").write_text(OWN_FEATURE, encoding="utf-8")
    columns = f"features=[{', '.join((*COLUMNS, 'gap_1'))}]"
    own = ("--plugin", place / "own.py", "--set", columns)
    with own_features():
        succeed("data", "build", few, "--out", place / "with_plugin", *DATASET, *own)

    @cache
    def train(arguments: tuple[str, ...]) -> dict[str, Any]:
        with own_features(), no_courier() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingClassWarning)  # what allow_missing_class is about
            patch.chdir(place)
            patch.setattr(artifacts, "write_plots", lambda *_: None)  # pictures and fsync are most of a small run
            patch.setattr(os, "fsync", lambda _: None)
            return observed(*carried_out(place, "train", *arguments))

    return train


def observed(answer: Answer, run: Path | None) -> dict[str, Any]:
    """What a user can see of one command and its run folder."""
    seen = seen_of(answer, run)
    if run and answer.code == 0:
        manifest = read_json(run / "manifest.json")
        recipe = read_yaml(run / "config" / "training_config.yaml").values
        metrics = read_json(run / "metrics" / "training_metrics.json")
        seen |= {
            PROBABILITIES: (run / "predictions" / "val_probabilities.npy").read_bytes(),
            "decisions": pl.read_parquet(run / "predictions" / "val_predictions.parquet")["decision"].to_list(),
            "epochs": metrics["epochs_trained"],
            "history": metrics["history"],
            "experiment": manifest["experiment_name"],
            "tracking": (told_to_trackers(run), recipe.get("experiment")),
            "symbols": manifest["symbols"],
            "threads": (recipe["threads"], manifest["threads"], answer.environment["OMP_NUM_THREADS"]),
        }
    return seen


@pytest.mark.parametrize("case", list(all_cases()))
def test_every_option_acts_or_is_refused(case, trained, tmp_path):
    base = with_defaults(case.base, case.change)
    after = trained((*base, *case.arguments(tmp_path)))
    case.require(after, lambda: trained(with_defaults(case.base, ())))


DEFAULTS = {
    "model_name": ("--model", "logistic"),
    "dataset": ("--dataset", "large"),
    "horizon": ("--horizon", "5"),
    "feature_set": ("--feature-set", "boosting_optimal"),
    "output_dir": ("--output-dir", "runs"),
}


def with_defaults(base: tuple[str, ...], change: tuple[str, ...] | dict[str, Any]) -> tuple[str, ...]:
    """`base` and a default for each flag that neither it nor the change gives; a flag would win over a recipe's key."""
    missing = {
        name: flags
        for name, flags in DEFAULTS.items()
        if flags[0] not in (*base, *change) and not (isinstance(change, dict) and name in change)
    }
    return (*(part for flags in missing.values() for part in flags), *base)


def test_every_flag_of_train_has_a_case():
    assert flags_of("train") == set(FLAGS)


def test_every_key_of_a_train_recipe_has_a_case():
    assert set(TrainRecipe.model_fields) == set(KEYS)


def test_every_hyper_parameter_of_every_model_has_a_case():
    listed = [name for name in HYPER_PARAMETERS if ModelRegistry.entry(name).installed]
    declared = {name: set(ModelRegistry.model_class(name).Config.model_fields) for name in listed}
    assert declared == {name: set(HYPER_PARAMETERS[name]) | (BESIDE_THE_LOOP & declared[name]) for name in listed}
    tabular = {name for name in INSTALLED if ModelRegistry.model_class(name).input_spec.layout == "tabular"}
    assert tabular <= set(HYPER_PARAMETERS)


INSTALLED = [name for name, entry in ModelRegistry.entries().items() if entry.installed]
REFUSED_KEYS = [
    (name, refused)
    for name in INSTALLED
    if not ModelRegistry.model_class(name).input_spec.is_ensemble  # see test_ensemble_options
    for config in [ModelRegistry.model_class(name).Config]
    for refused in (*config.refused, *config.refused_everywhere)
]


@pytest.mark.parametrize(("model", "refused"), REFUSED_KEYS)
def test_keys_that_cannot_act_are_refused_with_the_reason(model, refused, trained):
    answer = trained((*with_defaults(("--model", model), ()), "--set", f"model.{refused}=1"))["answer"]
    assert answer.code == 2
    assert f"{refused} cannot act here: " in answer.err
