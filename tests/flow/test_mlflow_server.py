"""A real MLflow server on loopback, over SQLite: runs appear complete, killed in the middle `sync` completes them, a model serves.

The server is no part of the project: `MLFLOW_SERVER` names the `mlflow` command of an environment with the full package.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import DATASET, call, succeed, write_bars
from quick_fits import settings_of
from tracked_runs import curve, mlflow_runs

from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.storage.formats import read_json

LIGHTGBM = ("--model", "lightgbm", "--set", "model.n_estimators=30", "--feature-set", "neural_optimal")


def server_command() -> str | None:
    """`mlflow` of a full installation: that of `MLFLOW_SERVER`, or one on PATH that has Flask beside it."""
    named = os.environ.get("MLFLOW_SERVER")
    found = named or shutil.which("mlflow")
    return found if found and (named or (Path(found).parent / "flask").exists()) else None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_installed("mlflow"), reason="the extra tracking is not installed"),
]
needs_server = pytest.mark.skipif(server_command() is None, reason="MLFLOW_SERVER names no mlflow with its server")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    succeed("data", "build", write_bars(folder / "SYNTH.csv", 6000), "--out", folder / "dataset", *DATASET)
    return folder


@contextmanager
def served(arguments: list[str], port: int, path: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of MLflow that answers at `path`; it and its children are killed at the end."""
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # six processes that nothing here asks for
    if "serve" in arguments:
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(arguments, start_new_session=True, env=environment, **quiet)
    try:
        until = time.monotonic() + 240
        while not answers(f"http://127.0.0.1:{port}{path}"):
            assert process.poll() is None and time.monotonic() < until, f"{arguments} does not answer"
            time.sleep(0.3)
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    database, files = f"sqlite:///{folder / 'mlflow.db'}", folder / "files"
    arguments = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    where = ["--backend-store-uri", database, "--artifacts-destination", str(files)]
    with served([str(server_command()), *arguments, *where], port, "/health") as process:
        yield process


def train(place: Path, experiments: Path, *flags: str) -> tuple[Path, str]:
    where = ("--dataset", place / "dataset", "--horizon", "5", "--output-dir", experiments / "runs")
    answer = succeed("train", *where, *flags, "--json")
    return Path(answer.json["output_path"]), answer.err


@needs_server
def test_a_run_appears_complete_on_a_server(place) -> None:
    folder, port = place / "whole", free_port()
    folder.mkdir()
    with mlflow_server(folder, port):
        uri = f"http://127.0.0.1:{port}"
        flags = ("--track", "mlflow", "--tracking-uri", uri, "--experiment", "fx", "--run-name", "first")
        run, said = train(place, folder, *LIGHTGBM, *flags, "--tag", "desk=a")
    assert "warning" not in said
    (shown,) = mlflow_runs(folder / "mlflow.db")
    evaluation = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    assert (shown["name"], shown["experiment"], shown["status"]) == ("first", "fx", "FINISHED")
    assert shown["tags"]["desk"] == "a"
    assert shown["params"]["model.n_estimators"] == "30"
    assert [step for step, _ in curve(shown, "val_loss")] == list(range(1, 31))
    assert curve(shown, "trading/num_trades") == [(0, evaluation["trading"]["num_trades"])]
    files = {path.name for path in (folder / "files").rglob("*") if path.is_file()}
    assert {"confusion_matrix.png", "MLmodel", "ohlcv_model.py", "manifest.json"} <= files


@needs_server
@pytest.mark.skipif(not is_installed("torch"), reason="the extra neural is not installed")
def test_a_server_that_is_killed_in_the_middle_stops_no_run_and_sync_completes_it(place) -> None:
    folder, port = place / "killed", free_port()
    folder.mkdir()
    uri = f"http://127.0.0.1:{port}"
    where = ("--dataset", place / "dataset", "--horizon", "5", "--output-dir", folder / "runs")
    long = (*settings_of("gru"), "--set", "model.max_epochs=60", "--set", "model.early_stopping_patience=60")
    code = "from ohlcv_factory.cli.app import main; main()"
    command = ["train", "--model", "gru", *long, *map(str, where), "--track", "mlflow", "--tracking-uri", uri]
    with mlflow_server(folder, port) as server:
        training = subprocess.Popen(
            [sys.executable, "-c", code, *command],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 200
        while time.monotonic() < until and len(delivered_epochs(folder)) < 3:
            time.sleep(0.3)
        kill(server)
        before = len(delivered_epochs(folder))
        _, said = training.communicate(timeout=200)
    assert training.returncode == 0
    assert said.decode().count("warning: mlflow does not show all of the run yet") == 1
    (run,) = (folder / "runs").iterdir()
    assert read_json(run / "state.json")["state"] == "FINISHED"
    assert call("sync", run).code == 75
    status = mlflow_runs(folder / "mlflow.db")[0]["status"]  # the server died in the middle of this run
    with mlflow_server(folder, port):
        succeed("sync", run)
        assert succeed("sync", run, "--json").json[0]["changed"] is False
    (shown,) = mlflow_runs(folder / "mlflow.db")
    assert shown["status"] == "FINISHED"
    steps = [step for step, _ in curve(shown, "val_loss")]
    assert steps == list(range(1, 61))
    assert (before >= 3, status) == (True, "RUNNING")


def delivered_epochs(folder: Path) -> list[Any]:
    database = folder / "mlflow.db"
    runs = mlflow_runs(database) if database.exists() else []
    return curve(runs[0], "val_loss") if runs else []


def test_an_exported_model_serves_what_predict_says(place, tmp_path) -> None:
    run, _ = train(place, place / "exported", *LIGHTGBM)
    succeed("export", run, "--mlflow", tmp_path / "model")
    succeed("predict", run, place / "SYNTH.csv", "--out", tmp_path / "expected.csv")
    header, *rows = ((place / "SYNTH.csv").read_text()).splitlines()
    cells = [[row.split(",")[0], *map(float, row.split(",")[1:])] for row in rows]
    body = json.dumps({"dataframe_split": {"columns": header.split(","), "data": cells}}).encode()
    port = free_port()
    command = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "--env-manager", "local"]
    place_of = ["-m", str(tmp_path / "model"), "--host", "127.0.0.1", "--port", str(port)]
    with served([*command, *place_of], port, "/ping"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)["predictions"]
    import polars as pl

    expected = pl.read_csv(tmp_path / "expected.csv")
    for name in ("p_short", "p_neutral", "p_long"):
        assert [row[name] for row in found] == expected[name].to_list()
