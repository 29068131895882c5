"""What a network was set to can be read before and after the run, and each recipe of a network runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import DATASET, call, succeed, write_bars
from markets import COLUMNS

from ohlcv_factory.config import read_yaml
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json

pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "configs" / "models"
NETWORKS = {name for name, entry in ModelRegistry.entries().items() if "torch" in entry.requires}
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
