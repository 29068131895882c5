from __future__ import annotations

import os
import warnings

import pytest
from tracked_runs import run_folder, write_epochs, write_start, write_state

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")

from ohlcv_factory.errors import DataError
from ohlcv_factory.training.tracking.delivery import deliver
from ohlcv_factory.training.tracking.tensorboard import folder_name


@pytest.fixture
def run(finished, tmp_path):
    folder = run_folder(finished.path, tmp_path / "runs" / "run_1", "RUNNING")
    write_start(folder, backend="tensorboard", experiment_name="a/b: c")
    write_epochs(folder, {1: 0.9, 2: 0.8})
    return folder


def finish(run, finished) -> None:
    (run / "manifest.json").write_bytes((finished.path / "manifest.json").read_bytes())
    write_state(run, "FINISHED")


def events(folder):
    """What TensorBoard itself reads of a folder: (step, tag) of each value, in order; and the values of tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

        (path,) = folder.rglob("events.out.tfevents.*")
        return [(event.step, value) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]


def losses(folder):
    return [(step, round(value.tensor.float_val[0], 3)) for step, value in events(folder) if value.tag == "val_loss"]


def test_curves_grow_while_the_run_is_at_work(run, tmp_path) -> None:
    assert deliver(run).changed
    assert losses(tmp_path) == [(1, 0.9), (2, 0.8)]
    write_epochs(run, {3: 0.7})
    assert deliver(run).changed
    assert losses(tmp_path) == [(1, 0.9), (2, 0.8), (3, 0.7)]


def test_a_finished_run_shows_scores_settings_tags_and_plots(run, finished, tmp_path) -> None:
    deliver(run)
    finish(run, finished)
    deliver(run)
    tags = {value.tag for _, value in events(tmp_path)}
    assert {"val_loss", "classification/macro_f1", "trading/sharpe_ratio", "settings", "tags"} <= tags
    assert {"plots/confusion_matrix", "plots/training_curves", "plots/feature_importance"} <= tags


def test_what_is_there_is_not_written_again_even_when_nothing_is_remembered(run, finished, tmp_path) -> None:
    finish(run, finished)
    deliver(run)
    (path,) = tmp_path.rglob("events.out.tfevents.*")
    before = path.read_bytes()
    assert not deliver(run).changed
    (run / "tracking.json").unlink()
    deliver(run)
    assert path.read_bytes() == before


def test_a_torn_record_is_cut_off_and_written_whole(run, finished, tmp_path) -> None:
    finish(run, finished)
    deliver(run)
    (path,) = tmp_path.rglob("events.out.tfevents.*")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    deliver(run)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_nothing_is_written_through_a_link_or_into_a_pipe(kind, run, tmp_path) -> None:
    deliver(run)
    (events,) = (tmp_path / "tensorboard").rglob("events.*")
    events.unlink()
    (tmp_path / "outside").write_bytes(b"kept")
    os.mkfifo(events) if kind == "pipe" else events.symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="is no regular file"):
        deliver(run)
    assert (tmp_path / "outside").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("switch", "gone"),
    [("log_metrics", "val_loss"), ("log_params", "settings"), ("log_artifacts", "plots/confusion_matrix")],
)
def test_each_switch_leaves_its_part_out(switch, gone, finished, tmp_path) -> None:
    folder = run_folder(finished.path, tmp_path / "runs" / "run_2")
    write_start(folder, backend="tensorboard", **{switch: False})
    write_epochs(folder, {1: 0.9})
    deliver(folder)
    tags = {value.tag for _, value in events(tmp_path)}
    assert gone not in tags
    assert {"val_loss", "settings", "plots/confusion_matrix"} - {gone} <= tags


def test_project_experiment_and_run_are_folders_with_names_that_every_system_takes(run, tmp_path) -> None:
    deliver(run)
    (path,) = tmp_path.rglob("events.out.tfevents.*")
    assert path.parent == tmp_path / "tensorboard" / "ohlcv-model-factory" / "a_b_ c" / "run_1"


@pytest.mark.parametrize(("name", "safe"), [("..", "_"), ("../../x", "_.._x"), ("fx 1h", "fx 1h"), ("", "_")])
def test_a_name_cannot_leave_its_folder(name, safe) -> None:
    assert folder_name(name) == safe
