"""A cross-validation that is killed and resumed ends with the bytes of one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from command_line import DATASET, succeed, write_bars

from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger

KILLED = """
import os, signal, sys
from ohlcv_factory.studies import fold_job

number = int(sys.argv.pop(1))
whole = fold_job.write_json

def write_json(path, value):
    if path.name == fold_job.SCORES and value[0]["fold"] == number:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(path, value)

fold_job.write_json = write_json
from ohlcv_factory.cli.app import main
main()
"""
"""`cv`, killed while it writes the results of a fold."""


def only_study(folder: Path) -> Path:
    (study,) = folder.glob("*/state.json")
    return study.parent


def test_a_killed_study_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "SYNTH.csv", 2500)
    succeed("data", "build", bars, "--out", tmp_path / "dataset", *DATASET)
    common = ["cv", "logistic", "--dataset", str(tmp_path / "dataset"), "--horizon", "5", "--folds", "3"]
    command = [sys.executable, "-c", KILLED, "2", *common, "--output-dir", str(tmp_path / "killed")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    study = only_study(tmp_path / "killed")
    assert read_json(study / "state.json")["state"] == "RUNNING"
    assert [path.name for path in (study / "folds").glob("fold_*")] == ["fold_01"]
    first = os.stat(study / "folds" / "fold_01" / "manifest.json").st_mtime_ns
    succeed(*common, "--output-dir", tmp_path / "whole")
    succeed("resume", study)
    whole = only_study(tmp_path / "whole")
    assert os.stat(study / "folds" / "fold_01" / "manifest.json").st_mtime_ns == first
    for name in ("predictions/oof_probabilities.npy", "metrics/metrics.json", "folds/fold_02/predictions.parquet"):
        assert (study / name).read_bytes() == (whole / name).read_bytes()
    assert read_json(study / "state.json")["attempt"] == 2
    assert not list(study.rglob(".partial-*"))
    runs = [entry["run_id"] for entry in Ledger.in_folder(tmp_path / "killed").entries()]
    assert runs == [f"{study.name}/fold_0{number}" for number in (1, 2, 3)]
