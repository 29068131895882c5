"""A clock that is set back, two runs of one second, a folder that is moved, a bundle without its end."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import call, succeed, write_bars
from faulty_runs import command, only_run

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import InputMissingError
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.run_folders import latest_run, list_runs, outdated
from ohlcv_factory.training import artifacts
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.mlflow_model import export_mlflow_model
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def test_runs_of_one_second_or_after_a_clock_that_was_set_back_are_unique_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16."""
    monkeypatch.setattr(artifacts, "write_plots", lambda *_: None)
    config = DatasetConfig(horizons=(5,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(2500, 7), horizon=5, config=config)
    settings = TrainerConfig(model_name="logistic", horizon=5, model={"max_iter": 5}, output_dir=tmp_path / "runs")
    hours = (0, 0, -1)
    runs = [Trainer(settings, clock=lambda moved=hour: NOON + timedelta(hours=moved)).run(container) for hour in hours]
    assert len({run.run_id for run in runs}) == 3
    order = [read_json(run.path / "state.json")["order"] for run in runs]
    assert order == sorted(set(order))
    assert latest_run(tmp_path / "runs") == runs[2].path  # the one whose clock was an hour behind
    assert [run.path for run in outdated(list_runs(tmp_path / "runs"), 2)] == [runs[0].path]


@pytest.fixture
def run(small: Path, tmp_path: Path) -> Path:
    succeed(*command("logistic", small, tmp_path / "first" / "runs"))
    return only_run(tmp_path / "first" / "runs")


def predicted(run: Path, bars: Path, out: Path) -> bytes:
    succeed("predict", run, bars, "--out", out)
    return out.read_bytes()


def test_a_run_that_is_renamed_copied_or_moved_verifies_and_predicts_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """F17: nothing beside the settings that it was made with says where it lay."""
    bars = write_bars(tmp_path / "SYNTH.csv", 1200)
    before = predicted(run, bars, tmp_path / "before.parquet")
    copied = shutil.copytree(run, tmp_path / "other machine" / "its runs" / "a name of its own")
    moved = run.rename(run.with_name("renamed"))
    for number, place in enumerate((copied, moved)):
        succeed("verify", place)
        assert predicted(place, bars, tmp_path / f"{number}.parquet") == before
        assert call("runs", "show", place, "--json").json["state"] == "FINISHED"
    rest = [path for path in copied.rglob("*.*") if path.is_file() and path.parent.name != "config"]
    assert [path for path in rest if str(run.parent).encode() in path.read_bytes()] == []


def test_what_has_no_manifest_is_an_incomplete_bundle_and_is_not_half_loaded(run: Path, tmp_path: Path) -> None:
    """F20: the manifest is written last, so whatever was interrupted has none."""
    bars = write_bars(tmp_path / "SYNTH.csv", 1200)
    (run / "manifest.json").unlink()
    for arguments in (("predict", run, bars, "--out", tmp_path / "out.parquet"), ("verify", run), ("evaluate", run)):
        answer = call(*arguments)
        assert answer.code in {65, 66}, arguments
        assert "incomplete" in answer.err and str(run) in answer.err, answer.err
    assert not (tmp_path / "out.parquet").exists()


def test_an_export_that_dies_between_any_two_files_leaves_nothing_that_could_be_loaded(
    run: Path, tmp_path: Path
) -> None:
    """F20: the folder gets its name when all is in it, and what is left of a killed one is an incomplete bundle."""
    out, files = tmp_path / "exported" / "model", len(read_json(run / "manifest.json")["files"]) + 1
    for dies_at in range(1, files + 1, 4):
        assert killed_export(run, out, dies_at) == 9
        assert not (out / "MLmodel").exists()
        (left,) = out.parent.glob(".partial-*/artifacts/bundle")
        with pytest.raises(InputMissingError, match="incomplete bundle"):
            ModelBundle.from_run(left)
        atomic.remove_partial(out.parent)
    assert killed_export(run, out, files + 1) == 0
    assert ModelBundle.from_run(out / "artifacts" / "bundle").horizon == 5


def killed_export(run: Path, out: Path, dies_at: int) -> int:
    """Export in a process of its own that ends before its n-th file; its exit code."""
    child = os.fork()
    if child == 0:
        left, genuine = [dies_at], shutil.copyfile

        def copyfile(source: Path, target: Path) -> Path:
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            return genuine(source, target)

        shutil.copyfile = copyfile
        try:
            export_mlflow_model(run, out)
        finally:
            os._exit(1 if sys.exc_info()[0] else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
