"""Files made to do harm, in the place of every file that some command reads: nothing runs, and one sentence names the file.

Each attack is tried as it stands, where the manifest gives it away, and with the manifest written anew to fit, where the
parsers have to hold.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harmful
import pytest
from attacked import IRREGULAR, MOST_SECONDS, refused, unfinished
from command_line import fresh
from resealed import reseal

from ohlcv_factory.cli.app import invoke  # noqa: F401  (imported before anything is watched)

SWAPPED: dict[str, tuple[str, str, Callable[[Path], bytes]]] = {
    "a pickle as the model of scikit-learn": ("logistic", "checkpoints/best_model.skops", harmful.pickled),
    "a planted type in a skops file": ("logistic", "checkpoints/best_model.skops", harmful.planted_skops),
    "a torch archive as the model of scikit-learn": ("logistic", "checkpoints/best_model.skops", harmful.torch_archive),
    "a pickle as the model of LightGBM": ("lightgbm", "checkpoints/best_model.txt", harmful.pickled),
    "a pickle as the model of XGBoost": ("xgboost", "checkpoints/best_model.ubj", harmful.pickled),
    "a pickle as the model of CatBoost": ("catboost", "checkpoints/best_model.cbm", harmful.pickled),
    "a pickle as weights": ("mlp", "checkpoints/best_model.safetensors", harmful.pickled),
    "a torch archive as weights": ("mlp", "checkpoints/best_model.safetensors", harmful.torch_archive),
    "a header of 2^62 bytes": ("mlp", "checkpoints/best_model.safetensors", harmful.huge_header),
    "a pickle as facts": ("logistic", "checkpoints/best_model.meta.json", harmful.pickled),
    "a pickle as a scaler": ("logistic", "checkpoints/scaler.json", harmful.pickled),
    "a pickle as scores": ("logistic", "metrics/evaluation_metrics.json", harmful.pickled),
    "a pickle as a table": ("logistic", "predictions/val_predictions.parquet", harmful.pickled),
    "a pickle as an array": ("logistic", "predictions/val_probabilities.npy", harmful.pickled),
    "an object array": ("logistic", "predictions/val_probabilities.npy", harmful.object_array),
    "object arrays as reference rows": ("logistic", "checkpoints/reference.npz", harmful.object_arrays),
    "a zip that climbs as reference rows": ("logistic", "checkpoints/reference.npz", harmful.zip_that_climbs),
    "a tag in the settings": ("logistic", "config/feature_config.yaml", harmful.yaml_tag),
    "a bomb of aliases in the settings": ("logistic", "config/model_config.yaml", harmful.yaml_bomb),
    "ten megabytes of settings": ("logistic", "config/training_config.yaml", harmful.yaml_of_10_mb),
}
"""What, the model of the run, the file, its content."""
ADDED = (
    "model.pkl",
    "checkpoints/best_model.joblib",
    "checkpoints/x.pickle",
    "checkpoints/weights.pt",
    "pytorch_model.bin",
)


def commands(run: Path, stand: Any, tmp_path: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that reads a finished run."""
    return {
        "predict": ("predict", run, stand.bars),
        "predict --bundle": ("predict", "--bundle", run, stand.bars),
        "verify": ("verify", run),
        "evaluate": ("evaluate", run, "--dataset", stand.dataset),
        "reproduce": ("reproduce", run, "--dataset", stand.dataset),
        "audit run": ("audit", "run", run, "--dataset", stand.dataset),
        "compare": ("compare", run),
        "report": ("report", run, "--out", tmp_path / "report.html"),
    }


def some_commands(number: int, *rest: Any) -> list[tuple[str | Path, ...]]:
    """Three of them, others for each number, so that in the ordinary suite each command meets some of all attacks."""
    every = list(commands(*rest).values())
    return [every[(number + step) % len(every)] for step in (0, 3, 5)]


@pytest.mark.parametrize("number", range(len(SWAPPED)), ids=list(SWAPPED))
def test_a_swapped_file_is_refused(number, guarded, copied, stand, canary, tmp_path) -> None:
    model, name, content = list(SWAPPED.values())[number]
    run = copied(model)
    (run / name).write_bytes(content(canary))
    for arguments in some_commands(number, run, stand, tmp_path):
        refused(guarded(*arguments), name)


@pytest.mark.slow
@pytest.mark.parametrize("attack", SWAPPED)
def test_a_swapped_file_is_refused_by_every_command(attack, guarded, copied, stand, canary, tmp_path) -> None:
    model, name, content = SWAPPED[attack]
    run = copied(model)
    (run / name).write_bytes(content(canary))
    for arguments in commands(run, stand, tmp_path).values():
        refused(guarded(*arguments), name)


