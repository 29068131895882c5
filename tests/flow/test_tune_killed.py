"""A search that is killed twice and started again ends with the trials and the recipe of one that was left alone."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from command_line import BARRIERS, FEATURES, succeed, write_bars

from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.tuning_storage import DATABASE

pytest.importorskip("optuna")

KILLED = """
import os, signal, sys
from ohlcv_factory.studies import tuning

left = int(sys.argv.pop(1))
whole = tuning.plain_scores

def plain_scores(*given):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given)

tuning.plain_scores = plain_scores
from ohlcv_factory.cli.app import main
main()
"""
"""A command that is killed while the n-th fold of this process is scored."""
TRIALS = 24


def killed(after: int, *arguments: str) -> None:
    command = [sys.executable, "-c", KILLED, str(after), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
def test_a_search_that_was_killed_twice_has_the_trials_of_one_that_was_not(tmp_path: Path) -> None:
    """F13: what had ended is not done again, what is left is what it would have been, and nothing stays RUNNING."""
    bars = write_bars(tmp_path / "SYNTH.csv", 2500)
    settings = ("--horizons", "5", "--embargo", "auto", "--set", FEATURES, *BARRIERS[5])
    succeed("data", "build", bars, "--out", tmp_path / "dataset", *settings)
    common = ["tune", "logistic", "--dataset", str(tmp_path / "dataset"), "--horizon", "5", "--folds", "3"]
    common += [
        "--trials",
        str(TRIALS),
        "--only",
        "C,scaling",
        "--threads",
        "1",
        "--output-dir",
        str(tmp_path / "studies"),
    ]
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    killed(17, *common, "--out", str(cut))
    assert read_json(cut / "state.json")["state"] == "RUNNING"
    killed(14, *common, "--out", str(cut))
    succeed("resume", cut)
    succeed(*common, "--out", whole)
    for name in ("trials.csv", "best.yaml"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    found, expected = (read_json(study / "metrics" / "tuning.json") for study in (cut, whole))
    assert (found.pop("cut_off"), expected.pop("cut_off")) == (2, 0)
    assert found == expected
    assert sum(found["trials"].values()) == TRIALS
    with closing(sqlite3.connect(cut / DATABASE)) as database:
        states = {state for (state,) in database.execute("SELECT DISTINCT state FROM trials")}
    assert states <= {"COMPLETE", "PRUNED", "FAIL"}
    assert read_json(cut / "state.json")["attempt"] == 3
    entered = [entry["run_id"] for entry in Ledger.in_folder(tmp_path).entries()]
    for study in ("cut", "whole"):  # each trial once, however often it was begun
        assert [run for run in entered if run.startswith(study)] == [
            f"{study}/trial_{number:03d}" for number in range(1, TRIALS + 1)
        ]
