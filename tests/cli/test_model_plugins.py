"""A model of one's own in a file, from its name on the command line to a prediction; each step in a registry of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Answer, call, succeed
from own_models import OWN_MODEL, own_models

from ohlcv_factory.config import read_yaml, write_yaml
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import read_json, write_json


def fresh(*arguments) -> Answer:
    """A command as in a process of its own: no model of a file is known before it."""
    with own_models():
        return call(*arguments)


def done(*arguments) -> Answer:
    with own_models():
        return succeed(*arguments)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN_MODEL)
    return path


def training(dataset, output_dir, *more):
    where = ("--dataset", dataset, "--output-dir", output_dir, "--horizon", "5", "--set", "model.smoothing=3")
    return ("train", "--model", "class_shares", *where, *more)


@pytest.fixture(scope="module")
def run(dataset, own, tmp_path_factory):
    runs = tmp_path_factory.mktemp("experiments") / "runs"
    return Path(done(*training(dataset, runs, "--plugin", own, "--json")).json["output_path"])


@pytest.fixture
def cut_off(run, tmp_path):
    """The run as a killed process would leave it, with a recipe that names a file that is not to be run."""
    folder = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    write_json(folder / "state.json", {"state": "RUNNING", "attempt": 1, "updated": "", "error": None})
    (folder / "manifest.json").unlink()
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n" + OWN_MODEL)
    recipe = read_yaml(folder / "config" / "training_config.yaml").values
    text = write_yaml({**recipe, "plugins": [str(evil)]})
    (folder / "config" / "training_config.yaml").write_text(text)
    return folder


def test_the_model_is_listed_described_and_configured_once_its_file_is_named(own):
    rows = {row["name"]: row for row in done("models", "list", "--plugin", own, "--json").json}
    assert (rows["class_shares"]["family"], rows["class_shares"]["installed"]) == ("own", True)
    info = done("models", "info", "class_shares", "--plugin", own, "--json").json
    assert info["plugin"] == {"place": str(own), "sha256": file_digest(own)}
    shown = {row["key"]: row["value"] for row in done("config", "show", "class_shares", "--plugin", own, "--json").json}
    assert (shown["model.smoothing"], shown["plugins"]) == ("1.0", f"['{own}']")
    assert "class_shares" not in done("models", "list").out
    assert fresh("models", "info", "class_shares").code == 2


def test_the_run_keeps_name_file_and_digest(run, own):
    assert read_json(run / "manifest.json")["model"] == "class_shares"
    facts = read_yaml(run / "config" / "model_config.yaml").values
    assert facts["plugin"] == {"place": str(own), "sha256": file_digest(own)}
    assert facts["smoothing"] == 3.0
    assert read_yaml(run / "config" / "training_config.yaml").values["plugins"] == [str(own)]


def test_the_saved_recipe_trains_the_same_run_again(run, tmp_path):
    recipe = run / "config" / "training_config.yaml"
    again = Path(done("train", "--config", recipe, "--output-dir", tmp_path, "--json").json["output_path"])
    probabilities = "predictions/val_probabilities.npy"
    assert (again / probabilities).read_bytes() == (run / probabilities).read_bytes()


def test_predict_and_evaluate_work_once_the_file_is_named(run, own, bar_csv):
    newest = done("predict", run, bar_csv, "--plugin", own, "--json").json["newest"][0]
    assert newest["decision"] in ("short", "neutral", "long")
    scores = done("evaluate", run, "--plugin", own, "--json").json["evaluation_metrics"]
    stored = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    assert scores["classification"]["log_loss"] == stored["classification"]["log_loss"]


@pytest.mark.parametrize("verb", ["predict", "evaluate", "resume"])
def test_a_file_that_is_not_named_or_another_one_is_refused(verb, run, cut_off, own, bar_csv, tmp_path):
    command = {"predict": ("predict", run, bar_csv), "evaluate": ("evaluate", run), "resume": ("resume", cut_off)}[verb]
    answer = fresh(*command)
    assert answer.code == 2
    assert f"'class_shares': a model of {own}, which was not named" in answer.err
    assert f"if you trust it, add --plugin {own}" in answer.err
    other = tmp_path / "other.py"
    other.write_text(OWN_MODEL + "\n# changed\n")
    answer = fresh(*command, "--plugin", other)
    assert answer.code == 76
    assert "is not the file that made model 'class_shares'" in answer.err
    assert not (tmp_path / "ran").exists()


def test_a_run_is_resumed_with_the_file_that_is_named_and_runs_none_that_it_names_itself(cut_off, run, own, tmp_path):
    done("resume", cut_off, "--plugin", own)
    assert read_json(cut_off / "state.json")["state"] == "FINISHED"
    assert not (tmp_path / "ran").exists()
    for name in ("predictions/val_probabilities.npy", "checkpoints/best_model.npz"):
        assert (cut_off / name).read_bytes() == (run / name).read_bytes()


def test_run_trains_it_and_predicts_with_it(bar_csv, own, tmp_path):
    features = ("--set", "features=[return_1, rsi_14]")
    command = ("run", bar_csv, "--models", "class_shares", "--horizons", "5", "--embargo", "auto", *features)
    answer = done(*command, "--plugin", own, "--out", tmp_path / "out", "--json")
    assert {row["model_name"] for row in answer.json["leaderboard"]} == {"class_shares"}
    assert fresh(*command, "--out", tmp_path / "other").code == 2
    assert not (tmp_path / "other").exists()