@pytest.mark.parametrize("attack", SWAPPED)
def test_a_swapped_file_with_a_manifest_to_fit_runs_nothing(attack, guarded, copied, stand, canary, tmp_path) -> None:
    model, name, content = SWAPPED[attack]
    run = copied(model)
    (run / name).write_bytes(content(canary))
    reseal(run)
    refused(guarded("predict", run, stand.bars), name)


@pytest.mark.parametrize(
    "attack",
    [pytest.param(attack, marks=() if attack == "a pickle as scores" else pytest.mark.slow) for attack in SWAPPED],
)
def test_every_command_holds_where_the_manifest_fits(attack, guarded, copied, stand, canary, tmp_path) -> None:
    model, name, content = SWAPPED[attack]
    run = copied(model)
    (run / name).write_bytes(content(canary))
    reseal(run)
    for arguments in commands(run, stand, tmp_path).values():
        started = time.monotonic()
        refused(guarded(*arguments), name)
        assert time.monotonic() - started < MOST_SECONDS


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ADDED)
def test_a_file_that_could_run_code_is_refused_by_its_name(
    name, listed, guarded, copied, stand, canary, tmp_path
) -> None:
    run = copied("logistic")
    (run / name).write_bytes(harmful.pickled(canary))
    if listed:
        reseal(run)
    for arguments in some_commands(ADDED.index(name) + listed, run, stand, tmp_path):
        refused(guarded(*arguments), name, codes=(65,))


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("name", ["checkpoints/best_model.skops", "metrics/evaluation_metrics.json", "manifest.json"])
def test_no_link_and_no_pipe_is_read(kind, name, guarded, copied, stand, tmp_path) -> None:
    run = copied("logistic")
    IRREGULAR[kind](run / name)
    if kind == "hardlink" and name == "manifest.json":
        pytest.skip("a second name of the manifest is no other content: its digest is what is pinned")
    started = time.monotonic()
    for arguments in some_commands(list(IRREGULAR).index(kind), run, stand, tmp_path):
        refused(guarded(*arguments), name, codes=(65, 66))
    assert time.monotonic() - started < MOST_SECONDS


@pytest.mark.parametrize(
    "path",
    ["../outside.json", "/etc/passwd", "C:/outside.json", "config\\outside.json", "config/../../x", "a\0b", "", "./a"],
)
def test_a_manifest_names_files_in_its_folder_only(path, guarded, copied, stand, tmp_path) -> None:
    run = copied("logistic")
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["files"].append({"path": path, "size": 1, "sha256": "0" * 64, "role": "record"})
    (run / "manifest.json").write_text(json.dumps(manifest))
    for arguments in some_commands(len(path), run, stand, tmp_path):
        refused(guarded(*arguments), "manifest.json", codes=(65,))


def test_a_newer_format_is_refused_with_the_versions_that_are_read(guarded, copied, stand, tmp_path) -> None:
    run = copied("logistic")
    reseal(run, format=99)
    for arguments in commands(run, stand, tmp_path).values():
        answer = guarded(*arguments)
        refused(answer, "manifest.json", codes=(65,))
        assert "format 99, this version reads 1, 2" in answer.err


def test_types_that_a_manifest_trusts_are_not_trusted(guarded, copied, stand) -> None:
    run = copied("logistic")
    reseal(run, trusted_types=["posix.system"])
    answer = guarded("predict", run, stand.bars)
    refused(answer, "manifest.json", codes=(76,))
    assert "trusts types that a 'logistic' never has: posix.system" in answer.err


def test_a_tolerance_that_a_manifest_allows_itself_hides_no_other_model(guarded, copied, stand) -> None:
    run = copied("lightgbm")
    text = (run / "checkpoints" / "best_model.txt").read_text()
    head, _, tail = text.partition("leaf_value=")
    first, rest = tail.split(" ", 1)
    (run / "checkpoints" / "best_model.txt").write_text(f"{head}leaf_value={float(first) + 0.5} {rest}")
    manifest = json.loads((run / "manifest.json").read_text())
    reseal(run, reference={**manifest["reference"], "tolerance": 10})
    answer = guarded("predict", run, stand.bars)
    refused(answer, "best_model.txt", codes=(65, 76))


