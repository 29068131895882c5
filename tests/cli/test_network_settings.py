"""What a network was set to can be read before and after the run, and each recipe of a network runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import DATASET, call, succeed, write_bars
from markets import COLUMNS

from ohlcv_factory.config import read_yaml
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime import memory
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training import plan

pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "configs" / "models"
NETWORKS = {name for name, entry in ModelRegistry.entries().items() if entry.extra == "neural"}
OF_RAW_BARS = ("log_open_change", "log_high_change", "log_low_change", "log_return_1", "log_volume_change")
"""The columns of the models that read raw bars."""
RECIPES = sorted(path for path in FOLDER.glob("*.yaml") if read_yaml(path).values["model_name"] in NETWORKS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    columns = ", ".join([*COLUMNS, *OF_RAW_BARS])
    bars = write_bars(folder / "SYNTH_few.csv", 3000)
    succeed("data", "build", bars, "--out", folder / "dataset", *DATASET, "--set", f"features=[{columns}]")
    return folder / "dataset"


def values(*arguments: str) -> dict[str, dict[str, str]]:
    return {row["key"]: row for row in succeed("config", "show", *arguments, "--json").json}


def test_config_show_tells_what_the_small_preset_would_set():
    shown = values("gru")
    assert shown["model.hidden_size"]["value"] == 128
    assert shown["model.hidden_size"]["meaning"].endswith("(preset small: 64)")
    assert shown["model.windows_per_epoch"]["meaning"].endswith("(preset small: 8192)")
    assert "small" not in values("gru", "--set", "model.preset=spec")["model.hidden_size"]["meaning"]
    assert "small" not in values("gru", "--set", "model.hidden_size=99")["model.hidden_size"]["meaning"]


def test_trainer_settings_reach_the_network_and_the_choice_is_told_and_saved(dataset, tmp_path):
    top = ("sequence_length=9", "batch_size=100", "max_epochs=2", "early_stopping_patience=1")
    sizes = ("model.hidden_size=4", "model.num_layers=1", "model.windows_per_epoch=300", "model.device=cpu")
    settings = [part for value in (*top, *sizes) for part in ("--set", value)]
    place = ("--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path)
    answer = succeed("train", "--model", "gru", *place, *settings)
    (run,) = (path.parent for path in tmp_path.glob("*/state.json"))
    said = "chosen for this machine: preset small, lookback 9, windows_per_epoch 300, device cpu, precision"
    assert said in answer.out
    saved = read_yaml(run / "config" / "model_config.yaml").values
    assert {name: saved[name] for name in ("lookback", "batch_size", "max_epochs", "early_stopping_patience")} == {
        "lookback": 9,
        "batch_size": 100,
        "max_epochs": 2,
        "early_stopping_patience": 1,
    }
    assert saved["chosen_for_machine"]["windows_per_epoch"] == 300
    assert read_json(run / "metrics" / "training_metrics.json")["epochs_trained"] <= 2


def test_a_network_that_cannot_fit_is_refused_with_the_batch_size_that_would(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 800_000_000)
    monkeypatch.setattr(plan, "PROBE_BATCHES", 1)
    monkeypatch.setattr(plan, "PROBE_EPOCHS", 1)
    place = ("--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path / "runs", "--set", "model.device=cpu")

    def tried(batch_size, *more):
        return call("train", "--model", "tcn", *place, "--set", f"batch_size={batch_size}", *more)

    refused = tried(4000)
    assert (refused.code, tried(4000, "--dry-run").code) == (70, 70)
    assert not (tmp_path / "runs").exists()
    advised = int(re.search(r"help: lower batch_size to (\d+)", refused.err)[1])
    assert tried(advised + 10).code == 70
    assert tried(advised, "--dry-run", "--json").json["memory_gb"] <= 0.8


def test_every_network_has_a_recipe_that_names_only_what_differs():
    assert {path.stem for path in RECIPES} == NETWORKS | {"nbeats_generic", "nbeats_interpretable"}
    for path in RECIPES:
        assert set(read_yaml(path).values) <= {"model_name", "model"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_can_be_planned(recipe, dataset, tmp_path):
    place = ("--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path / "runs")
    answer = call("train", "--config", recipe, *place, "--set", "model.lookback=48", "--dry-run", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["seconds_per_epoch"] > 0
