from __future__ import annotations

import pytest
from tracked_runs import run_folder, write_epochs, write_start

from ohlcv_factory.errors import InputMissingError, LockedError, MissingExtraError
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.training.tracking import delivery, tracker
from ohlcv_factory.training.tracking.courier import deliver_all
from ohlcv_factory.training.tracking.delivery import DELIVERED, deliver, remembered
from ohlcv_factory.training.tracking.discovery import tracked_folders
from ohlcv_factory.training.tracking.settings import ExperimentConfig


class Noted:
    """A tracker that remembers what it was told of."""

    def __init__(self) -> None:
        self.told = []

    def deliver(self, run, known):
        self.told.append((run.state, dict(known)))
        return {"epochs": len(run.epochs)}


@pytest.fixture
def noted(monkeypatch):
    sink = Noted()
    monkeypatch.setattr(delivery, "tracker_of", lambda experiment, target: sink)
    return sink


@pytest.fixture
def run(finished, tmp_path):
    folder = run_folder(finished.path, tmp_path / "runs" / "run_1")
    write_start(folder)
    write_epochs(folder, {1: 0.9})
    return folder


def test_a_tracker_is_told_what_it_returned_last(run, noted) -> None:
    assert deliver(run).changed
    write_epochs(run, {2: 0.8})
    assert deliver(run).changed
    assert not deliver(run).changed
    assert noted.told == [("FINISHED", {}), ("FINISHED", {"epochs": 1}), ("FINISHED", {"epochs": 2})]


def test_each_place_has_its_own_memory(run, noted) -> None:
    deliver(run)
    deliver(run, ExperimentConfig.parse({"backend": "tensorboard"}))
    assert noted.told[1] == ("FINISHED", {})
    assert sorted(remembered(run)) == [f"mlflow {target(run)}/mlflow.db", f"tensorboard {run.parents[1]}/tensorboard"]


def target(run) -> str:
    return f"sqlite:///{run.parents[1]}"


def test_a_damaged_memory_is_as_good_as_none(run, noted) -> None:
    (run / DELIVERED).write_text("{torn")
    assert deliver(run).changed
    assert noted.told == [("FINISHED", {})]


def test_two_deliveries_of_one_run_come_one_after_the_other(run, noted, monkeypatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE_SECONDS", 0.0)
    with (
        folder_lock(run / "tracking.jsonl", "another delivery"),
        pytest.raises(LockedError, match="a delivery of this run"),
    ):
        deliver(run)
    assert noted.told == []


def test_a_backend_that_is_absent_is_named_with_its_extra(run, monkeypatch) -> None:
    monkeypatch.setattr(tracker, "missing_packages", lambda backend: ["alembic"])
    with pytest.raises(MissingExtraError, match="tracking by mlflow needs alembic") as caught:
        deliver(run)
    assert caught.value.help == "pip install 'ohlcv-model-factory[tracking]'"


def test_tracked_runs_are_found_below_a_folder_and_others_where_they_are_asked_for(run, finished, tmp_path) -> None:
    other = run_folder(finished.path, tmp_path / "runs" / "run_2")
    job = tmp_path / "jobs" / "abc"
    job.mkdir(parents=True)
    (job / "state.json").write_text("{}")
    assert tracked_folders(tmp_path) == [run]
    assert tracked_folders(tmp_path, untracked=True) == [run, other]
    assert tracked_folders(other) == [other]
    with pytest.raises(InputMissingError, match="holds no run that was tracked"):
        tracked_folders(tmp_path / "jobs")
    with pytest.raises(InputMissingError, match="does not exist"):
        tracked_folders(tmp_path / "nothing")


def test_a_process_delivers_many_runs_and_tells_of_each(run, finished, tmp_path) -> None:
    broken = run_folder(finished.path, tmp_path / "runs" / "run_2")
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    write_start(broken)
    told = deliver_all([broken, tmp_path], None)
    assert [one["exit_code"] for one in told] == [65, 66]
