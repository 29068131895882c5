"""What MLflow's database holds after deliveries, read without MLflow; two processes deliver all that is looked at here."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from tracked_runs import UPDATED_MS, curve, mlflow_runs, run_folder, write_epochs, write_start, write_state

from ohlcv_factory.errors import AccessError, DataError, LockedError, OutputError, ServiceError, StorageError
from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.training.tracking import mlflow
from ohlcv_factory.training.tracking.courier import deliver_all
from ohlcv_factory.training.tracking.mlflow import check_database

needs_mlflow = pytest.mark.skipif(
    not (is_installed("mlflow") and is_installed("alembic")), reason="the extra tracking is not installed"
)
STATES = ("FINISHED", "FAILED", "INTERRUPTED", "RUNNING")


@pytest.fixture(scope="module")
def shown(finished, tmp_path_factory):
    """Runs in every state; what MLflow holds after one delivery, and after another one of runs that have gone on."""
    place = tmp_path_factory.mktemp("mlflow")
    runs = [run_folder(finished.path, place / "runs" / f"run_{state.lower()}", state) for state in STATES]
    bare = run_folder(finished.path, place / "runs" / "run_switched_off")
    off = dict.fromkeys(("log_params", "log_metrics", "log_artifacts", "log_model"), False)
    for run in runs:
        write_start(run, key=run.name, experiment_name="fx", run_name=f"{run.name} shown", tags={"desk": "a"})
        write_epochs(run, {1: 0.9, 2: 0.8})
    write_start(bare, key="bare", **off)
    write_epochs(bare, {1: 0.9})
    first = deliver_all([*runs, bare])
    before = mlflow_runs(place / "mlflow.db")
    resumed = runs[-1]  # killed, as nobody works on it
    write_start(resumed, attempt=2, key=resumed.name, experiment_name="fx")
    write_epochs(resumed, {2: 0.8, 3: 0.7})
    (resumed / "manifest.json").write_bytes((finished.path / "manifest.json").read_bytes())
    write_state(resumed, "FINISHED")
    (runs[0] / "tracking.json").unlink()  # the end of the delivery was never noted
    second = deliver_all([*runs, bare])
    return {"place": place, "answers": (first, second), "before": before, "after": mlflow_runs(place / "mlflow.db")}


def by_name(runs):
    return {run["name"]: run for run in runs}


@needs_mlflow
def test_a_run_ends_in_mlflow_as_it_did_here(shown) -> None:
    assert {name: (run["status"], run["end_ms"]) for name, run in by_name(shown["before"]).items()} == {
        "run_finished shown": ("FINISHED", UPDATED_MS),
        "run_failed shown": ("FAILED", UPDATED_MS),
        "run_interrupted shown": ("KILLED", UPDATED_MS),
        "run_running shown": ("KILLED", UPDATED_MS),  # nobody works on it: it was killed
        "run_switched_off": ("FINISHED", UPDATED_MS),
    }


@needs_mlflow
def test_a_killed_run_that_is_resumed_goes_on_as_the_same_run(shown) -> None:
    before, after = (by_name(shown[when])["run_running shown"] for when in ("before", "after"))
    assert after["id"] == before["id"]
    assert after["status"] == "FINISHED"
    assert curve(after, "val_loss") == [(1, 0.9), (2, 0.8), (3, 0.7)]


@needs_mlflow
def test_nothing_is_there_twice_even_when_a_delivery_was_not_noted(shown) -> None:
    name = "run_finished shown"
    assert len(shown["after"]) == len(STATES) + 1
    assert by_name(shown["after"])[name] == by_name(shown["before"])[name]


@needs_mlflow
def test_a_delivery_says_whether_anything_was_missing(shown) -> None:
    first, second = shown["answers"]
    assert [told["changed"] for told in first] == [True] * 5
    assert [told["changed"] for told in second] == [True, False, False, True, False]


@needs_mlflow
def test_a_finished_run_is_whole(shown, finished) -> None:
    run = by_name(shown["before"])["run_finished shown"]
    evaluation = read_json(finished.path / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]
    assert run["experiment"] == "fx"
    assert run["params"]["model.n_estimators"] == "60"
    assert curve(run, "classification/macro_f1") == [(0, evaluation["classification"]["macro_f1"])]
    assert curve(run, "val_loss") == [(1, 0.9), (2, 0.8)]
    assert run["tags"]["verdict"] == evaluation["verdict"]["code"]
    assert run["tags"]["mlflow.note.content"] == evaluation["verdict"]["words"]
    assert run["tags"]["data_fingerprint"] == read_json(finished.path / "manifest.json")["data_fingerprint"]
    assert run["tags"]["desk"] == "a"


@needs_mlflow
def test_files_and_model_lie_beside_the_database_and_none_is_a_pickle(shown) -> None:
    run = by_name(shown["before"])["run_finished shown"]
    files = shown["place"] / "mlflow-artifacts" / run["id"] / "artifacts"
    found = {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}
    assert {"plots/confusion_matrix.png", "config/training_config.yaml", "metrics/evaluation_metrics.json"} <= found
    assert {"model/MLmodel", "model/ohlcv_model.py", "model/artifacts/bundle/manifest.json"} <= found
    assert not [name for name in found if name.endswith((".pkl", ".pickle", ".joblib"))]


@needs_mlflow
def test_a_run_that_did_not_finish_has_settings_and_curve_but_no_score(shown) -> None:
    run = by_name(shown["before"])["run_failed shown"]
    assert {key for key, _, _ in run["metrics"]} == {"val_loss"}
    assert run["params"]["model_name"] == "lightgbm"


@needs_mlflow
def test_each_switch_leaves_its_part_out(shown) -> None:
    run = by_name(shown["before"])["run_switched_off"]
    assert (run["params"], run["metrics"]) == ({}, [])
    assert not (shown["place"] / "mlflow-artifacts" / run["id"]).exists()
    assert run["experiment"] == "ohlcv-model-factory"


@needs_mlflow
def test_nothing_is_left_in_the_working_folder(shown) -> None:
    assert not Path("mlruns").exists()
    assert not Path("mlflow.db").exists()


def test_a_database_that_others_lock_is_waited_for(tmp_path) -> None:
    locked = locked_database(tmp_path / "new.db")
    threading.Timer(0.3, locked.rollback).start()
    started = time.monotonic()
    check_database(tmp_path / "new.db")
    assert 0.2 < time.monotonic() - started < 10
    locked.close()


def locked_database(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(path, check_same_thread=False)
    opened.execute("BEGIN EXCLUSIVE")
    return opened


def test_a_database_that_stays_locked_is_told_as_one_to_try_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mlflow, "TIMEOUT_SECONDS", 0.1)
    with (
        closing(locked_database(tmp_path / "new.db")),
        pytest.raises(LockedError, match=r"new\.db: the database is locked"),
    ):
        check_database(tmp_path / "new.db")


@pytest.mark.parametrize("content", [b"not a database at all" * 60, b"SQLite format 3\x00" + b"\xff" * 4080])
def test_a_damaged_database_is_data_error_65_with_its_path(content, tmp_path) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(DataError, match=r"mlflow\.db is damaged: ") as caught:
        check_database(tmp_path / "mlflow.db")
    assert caught.value.where == str(tmp_path / "mlflow.db")
    assert (tmp_path / "mlflow.db").read_bytes() == content


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_database_that_is_no_file_of_its_own_is_not_opened(kind, tmp_path) -> None:
    path = tmp_path / "mlflow.db"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(tmp_path / "outside.db")
    with pytest.raises(DataError, match=r"mlflow\.db is no regular file"):
        check_database(path)
    assert not (tmp_path / "outside.db").exists()


def test_a_damaged_page_inside_a_database_is_found(tmp_path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE runs (name)")
        database.executemany("INSERT INTO runs VALUES (?)", [("x" * 200,)] * 200)
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        check_database(path)


def test_a_database_in_a_place_that_is_no_folder_cannot_be_opened(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((OutputError, StorageError)):
        check_database(tmp_path / "file" / "mlflow.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="the database cannot be opened"):
        check_database(tmp_path / "folder")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("(sqlite3.OperationalError) database is locked\n[SQL: …]", LockedError),
        ("(sqlite3.OperationalError) attempt to write a readonly database", AccessError),
        ("(sqlite3.DatabaseError) file is not a database", DataError),
        ("(sqlite3.OperationalError) database or disk is full", StorageError),
        ("API request to http://h failed with exception HTTPConnectionPool: Max retries exceeded", ServiceError),
        ("something new", StorageError),
    ],
)
def test_an_error_of_mlflow_is_told_as_one_of_ours(said, kind) -> None:
    assert type(mlflow._told(ValueError(said), "here")) is kind


@needs_mlflow
def test_no_half_made_database_is_left(shown) -> None:
    assert not list(shown["place"].glob(".partial-*"))
