"""The command `sweep`: its recipe, and with real workers an end by kill -9 or SIGTERM and the same bytes afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import BARRIERS, FEATURES, succeed, write_bars
from inline_executor import InlineExecutor

from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.executor import protocol

RECIPE = Path(__file__).parents[2] / "configs" / "studies" / "sweep.yaml"
PROGRAM = "from ohlcv_factory.cli.app import main; main()"


@pytest.fixture(scope="module")
def two_symbols(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    bars = [write_bars(folder / f"SYNTH{name}.csv", 2600, seed=seed) for seed, name in enumerate("AB")]
    rules = ("--horizons", "5,20", "--embargo", "auto", "--set", FEATURES, *BARRIERS[5])
    succeed("data", "build", *bars, "--out", folder / "dataset", *rules)
    return folder / "dataset"


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs are done in this process, which has its libraries already."""
    monkeypatch.setattr(protocol, "open_executor", lambda *_, **__: InlineExecutor())


def test_the_recipe_makes_a_run_of_each_that_the_other_commands_take(two_symbols, tmp_path, in_this_process) -> None:
    """Fewer of each, so that it takes seconds; what the recipe says of models and settings is as it stands."""
    out = tmp_path / "study"
    few = ("--horizons", "5", "--seeds", "1")
    answer = succeed("sweep", "--config", RECIPE, "--dataset", two_symbols, "--out", out, *few)
    assert "4 jobs in all, 4 finished\n" in answer.out
    assert f"compare: ohlcv-factory compare {out}/runs" in answer.out
    rows = succeed("compare", out / "runs", "--json").json
    assert [(row["symbols"], row["horizon"]) for row in rows] == [(["SYNTHA"], 5)] * 2 + [(["SYNTHB"], 5)] * 2
    text = succeed("compare", out / "runs").out
    assert text.count("SYNTHA, horizon 5, part val") == text.count("SYNTHB, horizon 5, part val") == 1
    (run,) = (out / "runs").glob("lightgbm_h5_SYNTHB_*")
    again = succeed("evaluate", run, "--json").json["evaluation_metrics"]
    scores = {row["run"]: row["classification"] for row in rows}
    assert again["classification"] == scores[str(run)]
    found = succeed("sweep", "--config", RECIPE, "--dataset", two_symbols, "--out", out, *few)
    assert "4 jobs in all, 4 finished before\n" in found.out


def command(dataset: Path, out: Path, *more: str) -> list[str]:
    quick = (
        "--models",
        "lightgbm",
        "--horizons",
        "5",
        "--seeds",
        "1,2,3",
        "--set",
        "hyper_parameters.lightgbm.n_estimators=60",
    )
    return ["sweep", "--dataset", str(dataset), "--out", str(out), *quick, *more]


def started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stderr=subprocess.PIPE, text=True)


def wait_for_a_result(out: Path) -> None:
    deadline = time.monotonic() + 120
    while not list(out.glob("jobs/*/result.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def bytes_of(out: Path) -> dict[str, bytes]:
    """What must not depend on how often the sweep was cut off, nor on the number of workers."""
    results = {path.parent.name: path.read_bytes() for path in out.glob("jobs/*/result.json")}
    return {**results, "scores.csv": (out / "scores.csv").read_bytes()}


def test_a_sweep_that_is_killed_and_restarted_with_two_workers_ends_with_the_same_bytes(
    two_symbols, tmp_path, monkeypatch
) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two workers need two cores")
    with monkeypatch.context() as patch:  # the other studies have real workers
        patch.setattr(protocol, "open_executor", lambda *_, **__: InlineExecutor())
        succeed(*command(two_symbols, tmp_path / "whole"))
    killed = started(command(two_symbols, tmp_path / "killed", "--workers", "1"))
    wait_for_a_result(tmp_path / "killed")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    kept = {path.parent.name: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("jobs/*/result.json")}
    assert 1 <= len(kept) < 3
    succeed(*command(two_symbols, tmp_path / "killed", "--workers", "2"))
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    for job, time_ns in kept.items():
        assert (tmp_path / "killed" / "jobs" / job / "result.json").stat().st_mtime_ns == time_ns


@pytest.mark.slow
def test_a_sweep_that_is_interrupted_ends_its_workers_and_says_how_to_go_on(two_symbols, tmp_path) -> None:
    sweep = started(command(two_symbols, tmp_path / "study", "--workers", "1"))
    wait_for_a_result(tmp_path / "study")
    sweep.send_signal(signal.SIGTERM)
    _, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 143, err
    assert f"the same command continues the study {tmp_path / 'study'}" in err
    states = [read_json(path)["state"] for path in (tmp_path / "study" / "runs").glob("*/state.json")]
    assert set(states) <= {"FINISHED", "INTERRUPTED"}
