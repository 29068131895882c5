"""The k best checkpoints stay on the disk, in both directions, whatever the fit does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.storage.checkpoints import CheckpointManager, CheckpointWarning
from ohlcv_factory.storage.formats import read_json

METRICS = [0.5, 0.3, 0.9, 0.3, 0.4]


def save_nothing(folder: Path) -> None:
    """A model without state."""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(
    ("mode", "epochs", "best"),
    [("min", [2, 4, 5], 2), ("max", [1, 3, 5], 3)],
)
def test_the_best_three_stay(mode: Literal["min", "max"], epochs: list[int], best: int, tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=3, mode=mode)
    for epoch, metric in enumerate(METRICS, start=1):
        manager.save_checkpoint(save_nothing, epoch, metric)
    assert names(tmp_path) == [f"checkpoint_epoch_{epoch:04d}" for epoch in epochs]
    assert manager.best is not None
    assert (manager.best.epoch, manager.best.path) == (best, tmp_path / f"checkpoint_epoch_{best:04d}")


def test_of_equals_the_earlier_one_is_best(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=1)
    for epoch in (1, 2):
        manager.save_checkpoint(save_nothing, epoch, 0.5)
    assert names(tmp_path) == ["checkpoint_epoch_0001"]


def test_a_checkpoint_holds_what_was_saved_and_its_state(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path)
    folder = manager.save_checkpoint(lambda path: (path / "model.txt").write_text("w") and None, 7, 0.25, "val_f1")
    assert folder == tmp_path / "checkpoint_epoch_0007"
    assert (folder / "model.txt").read_text() == "w"
    digest = "50e721e49c013f00c62cf59f2163542a9d8df02464efeb615d31051b0fddc326"  # sha256 of "w"
    assert read_json(folder / "state.json") == {
        "epoch": 7,
        "metric_name": "val_f1",
        "metric_value": 0.25,
        "files": [{"path": "model.txt", "size": 1, "sha256": digest}],
    }


def test_the_new_one_is_written_before_an_old_one_goes(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=1)
    manager.save_checkpoint(save_nothing, 1, 0.5)
    seen = []
    manager.save_checkpoint(lambda folder: seen.extend([folder.name, *names(tmp_path)]), 2, 0.4)
    assert seen == [seen[0], seen[0], "checkpoint_epoch_0001"]
    assert names(tmp_path) == ["checkpoint_epoch_0002"]


def test_a_failing_save_costs_no_old_checkpoint(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=1)
    manager.save_checkpoint(save_nothing, 1, 0.5)

    def fail(folder: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        manager.save_checkpoint(fail, 2, 0.4)
    assert manager.best is not None
    assert manager.best.epoch == 1
    assert manager.best.path.is_dir()
    assert names(tmp_path) == ["checkpoint_epoch_0001"]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_is_never_the_best(mode: Literal["min", "max"], tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=2, mode=mode)
    for epoch, metric in enumerate([math.nan, 0.5, math.nan, 0.5], start=1):
        manager.save_checkpoint(save_nothing, epoch, metric)
    assert names(tmp_path) == ["checkpoint_epoch_0002", "checkpoint_epoch_0004"]


def test_an_epoch_saved_again_replaces_itself(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=2)
    for epoch, metric in [(1, 0.5), (2, 0.4), (2, 0.3), (1, 0.6)]:
        manager.save_checkpoint(save_nothing, epoch, metric)
    assert names(tmp_path) == ["checkpoint_epoch_0001", "checkpoint_epoch_0002"]
    assert [(known.epoch, known.metric) for known in manager.checkpoints] == [(2, 0.3), (1, 0.6)]


def test_before_the_first_there_is_no_best(tmp_path: Path) -> None:
    assert CheckpointManager(tmp_path).best is None


def test_arguments_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keep_top_k must be at least 1, got 0"):
        CheckpointManager(tmp_path, keep_top_k=0)
    with pytest.raises(UsageError, match="mode must be 'min' or 'max', got 'auto'"):
        CheckpointManager(tmp_path, mode="auto")  # type: ignore[arg-type]


def test_the_newest_stays_where_a_fit_is_to_continue_from_it(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path, keep_top_k=1, keep_newest=True)
    for epoch, metric in enumerate([0.3, 0.5, 0.4], start=1):
        manager.save_checkpoint(save_nothing, epoch, metric)
    assert names(tmp_path) == ["checkpoint_epoch_0001", "checkpoint_epoch_0003"]
    assert manager.newest is not None
    assert manager.newest.epoch == 3


def test_a_later_process_finds_the_whole_checkpoints_and_removes_the_half_written(tmp_path: Path) -> None:
    first = CheckpointManager(tmp_path)
    for epoch, metric in enumerate([0.5, math.nan, 0.4], start=1):
        first.save_checkpoint(save_nothing, epoch, metric)
    (tmp_path / ".partial-01234567-checkpoint_epoch_0004").mkdir()
    (tmp_path / "checkpoint_epoch_0005").mkdir()  # without its state
    with pytest.warns(CheckpointWarning, match=r"checkpoint_epoch_0005/state\.json cannot be read"):
        found = CheckpointManager.reopened(tmp_path)
    assert [known.epoch for known in found.checkpoints] == [3, 1, 2]
    assert found.newest == first.newest
    assert not list(tmp_path.glob(".partial-*"))
