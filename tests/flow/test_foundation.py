"""Foundation models through the command line, on a small file and a tiny checkpoint: train, resume, predict, refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import DATASET, call, fresh, succeed, write_bars

from ohlcv_factory.config import read_yaml
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training import artifacts

pytest.importorskip("chronos", reason="needs the extra foundation")

RECIPES = Path(__file__).parents[2] / "configs" / "models"
SMALL = ("lookback=64", "block_rows=32")
TRAINED = ("max_epochs=2", "windows_per_epoch=200", "batch_size=32")
SETTINGS = {
    "zero_shot": SMALL,
    "frozen": (*SMALL, "mode=frozen", *TRAINED),
    "finetune": (*SMALL, *TRAINED, "freeze_epochs=1"),
}
RECIPE = {"zero_shot": "zeroshot", "frozen": "zeroshot", "finetune": "finetune"}
CASES = [("chronos_bolt", mode) for mode in SETTINGS] + [("timesfm", "zero_shot")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a small bar file and its dataset."""
    folder = tmp_path_factory.mktemp("foundation")
    succeed("data", "build", write_bars(folder / "SYNTH_few.csv", 2400), "--out", folder / "dataset", *DATASET)
    return folder


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    """Pictures and fsync are most of a small run."""
    monkeypatch.setattr(artifacts, "write_plots", lambda *_: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def arguments(model: str, mode: str, place: Path, runs: Path) -> list[str]:
    settings = [part for value in SETTINGS[mode] for part in ("--set", f"model.{value}")]
    recipe = RECIPES / f"{model}_{RECIPE[mode]}.yaml"
    where = ["--dataset", str(place / "dataset"), "--output-dir", str(runs), "--horizon", "5", "--threads", "1"]
    return ["train", "--config", str(recipe), *where, *settings]


def check_run(run: Path, model: str, mode: str) -> None:
    """Checkpoint, licence and end of the data are recorded; the choice of block and context can be read."""
    training = read_json(run / "metrics" / "training_metrics.json")
    (pretraining,) = training["pretraining"]
    assert pretraining["licence"] == "Apache-2.0"
    assert any(note.startswith(f"pre-trained: {pretraining['name']}") for note in training["notes"])
    assert any("ms per row" in note for note in training["notes"])
    saved = read_yaml(run / "config" / "model_config.yaml").values
    assert (saved["mode"], saved["lookback"], saved["block_rows"]) == (mode, 64, 32)
    assert (training["train_loss"] is None) == (mode == "zero_shot")


@pytest.mark.parametrize(("model", "mode"), CASES)
def test_train_and_predict_on_the_raw_file_give_the_same_bytes(model, mode, place, shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    answer = succeed(*arguments(model, mode, place, tmp_path / "runs"), "--json")
    run = Path(answer.json["output_path"])
    check_run(run, model, mode)
    out = tmp_path / "predicted.parquet"
    succeed("predict", run, place / "SYNTH_few.csv", "--out", out)
    predicted, stored = pl.read_parquet(out), pl.read_parquet(run / "predictions" / "val_predictions.parquet")
    same = predicted.filter(pl.col("row").is_in(stored["row"].implode()))
    for name in ("raw_short", "raw_neutral", "raw_long", "p_short", "p_neutral", "p_long"):
        assert same[name].to_numpy().tobytes() == stored[name].to_numpy().tobytes(), name


@pytest.mark.slow
@pytest.mark.parametrize(("model", "mode"), [*CASES, ("timesfm", "frozen"), ("timesfm", "finetune")])
def test_the_same_command_in_fresh_processes_gives_the_same_bytes(model, mode, place, shelf, tmp_path, monkeypatch):
    runs = []
    for name in ("first", "second"):
        monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / name / "cache"))
        answer = fresh(*arguments(model, mode, place, tmp_path / name / "runs"), "--json")
        runs.append(Path(json.loads(answer.stdout)["output_path"]))
    for name in ("predictions/val_probabilities.npy", "checkpoints/best_model.safetensors"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_a_dry_run_tells_context_block_and_latency_and_writes_nothing(place, shelf, tmp_path):
    plans = {}
    for mode in ("zero_shot", "finetune"):
        command = arguments("chronos_bolt", mode, place, tmp_path / "runs")
        plans[mode] = succeed(*command, "--dry-run", "--json").json
    for plan in plans.values():
        assert plan["ms_per_row"] > 0 and plan["seconds_at_most"] >= 0
        assert (plan["lookback"], plan["parameters"]) == (64, 24_048)
    assert "batches_per_epoch" not in plans["zero_shot"] and plans["finetune"]["batches_per_epoch"] == 7
    assert not (tmp_path / "runs").exists()


def test_bars_that_pre_training_may_have_seen_are_warned_of_in_training_and_in_evaluation(place, shelf, tmp_path):
    command = arguments("chronos_bolt", "zero_shot", place, tmp_path / "runs")
    for until, warned in (("2099-12-31", True), ("1999-12-31", False)):
        answer = succeed(*command, "--set", f"model.data_until={until}", "--json")
        run = Path(answer.json["output_path"])
        notes = read_json(run / "metrics" / "training_metrics.json")["notes"]
        evaluated = succeed("evaluate", run, "--part", "test")
        for said in (answer.err, evaluated.err, " ".join(notes)):
            assert ("pre-training may have seen these bars" in said) == warned
        assert any("the user says so" in note for note in notes)


def test_every_foundation_model_has_recipes_that_name_only_what_differs(monkeypatch):
    monkeypatch.delenv("FACTORY_CHECKPOINTS", raising=False)
    names = [name for name, entry in ModelRegistry.entries().items() if entry.family == "foundation"]
    for name in names:
        modes = {}
        for path in RECIPES.glob(f"{name}_*.yaml"):
            assert set(read_yaml(path).values) <= {"model_name", "model"}
            shown = {
                row["key"]: row["value"] for row in succeed("config", "show", name, "--config", path, "--json").json
            }
            modes[path.stem.removeprefix(f"{name}_")] = shown["model.mode"]
        assert modes == {"zeroshot": "zero_shot", "finetune": "finetune"}


def test_without_a_checkpoint_a_run_is_refused_before_there_is_a_folder(place, tmp_path, monkeypatch):
    monkeypatch.delenv("FACTORY_CHECKPOINTS", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    answer = call(*arguments("chronos_bolt", "zero_shot", place, tmp_path / "runs"))
    assert answer.code == 66
    assert "hf download amazon/chronos-bolt-small config.json model.safetensors --local-dir" in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_checkpoint_that_was_exchanged_after_the_run_is_refused(place, tmp_path):
    import checkpoints

    own = checkpoints.chronos_bolt(tmp_path / "own")
    command = arguments("chronos_bolt", "zero_shot", place, tmp_path / "runs")
    run = Path(succeed(*command, "--set", f"model.checkpoint={own}", "--json").json["output_path"])
    checkpoints.chronos_bolt(own, seed=1)
    answer = call("predict", run, place / "SYNTH_few.csv", "--out", tmp_path / "out.parquet")
    assert answer.code == 76
    assert "not the one that the model was made with" in answer.err


def test_a_fixed_horizon_label_is_read_at_its_horizon(place, shelf, tmp_path):
    folder = tmp_path / "fixed"
    build = ("--out", folder, "--horizons", "5", "--embargo", "auto", "--set", "label=fixed_horizon")
    succeed("data", "build", place / "SYNTH_few.csv", *build)
    command = arguments("chronos_bolt", "zero_shot", place, tmp_path / "runs")
    command[command.index("--dataset") + 1] = str(folder)
    run = Path(succeed(*command, "--json").json["output_path"])
    probabilities = np.load(run / "predictions" / "val_probabilities.npy")
    assert np.allclose(probabilities.sum(axis=1), 1) and probabilities.std(axis=0).min() > 0
