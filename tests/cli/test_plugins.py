"""Features and sets of one's own from the raw file to the newest prediction; each step in a registry of its own."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
from command_line import DATASET, Answer, call, succeed, write_bars
from markets import COLUMNS
from own_features import OWN_FEATURE, own_features

from ohlcv_factory.config import read_yaml, write_yaml
from ohlcv_factory.dataset.store import read_dataset
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import read_json, write_json

SETS = """
mine:
  purpose: my own gaps beside the oscillators
  include: [category:user, rsi_14, return_*]
  exclude: [return_5]
"""
MINE = ["return_1", "rsi_14", "gap_1", "gap_5"]


def fresh(*arguments) -> Answer:
    """A command as in a process of its own: no plugin is known before it."""
    with own_features():
        return call(*arguments)


def done(*arguments) -> Answer:
    with own_features():
        return succeed(*arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("plugins")
    write_bars(place / "SYNTH.csv", 5000)
    (place / "own.py").write_text(OWN_FEATURE)
    (place / "sets.yaml").write_text(SETS)
    columns = f"features=[{', '.join((*COLUMNS, 'gap_1', 'gap_5'))}]"
    done(
        *("data", "build", place / "SYNTH.csv", "--out", place / "dataset", *DATASET),
        *("--set", columns, "--plugin", place / "own.py"),
    )
    return place


def training(place, *more):
    where = ("--dataset", place / "dataset", "--output-dir", place / "runs", "--horizon", "5", "--model", "logistic")
    return ("train", *where, "--feature-set", "mine", "--feature-sets", place / "sets.yaml", *more)


@pytest.fixture(scope="module")
def run(place):
    return done(*training(place, "--plugin", place / "own.py", "--json")).json["output_path"]


def test_the_dataset_holds_the_columns_and_names_their_file_with_its_digest(place):
    manifest = read_json(place / "dataset" / "dataset.json")
    own = place / "own.py"
    assert manifest["plugins"] == [{"place": str(own), "sha256": file_digest(own), "columns": ["gap_1", "gap_5"]}]
    frame = pl.read_parquet(place / "dataset" / "SYNTH.parquet")
    gaps = (frame["open"] / frame["close"].shift(5)).log().cast(pl.Float32)
    assert (frame["gap_5"] - gaps)[5:].abs().max() < 1e-6


def test_the_run_holds_columns_set_and_digests(place, run):
    features = read_yaml(f"{run}/config/feature_config.yaml").values
    assert features["columns"] == MINE
    assert (features["feature_set"], features["feature_set_version"]) == ("mine", None)
    assert len(features["feature_set_digest"]) == 64
    assert features["data"]["plugins"][0]["sha256"] == file_digest(place / "own.py")
    recipe = read_yaml(f"{run}/config/training_config.yaml").values
    assert recipe["feature_sets"]["mine"]["exclude"] == ["return_5"]
    assert recipe["plugins"] == [str(place / "own.py")]


def test_the_saved_recipe_trains_the_same_run_again(place, run):
    again = done("train", "--config", f"{run}/config/training_config.yaml", "--json").json["output_path"]
    probabilities = "predictions/val_probabilities.npy"
    assert file_digest(place / again / probabilities) == file_digest(place / run / probabilities)


def test_new_bars_are_predicted_with_the_columns_of_ones_own(place, run):
    answer = done("predict", run, place / "SYNTH.csv", "--plugin", place / "own.py", "--json")
    assert answer.json["newest"][0]["decision"] in ("short", "neutral", "long")


@pytest.mark.parametrize("verb", ["train", "predict", "resume"])
def test_no_code_runs_because_a_manifest_names_it(place, run, verb):
    ran = place / "ran"
    foreign = place / "foreign"
    shutil.rmtree(foreign, ignore_errors=True)
    shutil.copytree(place / "dataset", foreign / "dataset")
    shutil.copytree(run, foreign / "run")
    manifest = read_json(foreign / "dataset" / "dataset.json")
    evil = foreign / "evil.py"
    evil.write_text(f"open({str(ran)!r}, 'w')\n" + OWN_FEATURE)
    manifest["plugins"][0] |= {"place": str(evil), "sha256": file_digest(evil)}
    manifest["config"]["plugins"] = [str(evil)]
    (foreign / "dataset" / "dataset.json").write_text(json.dumps(manifest))
    if verb == "resume":  # of a run that was cut off no file is compared with a manifest
        recipe = read_yaml(foreign / "run" / "config" / "training_config.yaml").values
        (foreign / "run" / "config" / "training_config.yaml").write_text(write_yaml({**recipe, "plugins": [str(evil)]}))
        write_json(foreign / "run" / "state.json", {"state": "FAILED", "attempt": 1})
    commands = {
        "train": training(foreign),
        "predict": ("predict", foreign / "run", place / "SYNTH.csv"),
        "resume": ("resume", foreign / "run", "--dataset", foreign / "dataset"),
    }
    shutil.copy(place / "sets.yaml", foreign)
    answer = fresh(*commands[verb])
    assert answer.code == 2
    assert "which was not named" in answer.err
    assert "it is code that will run: if you trust it, add --plugin" in answer.err
    assert read_dataset(foreign / "dataset").config.plugins == ()
    assert not ran.exists()
    assert read_json(foreign / "run" / "state.json")["attempt"] == 1


@pytest.mark.parametrize("verb", ["train", "predict"])
def test_a_plugin_that_has_changed_is_refused(place, run, verb):
    changed = place / "changed.py"
    changed.write_text(OWN_FEATURE.replace("np.log", "2.0 * np.log"))
    commands = {"train": training(place), "predict": ("predict", run, place / "SYNTH.csv")}
    answer = fresh(*commands[verb], "--plugin", changed)
    assert answer.code == 76
    assert "is not the file that made column 'gap_1'" in answer.err
    assert fresh(*commands[verb], "--plugin", place / "none.py").code == 66


def test_a_bad_set_or_plugin_leaves_no_run_folder(place):
    before = set((place / "runs").glob("*"))
    assert fresh(*training(place)).code == 2
    assert set((place / "runs").glob("*")) == before


def test_columns_and_sets_of_ones_own_are_listed_and_described(place):
    own = ("--plugin", place / "own.py", "--json")
    assert [row["name"] for row in done("features", "list", "--category", "user", *own).json] == ["gap_1", "gap_5"]
    described = done("features", "describe", "gap_5", *own).json
    assert (described["declared_in"], described["sha256"]) == (str(place / "own.py"), file_digest(place / "own.py"))
    sets = done("features", "sets", "--feature-sets", place / "sets.yaml", *own).json
    assert sets[0]["name"] == "boosting_optimal"
    assert (sets[-1]["name"], sets[-1]["version"]) == ("mine", None)
    assert set(sets[-1]["columns"]) > set(MINE)
    listed = ("features", "list", "--set-name", "mine", "--feature-sets", place / "sets.yaml", *own)
    assert [row["name"] for row in done(*listed).json] == sets[-1]["columns"]


def test_the_list_of_sets_counts_their_columns():
    lines = done("features", "sets").out.splitlines()
    assert lines[0].split() == ["set", "columns", "version", "purpose"]
    assert any(line.split()[:5] == ["ohlcv_returns,", "nbeats_raw,", "linear_raw", "5", "v1"] for line in lines)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mine:\n  include: [rsi_41]\n", "rule 'rsi_41' matches no feature"),
        ("mine:\n  inclode: [rsi_14]\n", "sets.yaml:2"),
        ("neural_optimal:\n  include: [rsi_14]\n", "feature set 'neural_optimal' is built in"),
    ],
)
def test_a_broken_file_of_sets_is_refused_with_rule_or_line(tmp_path, text, complaint):
    (tmp_path / "sets.yaml").write_text(text)
    answer = fresh("features", "sets", "--feature-sets", tmp_path / "sets.yaml")
    assert answer.code == 2
    assert complaint in answer.err
