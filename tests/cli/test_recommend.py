"""`recommend`: every option acts, what it says, and a recipe that `train` takes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from command_line import call, succeed, train
from option_cases import flags_of
from option_data import laid_out
from own_features import own_features
from quick_studies import quick_runs

from ohlcv_factory.config import read_yaml
from ohlcv_factory.studies import recommendation
from ohlcv_factory.studies.selection_guide import selection_guide

FLAGS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "dataset": (("--dataset", "other"), "recipe", ()),
    "symbol": (("--symbol", "SYNTHA"), "recipe", ("--dataset", "two")),
    "horizon": (("--horizon", "10"), "recipe", ()),
    "interpretable": (("--interpretable",), "answer", ()),
    "latency_ms": (("--latency-ms", "900"), "answer", ()),
    "context_bars": (("--context-bars", "257"), "answer", ()),
    "covariates": (("--covariates",), "answer", ()),
    "minutes": (("--minutes", "500"), "minutes", ()),
    "correlation": (("--correlation", "0.1"), "facts", ()),
    "checkpoint": (("--checkpoint", "nowhere/at-all"), "obstacles", ()),
    "runs": (("--runs", "runs"), "runs", ()),
    "by": (("--by", "macro_f1"), "runs", ("--runs", "runs")),
    "plugins": (("--plugin", "own.py"), "code", ("--dataset", "with_plugin")),
    "out": (("--out", "written.yaml"), "files", ()),
    "seed": (("--seed", "7"), "recipe", ()),
    "threads": (("--threads", "1"), "machine", ()),
    "as_json": (("--json",), "is_json", ()),
}
EVERYWHERE = ("--dataset", "small", "--horizon", "5")


def quick_guide():
    """The tree with 100 samples for 50,000, and at its ends one model without a checkpoint and one that fits at once."""
    own = selection_guide()
    asked = {**own.questions, "enough_rows": own.questions["enough_rows"].model_copy(update={"above": 100.0})}
    ends = {
        name: each.model_copy(update={"models": ("chronos_bolt", "logistic")}) for name, each in own.answers.items()
    }
    return own.model_copy(update={"questions": asked, "answers": ends})


@pytest.fixture(scope="module", autouse=True)
def _no_checkpoints():
    """Other tests may have laid some out for this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FACTORY_CHECKPOINTS", raising=False)
        yield


@pytest.fixture(scope="module")
def advised(folder, option_data):
    """`advised(arguments)` runs one `recommend` in a folder of datasets and tells what can be seen of it."""
    place = laid_out(option_data, folder / "recommend")
    with quick_runs():
        train(place / "small", place / "runs")
        train(place / "small", place / "runs", "--set", "model.n_estimators=5", model="random_forest")

    @cache
    def run(arguments: tuple[str, ...]) -> dict[str, Any]:
        with own_features(), pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            patch.setattr(recommendation, "selection_guide", quick_guide)
            answer = call("recommend", *arguments, environment={"OMP_NUM_THREADS": "2"})
        return observed(answer) | {"files": (place / "written.yaml").is_file()}

    return run


def observed(answer):
    """What a user can see of one command."""
    is_json = answer.out.startswith("{")
    seen = {"answer": answer, "code": answer.code, "is_json": is_json}
    if not is_json or answer.code:
        return seen
    told = answer.json
    return seen | {
        **{name: told[name] for name in ("answer", "facts", "recipe", "runs")},
        "minutes": [each["minutes"] for each in told["candidates"]],
        "obstacles": [each["obstacles"] for each in told["candidates"]],
        "machine": told["machine"]["threads"],
    }


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_acts(name, advised):
    change, differs, base = FLAGS[name]
    shown = () if name == "as_json" else ("--json",)
    before, after = (advised((*with_defaults(given), *shown)) for given in (base, (*base, *change)))
    assert after["code"] == 0, after["answer"].err
    assert before.get(differs) != after.get(differs)


def with_defaults(given):
    """What is given, with a dataset and a horizon where it names none."""
    flags = {"--dataset": "small", "--horizon": "5"}
    return (*(part for flag, value in flags.items() if flag not in given for part in (flag, value)), *given)


def test_every_flag_of_recommend_has_a_case():
    assert flags_of("recommend") == set(FLAGS)


def test_the_recipe_that_is_written_is_trained_by_train(folder, advised, tmp_path, monkeypatch):
    monkeypatch.chdir(folder / "recommend")
    recipe = tmp_path / "recipe.yaml"
    assert advised((*EVERYWHERE, "--out", str(recipe)))["code"] == 0
    assert read_yaml(recipe).values["model_name"] == "logistic"
    with quick_runs():
        done = succeed("train", "--config", recipe, "--output-dir", tmp_path / "runs", "--json").json
    assert done["evaluation_metrics"]["model_name"] == "logistic"


def test_the_text_tells_each_fork_the_candidates_the_matrix_and_why(advised):
    text = re.sub(" {2,}", "  ", advised((*EVERYWHERE, "--latency-ms", "900"))["answer"].out)
    for line in (
        "Is an answer within a second needed?  yes  wanted: 900 ms for an answer  asked",
        "chronos_bolt: checkpoint 'amazon/chronos-bolt-small' is not on this machine",
        "chronos_bolt  n/a (zero-shot)  fast  very high  low  high",
        "recommended: logistic (the first of the tree's models that can be had here)",
        "warning: The tree and the matrix are the specification's opinion, which names no source.",
        "recipe (--out FILE writes it)\nmodel_name: logistic",
    ):
        assert line in text


def test_finished_runs_are_shown_with_their_ranks_and_what_they_prove(advised):
    text = advised((*EVERYWHERE, "--runs", "runs"))["answer"].out
    shown = text.partition("finished runs on these rows, by sharpe_ratio\n")[2].partition("\n\n")[0]
    assert {line.split()[0] for line in shown.splitlines()[2:4]} == {"logistic", "random_forest"}
    assert "is best by sharpe_ratio" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "recommend needs a dataset"),
        ((*EVERYWHERE, "--latency-ms", "0"), 2, "latency_ms: input should be greater than 0"),
        ((*EVERYWHERE, "--correlation", "2"), 2, "correlation: input should be less than 1"),
        ((*EVERYWHERE, "--runs", "nowhere"), 66, "nowhere does not exist"),
        ((*EVERYWHERE, "--runs", "runs", "--by", "luck"), 2, "unknown score 'luck'"),
        ((*EVERYWHERE, "--seed", "-1"), 2, "seed: must be at least 0, got -1"),
        ((*EVERYWHERE, "--by", "macro_f1"), 2, "no runs are given that macro_f1 could compare"),
        (("--dataset", "small", "--horizon", "7"), 2, "horizon 7 is not in this dataset"),
    ],
)
def test_what_cannot_be_is_refused(arguments, code, words, advised):
    seen = advised(arguments)
    assert seen["code"] == code
    assert words in seen["answer"].err
