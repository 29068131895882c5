"""F14 and F15: a database or a server of trackers that fails. The run is the same to the byte, one is warned once, `sync` ends it."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import DATASET, call, succeed, write_bars
from quick_fits import settings_of
from tracked_runs import curve, mlflow_runs

from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.storage.formats import read_json

pytestmark = pytest.mark.skipif(
    not (is_installed("mlflow") and is_installed("alembic")), reason="the extra tracking is not installed"
)
PROBABILITIES = Path("predictions") / "val_probabilities.npy"
MODEL = ("--model", "lightgbm", "--set", "model.n_estimators=30", "--feature-set", "neural_optimal")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a dataset."""
    folder = tmp_path_factory.mktemp("faults")
    succeed("data", "build", write_bars(folder / "SYNTH.csv", 6000), "--out", folder / "dataset", *DATASET)
    return folder


@pytest.fixture(scope="module")
def plain(place) -> bytes:
    """The probabilities of the run when it is not tracked."""
    run, _ = trained(place, place / "plain")
    return (run / PROBABILITIES).read_bytes()


def trained(place: Path, experiments: Path, *flags: str) -> tuple[Path, list[str]]:
    """A run of one `train` command, which must succeed, and the warnings that it printed."""
    where = ("--dataset", place / "dataset", "--horizon", "5", "--output-dir", experiments / "runs")
    answer = succeed("train", *MODEL, *where, *flags, "--json")
    return Path(answer.json["output_path"]), [line for line in answer.err.splitlines() if line.startswith("warning: ")]


def tracked_in_vain(place: Path, plain: bytes, experiments: Path, words: str, *uri: str) -> Path:
    """A run whose tracker fails: it ends with the bytes of one that is not tracked, and one warning holds `words`."""
    run, warned = trained(place, experiments, "--track", "mlflow", *uri)
    assert is_untouched(run, plain)
    (warning,) = warned
    assert words in warning
    return run


def is_untouched(run: Path, plain: bytes) -> bool:
    """Whether a run is finished, with the bytes of one that is not tracked."""
    return read_json(run / "state.json")["state"] == "FINISHED" and (run / PROBABILITIES).read_bytes() == plain


def is_whole(database: Path, run: Path) -> bool:
    """Whether MLflow shows all of a run, once."""
    (shown,) = mlflow_runs(database)
    scores = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    steps = [step for step, _ in curve(shown, "val_loss")]
    same_score = curve(shown, "classification/log_loss") == [(0, scores["classification"]["log_loss"])]
    return shown["status"] == "FINISHED" and steps == list(range(1, len(steps) + 1)) and bool(steps) and same_score


def test_f14_a_damaged_database_stops_no_run_and_is_data_error_65_with_its_path_in_sync(place, plain) -> None:
    experiments = place / "damaged"
    experiments.mkdir()
    database = experiments / "mlflow.db"
    database.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8176)
    run, warned = trained(place, experiments, "--track", "mlflow")
    assert is_untouched(run, plain)
    (warning,) = warned
    assert f"{database} is damaged" in warning
    assert f"ohlcv-factory sync {run} delivers the rest" in warning

    answer = call("sync", experiments)
    assert answer.code == 65
    assert f"  --> {database}\n" in answer.err
    database.rename(experiments / "damaged.db")
    succeed("sync", experiments)
    assert is_whole(database, run)


def test_f15_a_server_that_is_away_stops_no_run(place, plain) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        words = f"{uri}: the server does not answer"
        tracked_in_vain(place, plain, place / "away", words, "--tracking-uri", uri)


@pytest.mark.slow
def test_f14_a_database_that_is_locked_for_ten_seconds_is_waited_for(place, plain) -> None:
    experiments = place / "locked"
    experiments.mkdir()
    opened = sqlite3.connect(experiments / "mlflow.db", check_same_thread=False)
    opened.execute("BEGIN EXCLUSIVE")
    threading.Timer(10, opened.rollback).start()
    run, warned = trained(place, experiments, "--track", "mlflow")
    opened.close()
    assert is_untouched(run, plain)
    assert warned == []
    assert is_whole(experiments / "mlflow.db", run)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A small disk at a folder; skips where this user may not mount."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_f14_a_disk_that_is_full_stops_no_run_and_sync_completes_it_after_room_was_made(place, plain) -> None:
    with mounted(place / "disk", "96k"):
        database = place / "disk" / "mlflow.db"
        uri = ("--tracking-uri", f"sqlite:///{database}")
        run = tracked_in_vain(place, plain, place / "full", "the disk is full or refuses", *uri)
        assert call("sync", run).code == 74
        subprocess.run(["mount", "-o", "remount,size=64m", place / "disk"], check=True)
        succeed("sync", run)
        assert is_whole(database, run)


@pytest.mark.slow
def test_f14_a_read_only_disk_stops_no_run_and_sync_says_so(place, plain) -> None:
    with mounted(place / "read_only", "64m"):
        database = place / "read_only" / "mlflow.db"
        sqlite3.connect(database).execute("CREATE TABLE something (name)").connection.close()
        subprocess.run(["mount", "-o", "remount,ro", place / "read_only"], check=True)
        uri = ("--tracking-uri", f"sqlite:///{database}")
        run = tracked_in_vain(place, plain, place / "ro", "it cannot be written", *uri)
        assert call("sync", run).code == 77


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("torch"), reason="the extra neural is not installed")
def test_a_run_that_was_killed_and_resumed_goes_on_as_the_same_run_in_mlflow(place) -> None:
    experiments = place / "killed"
    where = ("--dataset", place / "dataset", "--horizon", "5", "--output-dir", experiments / "runs")
    long = (*settings_of("gru"), "--set", "model.max_epochs=100", "--set", "model.early_stopping_patience=100")
    code = "from ohlcv_factory.cli.app import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "--model", "gru", *long, *map(str, where), "--track", "mlflow"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and not list(experiments.glob("runs/*/tracking.json")):
        time.sleep(0.2)  # until MLflow shows the run
    process.send_signal(signal.SIGKILL)
    process.wait()
    database = experiments / "mlflow.db"
    while time.monotonic() < until and mlflow_runs(database)[0]["status"] == "RUNNING":
        time.sleep(0.2)  # until the process that delivers has noticed
    (killed,) = mlflow_runs(database)
    assert killed["status"] == "KILLED"
    (run,) = experiments.glob("runs/*")
    succeed("resume", run)
    (resumed,) = mlflow_runs(database)
    assert (resumed["id"], resumed["status"]) == (killed["id"], "FINISHED")
    assert is_whole(database, run)
