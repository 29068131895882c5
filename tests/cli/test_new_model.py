"""`new-model` writes a model that keeps the contract and trains, and refuses what would not become one."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from command_line import call, succeed
from own_models import own_registry

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.cli.new_model import TEMPLATE_OF_FAMILY
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.models.registry import EXTRA_OF_FAMILY, ModelRegistry
from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.testing import models as contract
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

__all__ = ["own_registry"]

needs_torch = pytest.mark.skipif(not is_installed("torch"), reason="networks need torch")
checks_windows = pytest.mark.skipif(not hasattr(contract, "planted_windows"), reason="the kit checks rows only")


@pytest.fixture
def empty_folder(tmp_path, monkeypatch, own_registry):
    """The folder at hand, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clone(empty_folder):
    """The folder at hand, with the folders of a clone."""
    (empty_folder / "src" / "ohlcv_factory" / "models").mkdir(parents=True)
    return empty_folder


def container():
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    return TimeSeriesDataContainer.from_bars(random_walk(2500, 7, bar_seconds=3600), horizon=20, config=config)


def train(name: str, settings: dict) -> tuple:
    config = TrainerConfig(model_name=name, horizon=20, model=settings, output_dir=Path("runs"))
    return Trainer(config).run(container())


@pytest.mark.parametrize(
    ("name", "family"),
    [("my_table", "classical"), pytest.param("my_network", "neural", marks=[needs_torch, checks_windows])],
)
def test_what_it_writes_keeps_the_contract_from_the_start(empty_folder, name, family) -> None:
    succeed("new-model", name, "--family", family, "--test")
    test = runpy.run_path(f"test_{name}.py")
    test[f"test_{name}_keeps_the_contract"]()
    assert ModelRegistry.entry(name).family == family


def test_a_table_model_trains_to_a_finished_run(empty_folder) -> None:
    succeed("new-model", "my_table", "--family", "boosting")
    runpy.run_path("my_table.py")
    result = train("my_table", {"sharpness": 0.2})
    assert (result.path / "checkpoints" / "best_model.npz").is_file()


@needs_torch
def test_a_network_trains_to_a_finished_run_with_its_own_and_the_shared_settings(empty_folder) -> None:
    succeed("new-model", "my_network", "--family", "transformer")
    runpy.run_path("my_network.py")
    result = train("my_network", {"hidden_size": 8, "lookback": 8, "max_epochs": 2, "device": "cpu"})
    assert result.training.epochs_trained == 2
    assert (result.path / "checkpoints" / "best_model.safetensors").is_file()


def test_every_family_with_a_template_is_a_family_of_the_registry() -> None:
    assert set(EXTRA_OF_FAMILY) - set(TEMPLATE_OF_FAMILY) == {"foundation", "ensemble"}


def test_in_a_clone_the_files_go_to_the_folder_of_the_family_and_its_mirror(clone) -> None:
    answer = succeed("new-model", "my_network", "--family", "state_space", "--test", "--json")
    assert answer.json["files"] == [
        "src/ohlcv_factory/models/state_space/my_network.py",
        "tests/models/state_space/test_my_network.py",
    ]
    assert "runpy" not in (clone / answer.json["files"][1]).read_text()
    assert "train it: ohlcv-factory train --dataset DATASET --horizon 20 --model my_network" in answer.json["next"]


def test_a_file_that_is_named_is_written_in_a_clone_too(clone) -> None:
    succeed("new-model", "my_table", "--family", "classical", "--out", "own/other.py", "--test")
    assert "class MyTable(BaseModel)" in (clone / "own" / "other.py").read_text()
    assert 'with_name("other.py")' in (clone / "own" / "test_other.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gru", "--family", "neural"], 2, "'gru' is taken by ohlcv_factory.models.neural.gru"),
        (["My-Net", "--family", "neural"], 2, "'My-Net' cannot name a model"),
        (["lambda", "--family", "neural"], 2, "'lambda' cannot name a model"),
        (["my_net", "--family", "neurall"], 2, "Did you mean 'neural'?"),
        (["my_net", "--family", "neural", "--out", "my-net.py"], 2, "my-net.py cannot be imported"),
        (["json", "--family", "neural"], 2, "json.py would hide the module 'json'"),
    ],
)
def test_a_name_family_or_file_that_cannot_be_is_refused_and_nothing_is_written(
    empty_folder, arguments, code, says
) -> None:
    answer = call("new-model", *arguments)
    assert (answer.code, list(empty_folder.iterdir())) == (code, [])
    assert says in answer.err


@pytest.mark.parametrize("existing", ["my_net.py", "test_my_net.py"])
def test_a_file_that_exists_is_left_as_it_is(empty_folder, existing) -> None:
    (empty_folder / existing).write_text("mine")
    answer = call("new-model", "my_net", "--family", "neural", "--test")
    assert answer.code == 73
    assert f"{existing} exists already" in answer.err
    assert [(path.name, path.read_text()) for path in empty_folder.iterdir()] == [(existing, "mine")]
