"""A run that is killed and resumed ends with the bytes of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import DATASET, call, succeed, write_bars
from faulty_runs import KILLED_AT, check_same, hurt
from quick_fits import command_of

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.locks import folder_lock

EPOCHS = 5
TINY = {
    "lstm": ("hidden_size=4", "num_layers=1"),
    "tcn": ("num_channels=[4,4]",),
    "mamba": ("d_model=8", "n_layers=1"),
    "gru": ("hidden_size=4", "num_layers=1"),
}
LOOP = ("lookback=12", "batch_size=128", f"max_epochs={EPOCHS}", "windows_per_epoch=512", "early_stopping_patience=5")
KILLED = """
import os, signal, sys
from ohlcv_factory.models._torch import loop

epoch, place = int(sys.argv.pop(1)), sys.argv.pop(1)
whole_save = loop._Fit.save

def save(fit, folder):
    if fit.progress.epoch == epoch and place == "writing":
        (folder / loop.MODEL_FILE).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    whole_save(fit, folder)

def one_epoch(fit, rows, stop, whole=loop._Fit.one_epoch):
    if fit.progress.epoch == epoch and place == "training":
        os.kill(os.getpid(), getattr(signal, os.environ.get("WITH", "SIGKILL")))
    whole(fit, rows, stop)

loop._Fit.save, loop._Fit.one_epoch = save, one_epoch
from ohlcv_factory.cli.app import main
main()
"""
"""`train`, killed before the epoch after `epoch` or while it writes that epoch's checkpoint."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    succeed("data", "build", write_bars(folder / "SYNTH_few.csv", 3000), "--out", folder / "dataset", *DATASET)
    return folder / "dataset"


def arguments(model: str, dataset: Path, runs: Path) -> list[str]:
    settings = [part for value in (*LOOP, *TINY[model]) for part in ("--set", f"model.{value}")]
    place = ["--dataset", str(dataset), "--output-dir", str(runs), "--horizon", "5"]
    return ["train", "--model", model, *place, "--threads", "1", *settings]


