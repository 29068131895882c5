"""A signal ends a run in order and says how to go on; the second one ends it at once; a lost terminal or reader is no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import succeed
from faulty_runs import MAIN, check_same, check_whole, command, hurt, only_run, surroundings, whole_run

from ohlcv_factory.storage.checkpoints import CheckpointManager
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.run_folders import run_facts, verify

pytest.importorskip("lightgbm")

HIT = """
import os, signal
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.models import _trees
from ohlcv_factory.training.trainer import RunSink

number, place = signal.Signals[os.environ["HIT_BY"]], os.environ["HIT_IN"]
load, save, tell = TimeSeriesDataContainer.from_dataset, _trees.write_with, RunSink.on_epoch
hits = iter([number])

def hit():
    for number in hits:
        os.kill(os.getpid(), number)

def from_dataset(*given, **options):
    if place == "loading":
        hit()
    return load(*given, **options)

def write_with(path, write):
    if place == "writing" and "0030" in str(path):
        hit()
    save(path, write)

def on_epoch(sink, epoch, total, metrics):
    if place == "epoch" and epoch == 25:
        hit()
    tell(sink, epoch, total, metrics)

TimeSeriesDataContainer.from_dataset, _trees.write_with, RunSink.on_epoch = from_dataset, write_with, on_epoch
"""
"""`train`, which gets one signal at one place."""
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
PLACES = ("loading", "epoch", "writing")
SAMPLE = {("SIGTERM", "writing")}


@pytest.fixture(scope="module")
def whole(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run("lightgbm", small, tmp_path_factory.mktemp("whole") / "runs")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param(name, place, marks=[] if (name, place) in SAMPLE else pytest.mark.slow)
        for name in CODES
        for place in PLACES
    ],
)
def test_a_signal_leaves_its_code_a_valid_checkpoint_and_the_command_that_goes_on(
    name: str, place: str, small: Path, whole: Path, tmp_path: Path
) -> None:
    """F8, F9; and SIGHUP of F10."""
    answer = hurt(HIT, command("lightgbm", small, tmp_path / "runs"), HIT_BY=name, HIT_IN=place)
    assert answer.returncode == CODES[name], answer.stderr
    assert "Traceback" not in answer.stderr
    if place == "loading":  # nothing was begun
        assert not (tmp_path / "runs").exists()
        return
    run = only_run(tmp_path / "runs")
    state = read_json(run / "state.json")
    assert (state["state"], state["error"]["message"]) == ("INTERRUPTED", name)
    assert f"continue with: ohlcv-factory resume {run}\n" in answer.stderr
    check_whole(run)
    assert CheckpointManager.reopened(run / "checkpoints").newest is not None
    succeed("resume", run)
    check_same(run, whole)


BUSY = """
import hashlib, os, signal, threading, time
from ohlcv_factory.training.trainer import RunSink

def twice():
    for _ in range(2):
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

def on_epoch(*_):
    threading.Thread(target=twice).start()
    hashlib.pbkdf2_hmac("sha256", b"a native call", b"that no signal reaches", 1_000_000_000)

RunSink.on_epoch = on_epoch
"""
"""`train`, which gets two signals while it is in a native call of many minutes."""


def test_the_second_signal_ends_a_run_at_once_even_in_a_native_call(small: Path, tmp_path: Path) -> None:
    """F8, twice."""
    answer = hurt(BUSY, command("lightgbm", small, tmp_path / "runs"))
    assert answer.returncode == 130, answer.stderr
    run = only_run(tmp_path / "runs")
    assert read_json(run / "state.json")["state"] == "RUNNING"
    assert run_facts(run).state == "LOST"


def test_a_reader_that_has_heard_enough_or_a_closed_output_is_no_traceback() -> None:
    """F10: `| head`, and output that was closed before the command began."""
    for ending in ("models list | head -c 1", "models list --json | true", "models list >&-", "models list 2>&- >&-"):
        python = f"{sys.executable} -c '{MAIN}'"
        answer = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {python} {ending}"], capture_output=True, env=surroundings(), check=False
        )
        assert (answer.returncode, answer.stderr) == (0, b""), ending


@pytest.mark.slow
def test_a_run_whose_terminal_dies_says_so_without_a_traceback(small: Path, tmp_path: Path) -> None:
    """F10: standard error is a pipe that nobody reads any more when the signal comes."""
    heard, told = os.pipe()
    os.close(heard)
    code = [sys.executable, "-c", HIT + MAIN, *command("lightgbm", small, tmp_path / "runs")]
    done = subprocess.run(
        code, stdout=told, stderr=told, env=surroundings(HIT_BY="SIGHUP", HIT_IN="epoch"), check=False, timeout=120
    )
    os.close(told)
    assert done.returncode == CODES["SIGHUP"]
    run = only_run(tmp_path / "runs")
    assert read_json(run / "state.json")["state"] == "INTERRUPTED"
    assert "Traceback" not in (run / "logs" / "training.log").read_text()


def test_a_detached_training_goes_on_when_its_terminal_is_gone(small: Path, whole: Path, tmp_path: Path) -> None:
    """F10, `--detach`."""
    arguments = [sys.executable, "-c", MAIN, *command("lightgbm", small, tmp_path / "runs", "--detach", "--json")]
    parent = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=surroundings()
    )
    out, err = parent.communicate(timeout=120)
    assert parent.returncode == 0, err
    begun = json.loads(out)
    assert os.getsid(begun["pid"]) == begun["pid"]  # no terminal of the parent's can reach it
    run, log = Path(begun["run"]), Path(begun["log"])
    until = time.monotonic() + 120
    while read_json(run / "state.json")["state"] != "FINISHED" or not log.read_text().endswith("}\n"):
        assert time.monotonic() < until, read_json(run / "state.json")
        time.sleep(0.1)
    assert json.loads(log.read_text())["output_path"] == str(run)
    assert read_json(run / "state.json")["pid"] == begun["pid"]
    check_same(run, whole)
    assert verify(run) > 10


@pytest.mark.slow
def test_a_detached_command_that_cannot_begin_says_why_at_once(small: Path, tmp_path: Path) -> None:
    """F10: the error is shown with its own exit code, and the log is named."""
    answer = hurt("", command("lightgbm", small, tmp_path / "runs", "--horizon", "7", "--detach"))
    assert answer.returncode == 2, answer.stderr
    assert "horizon" in answer.stderr and str(tmp_path / "runs") in answer.stderr
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # nothing of this process was changed
