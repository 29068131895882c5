from __future__ import annotations

import os
import subprocess
import warnings

import pytest
from quick_tracking import no_courier, told_to_trackers
from tracked_runs import without_times

from ohlcv_factory.errors import MissingExtraError
from ohlcv_factory.runtime.clock import system_clock
from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.training.tracking import session, tracker
from ohlcv_factory.training.tracking.session import TrackingWarning, tracked
from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SPOOL, SilentSpool, read_events
from ohlcv_factory.training.trainer import Trainer

BOARD = {"backend": "tensorboard"}
needs_tensorboard = pytest.mark.skipif(not is_installed("tensorboard"), reason="the extra tensorboard is not installed")
QUICK = {"n_estimators": 20, "early_stopping_rounds": 10}


@needs_tensorboard
def test_a_run_is_shown_when_it_ends_and_its_bytes_are_those_of_one_that_is_not_tracked(
    config, container, tmp_path
) -> None:
    plain = Trainer(config(model_name="lightgbm", model=QUICK)).run(container)
    shown = Trainer(config(model_name="lightgbm", model=QUICK, experiment=ExperimentConfig(**BOARD))).run(container)
    steps = [event["epoch"] for event in read_events(shown.path / SPOOL) if event["event"] == "epoch"]
    assert steps == list(range(1, shown.training.epochs_trained + 1))
    assert list((tmp_path / "tensorboard").rglob("events.out.tfevents.*"))
    before, after = without_times(plain.path), without_times(shown.path)
    changed = {name for name in before if before[name] != after[name]}
    timed = {"metrics/training_metrics.json", "metrics/evaluation_metrics.json", "plots/training_curves.png"}
    assert changed - timed == {"config/training_config.yaml"}
    assert before.keys() == after.keys()


def test_the_manifest_vouches_neither_for_the_spool_nor_for_what_was_delivered(config, container) -> None:
    with no_courier():
        run = Trainer(config(experiment=ExperimentConfig())).run(container)
    write_json(run.path / "tracking.json", {})
    names = {stored["path"] for stored in read_json(run.path / "manifest.json")["files"]}
    assert not names & {"tracking.jsonl", "tracking.json"}
    assert told_to_trackers(run.path) == ExperimentConfig().plain()


def test_the_spool_knows_the_experiment_before_the_recipe_is_written(config, container) -> None:
    with no_courier():
        named = Trainer(config(experiment_name="fx", experiment=ExperimentConfig())).run(container)
    assert told_to_trackers(named.path)["experiment_name"] == "fx"


def test_a_run_that_is_not_tracked_has_no_spool(tmp_path) -> None:
    for experiment in (None, ExperimentConfig.parse({"backend": "none", "tracking_uri": "mlruns"})):
        with tracked(tmp_path, experiment, system_clock) as spool:
            spool.on_epoch(1, {"val_loss": 1.0})
        assert isinstance(spool, SilentSpool)
    assert list(tmp_path.iterdir()) == []


def test_a_backend_that_is_not_installed_is_refused_before_there_is_a_run(
    config, container, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(tracker, "missing_packages", lambda backend: ["mlflow"])
    with pytest.raises(MissingExtraError) as caught:
        Trainer(config(experiment=ExperimentConfig())).run(container)
    assert caught.value.help == "pip install 'ohlcv-model-factory[tracking]'"
    assert not (tmp_path / "runs").exists()


def test_a_worker_without_the_backend_trains_and_keeps_the_events(config, container, monkeypatch) -> None:
    with no_courier():
        monkeypatch.setattr(tracker, "missing_packages", lambda backend: ["mlflow"])
        run = Trainer(config(experiment=ExperimentConfig()), in_study=True).run(container)
    assert told_to_trackers(run.path)["backend"] == "mlflow"


@pytest.fixture
def ended(tmp_path):
    """A folder whose run has ended."""
    write_json(tmp_path / "state.json", {"state": "FINISHED", "updated": "2026-01-01T00:00:00Z"})
    return tmp_path


def test_a_process_that_cannot_be_started_is_warned_of_once_and_the_events_stay(ended, monkeypatch) -> None:
    def refuse(*_, **__):
        raise OSError("too many processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.warns(TrackingWarning) as found, tracked(ended, ExperimentConfig(), system_clock) as spool:
        spool.on_epoch(1, {"val_loss": 1.0})
        spool.on_epoch(2, {"val_loss": 0.9})
    (warned,) = found
    assert "no process could be started: too many processes" in str(warned.message)
    assert f"ohlcv-factory sync {ended} delivers the rest" in str(warned.message)
    assert [event["event"] for event in read_events(ended / SPOOL)] == ["start", "epoch", "epoch"]


def test_a_full_disk_is_warned_of_once_and_stops_nothing(ended, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    with no_courier():
        monkeypatch.setattr("ohlcv_factory.training.tracking.spool.os.write", full)
        with (
            pytest.warns(TrackingWarning, match="No space left on device") as found,
            tracked(ended, ExperimentConfig(), system_clock) as spool,
        ):
            spool.on_epoch(1, {"val_loss": 1.0})
    assert len(found) == 1


def test_a_process_that_takes_long_is_left_to_itself(ended, monkeypatch) -> None:
    monkeypatch.setattr(session, "PATIENCE_SECONDS", 0.2)
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: start(["sleep", "2"], **how))
    with (
        pytest.warns(TrackingWarning, match=r"it takes longer than 0 s"),
        tracked(ended, ExperimentConfig(), system_clock) as spool,
    ):
        for _ in range(70_000):  # more than its pipe holds: telling it must not wait
            spool.written()


def test_a_process_that_dies_is_told_of(ended, monkeypatch) -> None:
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: start(["sh", "-c", "exit 3"], **how))
    with (
        pytest.warns(TrackingWarning, match="the process that delivers ended with exit code 3"),
        tracked(ended, ExperimentConfig(), system_clock) as spool,
    ):
        for epoch in range(1, 100):
            spool.on_epoch(epoch, {"val_loss": 1.0})


def test_who_interrupts_a_run_does_not_wait_for_its_tracker(tmp_path, monkeypatch) -> None:
    write_json(tmp_path / "state.json", {"state": "INTERRUPTED", "updated": "2026-01-01T00:00:00Z"})
    started = []
    start = subprocess.Popen

    def slow(_, **how):
        started.append(start(["sleep", "3"], **how))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", slow)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyboardInterrupt), tracked(tmp_path, ExperimentConfig(), system_clock):
            raise KeyboardInterrupt
    assert started[0].poll() is None
    started[0].kill()
    started[0].wait()


def test_the_process_that_delivers_shares_no_terminal_with_the_run(ended, monkeypatch) -> None:
    sessions = []
    start = subprocess.Popen

    def noted(_, **how):
        process = start(["sleep", "5"], **how)
        sessions.append(os.getsid(process.pid))
        process.kill()
        return process

    monkeypatch.setattr(subprocess, "Popen", noted)
    with pytest.warns(TrackingWarning), tracked(ended, ExperimentConfig(), system_clock):
        pass
    assert sessions[0] != os.getsid(0)
