from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

import checkpoints
from safetensors.torch import load_file, save_file

from ohlcv_factory.errors import DataError
from ohlcv_factory.models._foundation.checkpoint import open_checkpoint
from ohlcv_factory.models.registry import ModelRegistry


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def folder(tmp_path) -> Path:
    return checkpoints.chronos_bolt(tmp_path / "bolt")


def load(folder: Path, name: str = "chronos_bolt"):
    model = ModelRegistry.create(name, threads=1)
    return model.load_backbone(open_checkpoint(str(folder), model.kinds[0]))


def change_weights(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def change_config(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(folder)
    assert caught.value.exit_code == 65
    assert "\n" not in caught.value.what
    return caught.value.what


@pytest.mark.parametrize("name", ["chronos_bolt", "timesfm"])
def test_a_folder_loads_with_the_network_switched_off_in_float32_and_without_a_word(name, tmp_path, capfd):
    build = {"chronos_bolt": checkpoints.chronos_bolt, "timesfm": checkpoints.timesfm}[name]
    folder = build(tmp_path / name)
    change_weights(folder, lambda tensors: tensors.update({key: each.bfloat16() for key, each in tensors.items()}))
    capfd.readouterr()
    before = torch.get_rng_state()
    backbone = load(folder, name)
    assert torch.equal(torch.get_rng_state(), before)
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert not any(module.training for module in backbone.network.modules())
    assert capfd.readouterr() == ("", "")


def test_weights_that_lack_a_tensor_are_refused_instead_of_filled_with_chance(folder):
    change_weights(folder, lambda tensors: tensors.pop("input_patch_embedding.hidden_layer.weight"))
    assert "config.json describes a network of 24,048 numbers, the weights are 23,024" in refusal(folder)


def test_a_tensor_under_another_name_is_refused(folder):
    def rename(tensors):
        tensors["other.weight"] = tensors.pop("encoder.block.0.layer.0.SelfAttention.q.weight")

    change_weights(folder, rename)
    assert "2 tensors have no counterpart" in refusal(folder)


def test_another_shape_is_refused(folder):
    change_config(folder, d_ff=24)
    assert "the checkpoint cannot be loaded: " in refusal(folder)


@pytest.mark.parametrize("values", [{"dense_act_fn": "no_such"}, {"num_heads": "two"}, {"d_kv": -1}])
def test_a_config_that_the_library_stumbles_over_is_bad_data(folder, values):
    change_config(folder, **values)
    assert "the checkpoint cannot be loaded: " in refusal(folder)


def test_a_config_that_describes_a_giant_costs_no_memory(folder):
    change_config(folder, d_model=16384, d_ff=65536, num_layers=256)
    assert "config.json describes a network of" in refusal(folder)


def test_the_empty_network_takes_the_weights(folder):
    filled = load(folder)
    model = ModelRegistry.create("chronos_bolt", threads=1)
    torch.manual_seed(1)  # the checkpoint's own weights were drawn with 0, as every test begins
    before = torch.get_rng_state()
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(DataError, match="describes a network of 24,048 numbers, the weights are 24,000"):
        model.empty_backbone(24_000, config)
    empty = model.empty_backbone(24_048, config)
    assert torch.equal(torch.get_rng_state(), before)
    bars = torch.rand(2, 128, 1) + 1
    assert not torch.equal(empty.embed(bars), filled.embed(bars))
    empty.load_state_dict(filled.state_dict())
    assert torch.equal(empty.embed(bars), filled.embed(bars))
