from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="checkpoints need safetensors")

from safetensors.numpy import save_file

from ohlcv_factory.errors import DataError, InputMissingError, VerificationError
from ohlcv_factory.models._foundation.checkpoint import Checkpoint, CheckpointKind, open_checkpoint, reopen_checkpoint
from ohlcv_factory.models._foundation.known_checkpoints import KNOWN, known_checkpoint

KIND = CheckpointKind("toy", {"architectures": ["ToyModel"]})
SETTINGS = {"architectures": ["ToyModel"], "d_model": 4}
CANARY = "import pathlib; pathlib.Path(__file__).with_name('canary').touch()"
FORBIDDEN_EVENTS = ("pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect")


def write_checkpoint(folder: Path, **settings: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    save_file({"linear.weight": np.zeros((3, 4), np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_checkpoint(tmp_path / "toy-small")


@pytest.fixture(autouse=True)
def _no_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("FACTORY_CHECKPOINTS", raising=False)


ARMED: list[list[str]] = []
sys.addaudithook(lambda event, _: [seen.append(event) for seen in ARMED if event.startswith(FORBIDDEN_EVENTS)])


@contextmanager
def nothing_runs():
    """Fails where code was unpickled, started or fetched meanwhile."""
    seen: list[str] = []
    ARMED.append(seen)
    try:
        yield
    finally:
        ARMED.remove(seen)
    assert seen == []


def refusal(folder: Path, error: type[Exception] = DataError) -> str:
    with nothing_runs(), pytest.raises(error) as caught:
        open_checkpoint(str(folder), KIND)
    assert caught.value.exit_code == (66 if error is InputMissingError else 65)
    assert "\n" not in caught.value.what
    assert not (folder / "canary").exists()
    return caught.value.what


def test_a_folder_is_read_with_shapes_digest_and_name(folder):
    checkpoint = open_checkpoint(str(folder), KIND)
    assert checkpoint.config["d_model"] == 4
    assert checkpoint.shapes == {"linear.weight": (3, 4)}
    assert checkpoint.parameters == 12
    assert checkpoint.pretraining.name == "toy-small"
    assert len(checkpoint.pretraining.digest) == 64
    assert (checkpoint.pretraining.licence, checkpoint.pretraining.data_until) == (None, None)


def test_texts_and_the_hubs_bookkeeping_change_nothing(folder):
    before = open_checkpoint(str(folder), KIND).pretraining
    (folder / "README.md").write_text("A toy.")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "model.bin").write_bytes(b"\x80\x04")
    assert open_checkpoint(str(folder), KIND).pretraining == before


def test_another_weight_or_setting_is_another_digest(folder, tmp_path):
    digests = {open_checkpoint(str(folder), KIND).pretraining.digest}
    digests.add(open_checkpoint(str(write_checkpoint(tmp_path / "b", d_model=5)), KIND).pretraining.digest)
    save_file({"linear.weight": np.ones((3, 4), np.float32)}, folder / "model.safetensors")
    digests.add(open_checkpoint(str(folder), KIND).pretraining.digest)
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "optimizer.pth", "a.ckpt", "scaler.pkl", "b.joblib"])
def test_a_pickle_is_refused_by_name(folder, name):
    (folder / name).write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    assert refusal(folder) == f"the checkpoint holds {name}: a pickle runs code when it is read."


@pytest.mark.parametrize("name", ["modeling_toy.py", "kernel.so", "setup.sh"])
def test_code_is_refused_by_name(folder, name):
    (folder / name).write_text(CANARY)
    assert refusal(folder) == f"the checkpoint holds {name}: it is code."


@pytest.mark.parametrize("name", ["adapter_config.json", "model.onnx", "tf_model.h5", "shards", "model-2.safetensors"])
def test_what_is_not_loaded_is_refused_by_name(folder, name):
    (folder / name).mkdir() if name == "shards" else (folder / name).write_text("{}")
    assert f"holds {name}: no checkpoint that is loaded here has such a file" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert refusal(folder, InputMissingError) == f"the checkpoint has no {name}."


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_map": {"AutoModel": "modeling_toy.ToyModel"}},
        {"trust_remote_code": True},
        {"encoder": [{"custom_pipelines": {"x": {"impl": "evil.Pipeline"}}}]},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"_attn_implementation": "somebody/kernels"},
        {"transformers_weights": "../other.safetensors"},
    ],
)
def test_a_setting_that_would_load_code_is_refused(folder, settings):
    write_checkpoint(folder, **settings)
    assert "it would load code from elsewhere, which is never done" in refusal(folder)


def test_a_wrong_class_is_refused_with_both(folder):
    write_checkpoint(folder, architectures=["OtherModel"])
    sentence = refusal(folder)
    assert "model 'toy' takes checkpoints whose config.json says architectures ['ToyModel']" in sentence
    assert "OtherModel" in sentence


def test_a_setting_that_would_load_code_is_found_at_any_depth(folder):
    nested = '{"a": [' * 200 + '{"auto_map": {}}' + "]}" * 200
    (folder / "config.json").write_text(nested)
    assert "has 'auto_map'" in refusal(folder)


