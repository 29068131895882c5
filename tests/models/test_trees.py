from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ohlcv_factory.errors import DeviceError
from ohlcv_factory.models import _trees
from ohlcv_factory.models._trees import ChunkedConfig, RoundLog, boost, chosen_device, planned_rounds
from ohlcv_factory.models.base import SilentSink
from ohlcv_factory.runtime.seeding import component_seed


class ScriptedGrower:
    """A library whose stop losses are known in advance."""

    def __init__(self, losses: list[float | None]) -> None:
        self.losses, self.chunks = iter(losses), []

    def grow(self, rounds: int, seed: int, on_round: Callable[[float | None], bool]) -> None:
        self.chunks.append((rounds, seed))
        for _ in range(rounds):
            if on_round(next(self.losses)):
                return

    def save(self, path: Path) -> None:
        path.write_text(f"{len(self.chunks)} chunks")

    def load(self, path: Path) -> None:
        self.loaded = path.read_text()


class NotingSink(SilentSink):
    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.epochs, self.checkpoints = folder, [], []

    def on_epoch(self, epoch: int, total: int, metrics: Mapping[str, float]) -> None:
        self.epochs.append((epoch, total, dict(metrics)))

    def on_checkpoint(self, epoch: int, metric: float, save: Callable[[Path], None]) -> None:
        self.checkpoints.append((epoch, metric))
        if self.folder:
            save(self.folder)


def grown(losses: list[float | None], rounds: int, patience: int, chunk: int, sink: SilentSink | None = None):
    grower, log = ScriptedGrower(losses), RoundLog(rounds, patience, sink or SilentSink())
    return grower, log, boost(model_of(chunk), grower, log)


def model_of(chunk: int, resume_from: Path | None = None) -> Any:
    """As much of a model as the chunk loop reads."""
    config = ChunkedConfig(chunk_trees=chunk)
    return SimpleNamespace(config=config, seed=1, name="xgboost", native_suffix=".ubj", resume_from=resume_from)


def test_the_earliest_lowest_stop_loss_is_the_best_round() -> None:
    log = RoundLog(10, 3, SilentSink())
    assert [log.add(loss) for loss in (1.0, 0.8, 0.9, 0.8)] == [False, False, False, False]
    assert (log.best_round, log.rounds_to_keep) == (2, 2)
    assert log.add(0.85) is True


def test_a_fit_is_cut_into_chunks_each_with_a_seed_of_its_own() -> None:
    grower, _, report = grown([None] * 7, rounds=7, patience=5, chunk=3)
    seeds = [component_seed(1, "xgboost", "chunk", chunk) for chunk in range(3)]
    assert grower.chunks == [(3, seeds[0]), (3, seeds[1]), (1, seeds[2])]
    assert len(set(seeds)) == 3
    assert (report.epochs_trained, report.best_epoch, report.early_stopped) == (7, None, False)


def test_patience_is_counted_across_the_border_of_chunks() -> None:
    _, log, report = grown([1.0, 0.5, 0.6, 0.7, 0.8, 0.1], rounds=6, patience=3, chunk=3)
    assert (report.epochs_trained, report.best_epoch, report.early_stopped) == (5, 2, True)
    assert report.history == {"val_loss": [1.0, 0.5, 0.6, 0.7, 0.8]}
    assert log.rounds_to_keep == 2


def test_no_chunk_starts_when_patience_ends_at_a_border() -> None:
    grower, _, report = grown([0.5, 0.6, 0.7, 0.1], rounds=4, patience=2, chunk=3)
    assert len(grower.chunks) == 1
    assert report.epochs_trained == 3


def test_the_sink_hears_of_each_round_and_of_each_border() -> None:
    sink = NotingSink()
    grown([1.0, 0.9, 0.8, 0.7], rounds=4, patience=9, chunk=2, sink=sink)
    assert sink.epochs[0] == (1, 4, {"val_loss": 1.0})
    assert [epoch for epoch, _, _ in sink.epochs] == [1, 2, 3, 4]
    assert sink.checkpoints == [(2, 0.9), (4, 0.7)]


def test_without_stop_rows_a_later_checkpoint_counts_as_better() -> None:
    sink = NotingSink()
    grown([None] * 4, rounds=4, patience=1, chunk=2, sink=sink)
    assert sink.checkpoints == [(2, -2.0), (4, -4.0)]
    assert sink.epochs[0] == (1, 4, {})


def test_a_checkpoint_holds_the_booster_and_the_losses_so_far(tmp_path: Path) -> None:
    grown([1.0, 0.9], rounds=2, patience=9, chunk=2, sink=NotingSink(tmp_path))
    assert (tmp_path / "model.ubj").read_text() == "1 chunks"
    assert json.loads((tmp_path / "rounds.json").read_text()) == {"rounds": 2, "val_loss": [1.0, 0.9]}


@pytest.mark.parametrize(
    ("most", "fixed", "stop", "rounds"), [(500, 100, True, 500), (500, 100, False, 100), (20, 100, False, 20)]
)
def test_without_stop_rows_the_number_of_rounds_is_fixed(most: int, fixed: int, stop: bool, rounds: int) -> None:
    assert planned_rounds(most, fixed, stop) == rounds


def test_cuda_without_a_card_is_an_error_that_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trees, "NVIDIA_DRIVER", Path("/nowhere"))
    with pytest.raises(DeviceError) as raised:
        chosen_device("cuda", "xgboost", lambda: True)
    assert raised.value.exit_code == 69
    assert "device: auto" in raised.value.help


def test_auto_takes_a_card_only_where_the_library_can_use_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_trees, "NVIDIA_DRIVER", tmp_path)
    assert chosen_device("auto", "xgboost", lambda: True) == "cuda"
    assert chosen_device("auto", "xgboost", lambda: False) == "cpu"
    assert chosen_device("cpu", "xgboost", lambda: True) == "cpu"
    monkeypatch.setattr(_trees, "NVIDIA_DRIVER", Path("/nowhere"))
    assert chosen_device("auto", "xgboost", lambda: True) == "cpu"


def test_a_fit_that_was_cut_off_grows_the_chunks_that_are_missing_and_reports_all(tmp_path: Path) -> None:
    losses = [0.9, 0.8, 0.7, 0.75, 0.72, 0.74, 0.73]
    grown(losses[:4], rounds=4, patience=9, chunk=2, sink=NotingSink(tmp_path))
    grower, log = ScriptedGrower(losses[4:]), RoundLog(7, 9, SilentSink())
    report = boost(model_of(2, tmp_path), grower, log)
    assert grower.loaded == "2 chunks"
    seeds = [component_seed(1, "xgboost", "chunk", chunk) for chunk in (2, 3)]
    assert grower.chunks == [(2, seeds[0]), (1, seeds[1])]
    assert (report.epochs_trained, report.best_epoch, report.history) == (7, 3, {"val_loss": losses})


def test_a_fit_whose_patience_was_over_grows_nothing_more(tmp_path: Path) -> None:
    grown([0.5, 0.6, 0.7], rounds=9, patience=2, chunk=3, sink=NotingSink(tmp_path))
    grower, log = ScriptedGrower([]), RoundLog(9, 2, SilentSink())
    assert boost(model_of(3, tmp_path), grower, log).early_stopped
    assert (grower.chunks, log.rounds_to_keep) == ([], 1)
