"""Every option of `ensemble`, every key of its recipe and every setting of a head changes something, or is refused.

As in test_train_options: a case runs `ensemble` twice, without and with its change, and names what must differ.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from option_cases import PROBABILITIES, Case, carried_out, flags_of, seen_of
from option_data import laid_out
from own_features import own_features
from quick_studies import quick_runs
from quick_tracking import FLAGS as TRACKING
from quick_tracking import no_courier, told_to_trackers

from ohlcv_factory.cli.recipes import EnsembleRecipe, TrainRecipe
from ohlcv_factory.config import read_yaml, write_yaml
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json

LINEAR = {"logistic": {"feature_set": "neural_optimal"}, "strict": {"model_name": "logistic", "model": {"C": 0.001}}}


def model(name: str, value: str, *base: str, **more: Any) -> Case:
    return Case(("--set", f"model.{name}={value}"), base=base, **more)


VOTING, BLENDING = ("--method", "voting"), ("--method", "blending")
TREES = ("--members", "logistic,lightgbm", "--set", "members.lightgbm.model={n_estimators: 10, learning_rate: 0.3}")
FLAGS = {
    "method": Case(VOTING),
    "members": Case(("--members", "logistic,random_forest", "--set", "members.random_forest.model.n_estimators=5")),
    "dataset": Case(("--dataset", "other")),
    "symbol": Case(("--symbol", "SYNTHA"), "symbols", ("--dataset", "two")),
    "horizon": Case(("--horizon", "10")),
    "config": Case({"model": {"meta_learner": "ridge"}}),
    "overrides": Case(("--set", "members.strict.model.C=1")),
    "folds": Case(("--folds", "3")),
    "embargo": Case(("--embargo", "0.3")),
    "final": Case(("--final", "average_folds")),
    "choose": Case(("--choose", "greedy"), "read"),
    "feature_sets": Case(("--feature-sets", "sets.yaml"), "code", ("--set", "members.strict.feature_set=mine")),
    "plugins": Case(("--plugin", "own.py"), "code", ("--dataset", "with_plugin")),
    "weighting": Case(("--weighting", "none")),
    "experiment": Case(("--experiment", "first try"), "experiment"),
    **{name: Case(flags, "tracking", ("--set", "experiment.backend=mlflow")) for name, flags in TRACKING.items()},
    "output_dir": Case(("--output-dir", "elsewhere"), "folder"),
    "seed": Case(("--seed", "7"), base=TREES),
    "threads": Case(("--threads", "1"), "threads"),
    "dry_run": Case(("--dry-run",), "folder"),
    "as_json": Case(("--json",), "is_json"),
}
KEYS = {
    "members": Case({"members": {"logistic": None, "strict": {"model_name": "logistic", "model": {"C": 0.5}}}}),
    "cv": Case({"cv": {"folds": 3}}),
    "final": Case({"final": "average_folds"}),
    "choose": Case({"choose": "greedy"}, "read"),
    "balanced": Case({"balanced": True}),
    "calibration": Case({"calibration": "none"}, base=("--dataset", "large")),
    "decision": Case({"decision": "conformal"}, "decisions", ("--dataset", "large")),
}
HEADS = {
    "stacking": {
        "meta_learner": model("meta_learner", "mlp"),
        "learner": model("learner", "{C: 0.001}"),
        "meta_features": model("meta_features", "[agreement, margin]"),
        "context_features": model("context_features", "[rsi_14]"),
    },
    "blending": {
        "holdout": model("holdout", "0.5", *BLENDING),
        "meta_learner": model("meta_learner", "ridge", *BLENDING),
        "learner": model("learner", "{C: 0.001}", *BLENDING),
        "meta_features": model("meta_features", "[entropy, confidence]", *BLENDING),
        "context_features": model("context_features", "[rsi_14]", *BLENDING),
    },
    "voting": {
        "voting": model("voting", "fitted", *VOTING),
        "weights": model(
            "weights", "{logistic: 1, strict: 3}", *VOTING, "--set", "model.voting=weighted", differs="code"
        ),
    },
}
REFUSALS = {
    "no member": Case({"members": {}}, refusal="an ensemble needs at least 2 members, got []"),
    "an unknown member": Case(("--members", "logistic,lightgbmm"), refusal="Did you mean 'lightgbm'?"),
    "a key of no member": Case(
        ("--set", "members.logistic.no_such=1"), refusal="members.logistic: no_such: unknown key"
    ),
    "features for the head": Case(("--set", "feature_set=neural_optimal"), refusal="feature_set: an ensemble reads"),
    "a model on features": Case(("--method", "logistic"), refusal="model 'logistic' reads features, not predictions"),
    "folds of a holdout": Case((*BLENDING, "--folds", "3"), refusal="blending has one holdout and no folds"),
    "threads of the head": model("n_jobs", "2", refusal="n_jobs cannot act here: threads belong to the machine"),
    "no dataset": Case(("--set", "dataset=null"), refusal="ensemble needs a dataset"),
}
DEFAULTS = {"--method": "stacking", "--dataset": "small", "--horizon": "5", "--output-dir": "runs", "--folds": "2"}


@pytest.fixture(scope="module")
def joined(folder, dataset, option_data):
    """`joined(arguments)` runs one `ensemble` command in a folder of datasets and tells what can be seen of it."""
    place = laid_out(option_data, folder / "ensemble_options")
    (place / "large").symlink_to(dataset)
    (place / "linear.yaml").write_text(write_yaml({"members": LINEAR}), encoding="utf-8")

    @cache
    def train(arguments: tuple[str, ...]) -> dict[str, Any]:
        with own_features(), no_courier(), quick_runs() as patch:
            patch.chdir(place)
            patch.setattr("ohlcv_factory.studies.fold_job.block_scores", lambda *_, **__: {})
            return observed(*carried_out(place, "ensemble", *arguments))

    return train


def observed(answer, run):
    """What a user can see of one command and its run folder."""
    seen = seen_of(answer, run)
    if run and answer.code == 0:
        import polars as pl

        manifest = read_json(run / "manifest.json")
        recipe = read_yaml(run / "config" / "training_config.yaml").values
        seen |= {
            PROBABILITIES: (run / "predictions" / "val_probabilities.npy").read_bytes(),
            "decisions": pl.read_parquet(run / "predictions" / "val_predictions.parquet").columns,
            "read": read_json(run / "metrics" / "ensemble.json")["choice"],
            "experiment": manifest["experiment_name"],
            "tracking": (told_to_trackers(run), recipe.get("experiment")),
            "symbols": manifest["symbols"],
            "threads": recipe["threads"],
        }
    return seen


def with_defaults(base, change):
    """`base` and a default for each flag that neither it nor the change gives."""
    given = (*base, *(change if isinstance(change, tuple) else ()))
    keys = change if isinstance(change, dict) else {}
    left_out = {"--folds"} if "cv" in keys or "blending" in given else set()
    left_out |= {"--dataset"} if "dataset=null" in given else set()
    pairs = [pair for pair in DEFAULTS.items() if pair[0] not in (*given, *left_out)]
    return (*base, *(part for pair in pairs for part in pair))


CASES = {
    **{f"flag {name}": case for name, case in FLAGS.items()},
    **{f"key {name}": case for name, case in KEYS.items()},
    **{f"{head} {name}": case for head, cases in HEADS.items() for name, case in cases.items()},
    **REFUSALS,
}
QUICK = {
    "flag method",
    "flag members",
    "flag final",
    "flag choose",
    "flag tags",
    "flag dry_run",
    "flag as_json",
    "key members",
    *REFUSALS,
}
"""Cases of the ordinary suite; the others take half a minute together."""


def cases():
    for name, case in CASES.items():
        yield pytest.param(case, id=name, marks=[] if name in QUICK else [pytest.mark.slow])


@pytest.mark.parametrize("case", list(cases()))
def test_every_option_acts_or_is_refused(case, joined, tmp_path):
    base = with_defaults(case.base, case.change)
    change = case.arguments(tmp_path, members=LINEAR)
    after = joined((*base, *change) if isinstance(case.change, dict) else ("--config", "linear.yaml", *base, *change))
    case.require(after, lambda: joined(("--config", "linear.yaml", *with_defaults(case.base, ()))))


def test_every_flag_of_ensemble_has_a_case():
    assert flags_of("ensemble") == set(FLAGS)


def test_every_key_of_an_ensemble_recipe_has_a_case():
    own = set(EnsembleRecipe.model_fields) - set(TrainRecipe.model_fields)
    assert own <= set(KEYS)
    assert set(TrainRecipe.model_fields) <= set(EnsembleRecipe.model_fields)


def test_every_setting_of_every_ensemble_has_a_case():
    names = [name for name, entry in ModelRegistry.entries().items() if entry.family == "ensemble"]
    assert {name: set(ModelRegistry.model_class(name).Config.model_fields) for name in names} == {
        name: set(cases) for name, cases in HEADS.items()
    }