@pytest.mark.parametrize("content", ["{", "[1, 2]", "[" * 100_000, "\udcff", '{"a": ' + "9" * 5000 + "}"])
def test_a_config_that_is_no_settings_is_refused(folder, content):
    (folder / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "config.json of the checkpoint" in refusal(folder)


def test_an_oversized_config_is_not_even_read(folder):
    (folder / "config.json").write_text(" " * (1 << 20) + "{}")
    assert refusal(folder) == "config.json of the checkpoint is larger than 1 MiB."


def header(length: int, text: bytes = b"", payload: bytes = b"") -> bytes:
    return length.to_bytes(8, "little") + text + payload


@pytest.mark.parametrize(
    "content",
    [
        b"",
        header(1 << 62),
        header(20, b"{}"),
        header(2, b"[]"),
        header(2, b"{}"),
        header(7, b'{"a":1}'),
        header(52, b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]', b"0000"),
        header(54, b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}', b"00000000"),
        header(54, b'{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}', b"0000"),
        header(55, b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}'),
        header(55, b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,"4"]}}'[:55], b"0000"),
    ],
)
def test_damaged_weights_are_refused_by_their_header(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert refusal(folder).startswith("model.safetensors is damaged: ")


def test_weights_cut_short_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "is damaged" in refusal(folder)


def test_links_out_of_the_folder_and_other_kinds_of_files_are_refused(folder, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "secret.json")
    assert refusal(folder) == "config.json of the checkpoint links out of its folder."
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("nowhere")
    assert "links out of its folder" in refusal(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert refusal(folder) == "config.json of the checkpoint is no regular file."


def test_a_place_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputMissingError, match="is not a folder"):
        open_checkpoint(str(tmp_path / "nothing" / "here" / "at"), KIND)


def test_a_hub_name_that_is_not_here_names_the_command_that_fetches_it():
    with nothing_runs(), pytest.raises(InputMissingError, match="nothing is downloaded") as caught:
        open_checkpoint("amazon/chronos-bolt-small", KIND)
    command = "hf download amazon/chronos-bolt-small config.json model.safetensors --local-dir chronos-bolt-small"
    assert command in caught.value.help
    assert caught.value.exit_code == 66


def in_hub_cache(hub: Path, name: str) -> Path:
    """A copy as the hub's own tools keep it: a snapshot of links to blobs."""
    model = hub / f"models--{name.replace('/', '--')}"
    snapshot = model / "snapshots" / ("ab" * 20)
    stored = write_checkpoint(model / "blobs")
    snapshot.mkdir(parents=True)
    for path in stored.iterdir():
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("ab" * 20)
    return snapshot


def test_a_hub_name_is_found_in_the_hubs_cache_with_what_is_known_of_it(tmp_path):
    snapshot = in_hub_cache(tmp_path / "hub", "amazon/chronos-bolt-small")
    checkpoint = open_checkpoint("amazon/chronos-bolt-small", KIND)
    assert checkpoint.folder == snapshot
    assert reopen_checkpoint(checkpoint.pretraining, KIND).folder == snapshot
    facts = checkpoint.pretraining
    assert (facts.name, facts.licence, facts.data_until) == ("amazon/chronos-bolt-small", "Apache-2.0", "2024-11-26")
    assert facts.source.startswith("by its name: released 26 November 2024")


def test_a_hub_name_is_found_in_a_named_folder(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "models" / "chronos-bolt-tiny")
    monkeypatch.setenv("FACTORY_CHECKPOINTS", os.pathsep.join([str(tmp_path), str(tmp_path / "models")]))
    checkpoint = open_checkpoint("amazon/chronos-bolt-tiny", KIND)
    assert checkpoint.folder == tmp_path / "models" / "chronos-bolt-tiny"
    assert checkpoint.pretraining.licence == "Apache-2.0"


def test_the_user_may_state_the_end_of_the_data(folder):
    facts = open_checkpoint(str(folder), KIND, data_until="2023-01-31").pretraining
    assert (facts.data_until, facts.source) == ("2023-01-31", "the user says so")


def test_a_moved_folder_is_found_again_and_another_one_refused(folder, tmp_path, monkeypatch):
    saved = open_checkpoint(str(folder), KIND).pretraining
    assert reopen_checkpoint(saved, KIND).folder == folder
    moved = tmp_path / "elsewhere" / "toy-small"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(InputMissingError, match="the checkpoint toy-small that the model was made with is not here"):
        reopen_checkpoint(saved, KIND)
    monkeypatch.setenv("FACTORY_CHECKPOINTS", str(moved.parent))
    found: Checkpoint = reopen_checkpoint(saved, KIND)
    assert (found.folder, found.pretraining) == (moved, saved)
    write_checkpoint(moved, d_model=8)
    with pytest.raises(VerificationError, match="not the one that the model was made with: its digest differs"):
        reopen_checkpoint(saved, KIND)


def test_every_known_checkpoint_names_licence_day_and_source():
    for name, facts in KNOWN.items():
        np.datetime64(facts.data_until)
        assert facts.licence in ("Apache-2.0", "MIT")
        assert facts.source
        assert known_checkpoint(name.rpartition("/")[2]) == facts
    assert known_checkpoint("toy-small") is None