def killed(
    command: list[str], epoch: int, place: str, with_signal: str = "SIGKILL"
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WITH": with_signal}
    whole = [sys.executable, "-c", KILLED, str(epoch), place, *command]
    return subprocess.run(whole, capture_output=True, text=True, check=False, env=environment)


def only_run(runs: Path) -> Path:
    (run,) = runs.glob("*/state.json")
    return run.parent


def check_kill_and_resume(model: str, dataset: Path, folder: Path, epoch: int, place: str) -> None:
    succeed(*arguments(model, dataset, folder / "whole"))
    answer = killed(arguments(model, dataset, folder / "killed"), epoch, place)
    assert answer.returncode == -signal.SIGKILL, answer.stderr
    whole, run = only_run(folder / "whole"), only_run(folder / "killed")
    assert read_json(run / "state.json")["state"] == "RUNNING"
    succeed("resume", run)
    assert read_json(run / "state.json")["state"] == "FINISHED"
    assert read_json(run / "state.json")["attempt"] == 2
    log = (run / "logs" / "training.log").read_text()
    assert f"from the checkpoint after epoch {epoch if place == 'training' else epoch - 1}\n" in log
    for name in ("predictions/val_probabilities.npy", "checkpoints/best_model.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    histories = [read_json(one / "metrics" / "training_metrics.json")["history"] for one in (whole, run)]
    assert histories[0] == histories[1]
    assert not list(run.rglob(".partial-*"))


def test_a_killed_lstm_resumes_to_the_same_bytes(dataset, tmp_path):
    pytest.importorskip("torch")
    check_kill_and_resume("lstm", dataset, tmp_path, 3, "writing")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["training", "writing"])
@pytest.mark.parametrize("epoch", range(2, EPOCHS))
@pytest.mark.parametrize("model", ["lstm", "tcn", "mamba"])
def test_a_network_killed_at_any_epoch_resumes_to_the_same_bytes(model, epoch, place, dataset, tmp_path):
    pytest.importorskip("torch")
    check_kill_and_resume(model, dataset, tmp_path, epoch, place)


@pytest.mark.slow
@pytest.mark.parametrize("with_signal", ["SIGTERM", "SIGINT"])
def test_an_interrupted_run_says_how_to_continue(with_signal, dataset, tmp_path):
    pytest.importorskip("torch")
    answer = killed(arguments("gru", dataset, tmp_path / "runs"), 2, "training", with_signal)
    run = only_run(tmp_path / "runs")
    assert answer.returncode == {"SIGINT": 130, "SIGTERM": 143}[with_signal], answer.stderr
    assert f"continue with: ohlcv-factory resume {run}" in answer.stderr
    assert read_json(run / "state.json")["state"] == "INTERRUPTED"
    succeed("resume", run)


@pytest.fixture
def failed(dataset, tmp_path, monkeypatch):
    """A logistic run that failed while its model was written."""
    from ohlcv_factory.training import artifacts

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "write_model", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        place = ("--dataset", dataset, "--output-dir", tmp_path / "runs", "--horizon", "5")
        assert call("train", "--model", "logistic", *place).code != 0
    return only_run(tmp_path / "runs")


def test_a_model_that_cannot_continue_trains_again_and_counts_once(failed):
    answer = succeed("resume", failed)
    assert "logistic cannot continue from a checkpoint: it trains again from the start" in answer.err
    state = read_json(failed / "state.json")
    assert (state["state"], state["attempt"], state["resumed_from"], state["error"]) == ("FINISHED", 2, "start", None)
    assert call("resume", failed).code == 2  # a finished run
    from ohlcv_factory.storage.ledger import Ledger

    assert Ledger.in_folder(failed.parent.parent).count("fit") == 1


def test_settings_that_were_changed_are_named(failed):
    recipe = failed / "config" / "training_config.yaml"
    recipe.write_text(recipe.read_text().replace("random_seed: 42", "random_seed: 7"))
    answer = call("resume", failed)
    assert answer.code == 2
    assert "the run began with other values: random_seed: 42 then, 7 now." in answer.err
    assert read_json(failed / "state.json")["state"] == "FAILED"


def test_a_fork_is_a_new_run_with_the_settings_of_now(failed):
    recipe = failed / "config" / "training_config.yaml"
    recipe.write_text(recipe.read_text().replace("random_seed: 42", "random_seed: 7"))
    before = read_json(failed / "state.json")
    forked = Path(succeed("resume", failed, "--fork", "--json").json["output_path"])
    assert forked.parent == failed.parent and forked != failed
    assert read_json(forked / "state.json")["state"] == "FINISHED"
    assert read_json(forked / "manifest.json")["seed"] == 7
    assert read_json(failed / "state.json") == before


def test_a_study_is_not_forked(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "study.yaml").write_text("")
    answer = call("resume", tmp_path, "--fork")
    assert (answer.code, "--fork is for the run of one model" in answer.err) == (2, True)


def test_other_data_is_refused(failed, tmp_path):
    other = tmp_path / "other"
    succeed("data", "build", write_bars(tmp_path / "SYNTH_few.csv", 3100), "--out", other, *DATASET)
    answer = call("resume", failed, "--dataset", other)
    assert answer.code == 2
    assert "dataset: digest " in answer.err and " then, " in answer.err


def test_a_run_that_is_still_at_work_is_left_alone(failed):
    with folder_lock(failed, "this test"):
        answer = call("resume", failed)
    assert answer.code == 75
    assert read_json(failed / "state.json")["attempt"] == 1


@pytest.fixture(scope="module")
def wholes(dataset, shelf, tmp_path_factory):
    """`wholes(model)`: a run of any model that nothing cut off."""
    return lambda model: begun(model, dataset, tmp_path_factory.mktemp(model))


def begun(model: str, dataset: Path, folder: Path) -> Path:
    succeed(*command_of(model), *places(dataset, folder))
    return only_run(folder / "runs")


def places(dataset: Path, folder: Path) -> list[str]:
    return ["--dataset", str(dataset), "--output-dir", str(folder / "runs"), "--horizon", "5", "--threads", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(ModelRegistry.entries()))
def test_any_model_killed_twice_resumes_to_the_bytes_of_a_whole_run(model, dataset, wholes, tmp_path):
    if not ModelRegistry.entry(model).installed:
        pytest.skip(f"{model} needs {ModelRegistry.entry(model).requires}")
    whole, calls = wholes(model), random.Random(model)
    arguments = [*command_of(model), *places(dataset, tmp_path)]
    for _ in range(2):
        at = str(calls.randrange(75, 170))
        assert hurt(KILLED_AT, arguments, KILLED_AT=at, KILLED_IN=str(tmp_path)).returncode == -signal.SIGKILL
        arguments = ["resume", str(only_run(tmp_path / "runs"))]
    succeed(*arguments)
    check_same(only_run(tmp_path / "runs"), whole)