def test_trees_that_lead_in_a_circle_are_refused_before_a_row_goes_round_in_them(guarded, copied, stand) -> None:
    run = copied("lightgbm")
    path = run / "checkpoints" / "best_model.txt"
    head, _, tail = path.read_text().partition("left_child=")
    children, _, rest = tail.partition("\n")
    nodes = children.split()
    nodes[-1] = "1" * len(nodes[-1])  # as long as before: the file says where each tree begins
    path.write_text(f"{head}left_child={' '.join(nodes)}\n{rest}")
    reseal(run)
    answer = guarded("predict", run, stand.bars)
    refused(answer, "best_model.txt", codes=(65,))
    assert "tree 0 does not lead every row to a leaf" in answer.err


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ["SYNTH.parquet", "SYNTH.features.npy"])
def test_a_dataset_runs_nothing_either(name, listed, guarded, copied_dataset, stand, canary, tmp_path) -> None:
    content = harmful.object_array if name.endswith(".npy") else harmful.pickled
    (copied_dataset / name).write_bytes(content(canary))
    if listed:
        reseal(copied_dataset, "dataset.json")
    run = stand.runs["logistic"]
    for arguments in (
        (
            "train",
            "--model",
            "logistic",
            "--dataset",
            copied_dataset,
            "--horizon",
            "5",
            "--output-dir",
            tmp_path / "out",
        ),
        ("evaluate", run, "--dataset", copied_dataset),
        ("reproduce", run, "--dataset", copied_dataset),
        ("audit", "run", run, "--dataset", copied_dataset),
    ):
        refused(guarded(*arguments), name, codes=(65,))


@pytest.mark.parametrize("kind", ["pipe", "symlink", "hardlink"])
def test_a_dataset_of_pipes_and_links_is_not_read(kind, guarded, copied_dataset, tmp_path) -> None:
    IRREGULAR[kind](copied_dataset / "SYNTH.features.npy")
    arguments = ("--model", "logistic", "--dataset", copied_dataset, "--horizon", "5", "--output-dir", tmp_path / "out")
    refused(guarded("train", *arguments), "SYNTH.features.npy", codes=(65,))


UNFINISHED = {
    "a pipe as a checkpoint": ("xgboost", "checkpoints/checkpoint_epoch_0012/model.ubj", harmful.make_fifo),
    "a link as a checkpoint": ("xgboost", "checkpoints/checkpoint_epoch_0012/model.ubj", harmful.make_symlink),
    "a pickle as settings": ("xgboost", "config/training_config.yaml", harmful.pickled),
    "a pickle as the start": ("xgboost", "config/start.json", harmful.pickled),
    "a pickle beside the checkpoint": ("xgboost", "checkpoints/checkpoint_epoch_0012/optimizer.pt", harmful.pickled),
}


@pytest.mark.parametrize(("model", "file"), [("xgboost", "model.ubj"), ("lightgbm", "model.txt")])
def test_a_checkpoint_that_was_swapped_with_its_digest_is_parsed_in_a_child(
    model, file, guarded, copied, stand, canary
) -> None:
    run = unfinished(copied(model))
    (checkpoint,) = (run / "checkpoints").glob("checkpoint_epoch_*")
    (checkpoint / file).write_bytes(harmful.pickled(canary))
    state = json.loads((checkpoint / "state.json").read_text())
    kept = {path.name: path.read_bytes() for path in checkpoint.iterdir() if path.name != "state.json"}
    state["files"] = [
        {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(kept.items())
    ]
    (checkpoint / "state.json").write_text(json.dumps(state))
    refused(guarded("resume", run, "--dataset", stand.dataset), file, codes=(65,))


@pytest.mark.parametrize("attack", UNFINISHED)
def test_resume_reads_nothing_harmful_of_an_unfinished_run(attack, guarded, copied, stand, canary) -> None:
    model, name, harm = UNFINISHED[attack]
    run = unfinished(copied(model))
    if harm in IRREGULAR.values():
        harm(run / name)
    else:
        (run / name).write_bytes(harm(canary))
    refused(guarded("resume", run, "--dataset", stand.dataset), name, codes=(65,))


def test_runs_are_listed_around_a_harmful_one(guarded, copied, canary) -> None:
    run = copied("logistic")
    (run / "metrics" / "evaluation_metrics.json").write_bytes(harmful.pickled(canary))
    harmful.make_fifo(run / "state.json")
    assert guarded("runs", "list", run.parent, "--json").code == 0
    run = copied("lightgbm")
    (run / "metrics" / "evaluation_metrics.json").write_bytes(harmful.pickled(canary))
    answer = guarded("runs", "list", run.parent, "--json")
    assert [each["state"] for each in answer.json] == ["DAMAGED"]


def test_a_real_child_says_what_the_forked_one_says(copied, stand, canary) -> None:
    run = copied("logistic")
    (run / "checkpoints" / "best_model.skops").write_bytes(harmful.planted_skops(canary))
    reseal(run)
    answer = fresh("predict", "--bundle", str(run), str(stand.bars), check=False)
    assert answer.returncode in (65, 76)
    assert "best_model.skops" in answer.stderr
    assert not canary.exists()
