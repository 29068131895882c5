"""Every option and key of `sweep` changes something one can see, or is refused.

A case runs `sweep` twice, without and with its change, and names what must differ. Jobs are done in this process; what the
command asked of the executor is noted. `tests/flow/test_sweep.py` runs the workers.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
from command_line import DATASET, call, succeed, write_bars
from inline_executor import InlineExecutor, refuse_seed
from markets import COLUMNS
from option_cases import flags_of
from own_features import OWN_FEATURE, own_features
from quick_tracking import FLAGS as TRACKING
from quick_tracking import no_courier, told_to_trackers

from ohlcv_factory.cli.recipes import SweepRecipe
from ohlcv_factory.config import write_yaml
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies import sweep
from ohlcv_factory.studies.executor import protocol
from ohlcv_factory.training import artifacts

FOREST = {"random_forest": {"n_estimators": 5}}
BASE = {
    "models": ["random_forest"],
    "dataset": "two",
    "horizons": [5],
    "training": {"feature_set": "neural_optimal"},
    "hyper_parameters": FOREST,
    "out": "study",
}
FLAGS: dict[str, tuple[tuple[str, ...], str]] = {
    "models": (("--models", "logistic", "--set", "hyper_parameters={}"), "jobs"),
    "dataset": (("--dataset", "small"), "jobs"),
    "horizons": (("--horizons", "5,10"), "jobs"),
    "symbols": (("--symbols", "each"), "symbols"),
    "seeds": (("--seeds", "1,2"), "seeds"),
    "config": (("--config", "other.yaml"), "jobs"),
    "overrides": (("--set", "training.weighting=none"), "jobs"),
    "plugins": (("--plugin", "own.py"), "code"),
    "experiment": (("--experiment", "first try"), "experiment"),
    **{name: (flags, "tracking") for name, flags in TRACKING.items() if name != "run_name"},
    "out": (("--out", "elsewhere"), "folder"),
    "workers": (("--workers", "1"), "opened"),
    "threads": (("--threads", "2"), "opened"),
    "executor": (("--executor", "ray"), "opened"),
    "address": (("--address", "10.0.0.1:6379"), "opened"),
    "dry_run": (("--dry-run",), "opened"),
    "as_json": (("--json",), "is_json"),
}
BESIDE: dict[str, dict[str, Any]] = {
    "dataset": {"out": "of_small"},
    "plugins": {"dataset": "with_plugin", "out": "of_plugin"},
    **{name: {"out": f"shown_by_{name}"} for name in (*TRACKING, "experiment")},
}
"""What a case needs beside its change: another dataset goes into another study."""
KEYS: dict[str, tuple[Any, str]] = {
    "models": (["logistic", "random_forest"], "jobs"),
    "dataset": ("small", "jobs"),
    "horizons": ([5, 10], "jobs"),
    "symbols": (["SYNTHB"], "symbols"),
    "seeds": ([1, 2], "seeds"),
    "training": ({"feature_set": "neural_optimal", "weighting": "none"}, "jobs"),
    "hyper_parameters": ({"random_forest": {"n_estimators": 6}}, "jobs"),
    "experiment_name": ("first try", "experiment"),
    "experiment": ({"backend": "wandb"}, "tracking"),
    "out": ("elsewhere", "folder"),
    "plugins": (["own.py"], "code"),
    "executor": ("ray", "opened"),
    "address": ("10.0.0.1:6379", "opened"),
    "workers": (1, "opened"),
    "threads": (2, "opened"),
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """`swept(recipe, arguments)` runs one `sweep` in a folder of datasets and tells what can be seen of it."""
    place = tmp_path_factory.mktemp("sweep")
    two = [write_bars(place / f"SYNTH{name}.csv", 2600, seed=seed) for seed, name in enumerate("AB")]
    (place / "own.py").write_text(OWN_FEATURE, encoding="utf-8")
    with own_features(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        own = ("--set", f"features=[{', '.join((*COLUMNS, 'gap_1'))}]", "--plugin", "own.py")
        succeed("data", "build", *two, "--out", "two", *DATASET)
        succeed("data", "build", two[0], "--out", "small", *DATASET)
        succeed("data", "build", two[0], "--out", "with_plugin", *DATASET, *own)
    (place / "other.yaml").write_text(write_yaml({**BASE, "seeds": [7]}), encoding="utf-8")

    @cache
    def run(recipe: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        opened: list[tuple[Any, ...]] = []

        def open_inline(name: str, **how: Any) -> InlineExecutor:
            opened.append((name, *sorted(how.items())))
            return InlineExecutor()

        with own_features(), no_courier() as patch:
            patch.chdir(place)
            patch.setattr(artifacts, "write_plots", lambda *_: None)
            patch.setattr(os, "fsync", lambda _: None)
            patch.setattr(protocol, "open_executor", open_inline)
            (place / "recipe.yaml").write_text(recipe, encoding="utf-8")
            config = () if "--config" in arguments else ("--config", "recipe.yaml")
            before = set(place.glob("*/summary.json"))
            for path in before:
                path.unlink()
            answer = call("sweep", *config, *arguments)
            return {"answer": answer, "opened": opened, **observed(place, answer)}

    return run


def observed(place, answer) -> dict[str, Any]:
    seen: dict[str, Any] = {"code": answer.code, "is_json": answer.out.startswith("{")}
    for path in place.glob("*/summary.json"):
        runs = read_json(path)["runs"]
        manifests = [read_json(path.parent / run["run"] / "manifest.json") for run in runs if run["run"]]
        seen |= {
            "folder": path.parent.name,
            "jobs": [run["job"] for run in runs],
            "seeds": [run["seed"] for run in runs],
            "symbols": [manifest["symbols"] for manifest in manifests],
            "experiment": [manifest["experiment_name"] for manifest in manifests],
            "tracking": [told_to_trackers(path.parent / run["run"]) for run in runs if run["run"]],
        }
    return seen


def recipe(**changes: Any) -> str:
    return write_yaml({**BASE, **changes})


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_acts(name, swept) -> None:
    change, differs = FLAGS[name]
    check_differs(swept(without(name), ()), swept(recipe(**BESIDE.get(name, {})), change), differs)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_acts(name, swept) -> None:
    value, differs = KEYS[name]
    check_differs(swept(without(name), ()), swept(recipe(**BESIDE.get(name, {}), **{name: value}), ()), differs)


def without(name: str) -> str:
    return recipe(**BESIDE[name]) if name == "plugins" else recipe()


def check_differs(before: dict[str, Any], after: dict[str, Any], differs: str) -> None:
    assert after["code"] == 0, after["answer"].err
    assert before.get(differs) != after.get(differs)


def test_an_interrupted_sweep_says_that_the_same_command_continues_it(swept, monkeypatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "run_sweep", interrupt)
    seen = swept(recipe(out="cut_off"), ())
    assert seen["code"] == 130
    assert "the same command continues the study cut_off\n" in seen["answer"].err


def test_the_executor_is_opened_with_what_was_asked_for(swept) -> None:
    asked = ("--executor", "ray", "--address", "10.0.0.1:6379", "--workers", "3", "--threads", "2")
    assert swept(recipe(), asked)["opened"] == [("ray", ("address", "10.0.0.1:6379"), ("threads", 2), ("workers", 3))]


def test_a_dry_run_shows_jobs_memory_and_cores_and_leaves_nothing(swept) -> None:
    seen = swept(
        recipe(out="nothing"), ("--symbols", "each", "--seeds", "1,2", "--workers", "1", "--dry-run", "--json")
    )
    values = seen["answer"].json
    assert [(job["symbol"], job["seed"]) for job in values["jobs"]] == [
        ("SYNTHA", 1), ("SYNTHA", 2), ("SYNTHB", 1), ("SYNTHB", 2),
    ]  # fmt: skip
    assert (values["workers"], values["threads_per_job"]) == (1, 1)
    assert values["memory_at_once_gb"] == values["jobs"][0]["memory_gb"] == 0.6
    assert not any(job["finished"] for job in values["jobs"])
    assert "folder" not in seen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--models", "lightbgm"), "Did you mean 'lightgbm'"),
        (("--executor", "slurm"), "executor: input should be 'local' or 'ray'"),
        (("--workers", "0"), "workers: input should be greater than or equal to 1"),
        (("--seeds", "one"), "--seeds takes whole numbers, got 'one'"),
        (("--set", "dataset=null"), "sweep needs a dataset"),
        (("--set", "modles=[svm]"), "modles: unknown key; did you mean 'models'?"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words, swept) -> None:
    seen = swept(recipe(hyper_parameters={}), arguments)
    assert seen["code"] == 2
    assert words in seen["answer"].err
    assert seen["opened"] == []


def test_a_run_that_fails_is_told_with_its_exit_code_and_the_others_are_made(swept, monkeypatch) -> None:
    refuse_seed(monkeypatch, 2)
    seen = swept(recipe(out="odd"), ("--seeds", "2,3"))
    assert seen["code"] == 65
    assert "2 jobs in all, 1 finished, 1 failed\n" in seen["answer"].out
    assert "failed: random_forest, horizon 5, seed 2: row 3 is odd.\n" in seen["answer"].out


def test_every_flag_of_sweep_has_a_case() -> None:
    assert flags_of("sweep") == set(FLAGS)


def test_every_key_of_a_sweep_recipe_has_a_case() -> None:
    assert set(SweepRecipe.model_fields) == set(KEYS)
