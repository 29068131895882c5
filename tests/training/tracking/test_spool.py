from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ohlcv_factory.training.tracking.settings import ExperimentConfig
from ohlcv_factory.training.tracking.spool import SPOOL, Spool, read_events


def clock() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path):
    opened = Spool(tmp_path, clock)
    yield opened
    opened.close()


def test_an_event_is_one_line_with_its_time(spool, tmp_path) -> None:
    spool.on_epoch(3, {"val_loss": 0.5, "train_loss": float("nan")})
    line = '{"event": "epoch", "time": 1767323045000, "epoch": 3, "metrics": {"val_loss": 0.5, "train_loss": null}}\n'
    assert (tmp_path / SPOOL).read_text() == line


def test_an_epoch_without_metrics_is_not_worth_a_line(spool, tmp_path) -> None:
    spool.on_epoch(1, {})
    assert not (tmp_path / SPOOL).exists()


def test_all_attempts_share_the_key_of_the_first(spool, tmp_path) -> None:
    spool.begin(ExperimentConfig(), 1)
    again = Spool(tmp_path, clock)
    again.begin(ExperimentConfig(), 2)
    again.close()
    first, second = read_events(tmp_path / SPOOL)
    assert first["key"] == second["key"]
    assert (first["attempt"], second["attempt"]) == (1, 2)


def test_a_torn_line_is_skipped_and_the_next_attempt_begins_a_new_one(spool, tmp_path) -> None:
    (tmp_path / SPOOL).write_bytes(b'{"event": "epoch", "time": 1, "epoch": 1, "metrics": {"a": 1}}\n{"event": "epo')
    assert [event["epoch"] for event in read_events(tmp_path / SPOOL)] == [1]
    spool.on_epoch(2, {"a": 1.0})
    assert [event["epoch"] for event in read_events(tmp_path / SPOOL)] == [1, 2]


@pytest.mark.parametrize("line", [b"\x00\xff", b"[1]", b'"text"', b"{}", b"1e999"])
def test_a_line_of_something_else_is_skipped(line, tmp_path) -> None:
    (tmp_path / SPOOL).write_bytes(line + b'\n{"event": "epoch", "time": 1, "epoch": 1, "metrics": {}}\n')
    assert len(read_events(tmp_path / SPOOL)) == 1


def test_a_disk_that_refuses_is_told_once_and_stops_nothing(tmp_path) -> None:
    told = []
    spool = Spool(tmp_path / "gone", clock)
    spool.written = lambda: told.append("written")
    spool.on_epoch(1, {"a": 1.0})
    spool.on_epoch(2, {"a": 1.0})
    assert spool.problem == f"{tmp_path}/gone/tracking.jsonl: No such file or directory"
    assert told == []


def test_each_event_is_told_as_soon_as_it_is_written(spool) -> None:
    told = []
    spool.written = lambda: told.append(len(read_events(spool.path)))
    spool.on_epoch(1, {"a": 1.0})
    spool.on_epoch(2, {"a": 1.0})
    assert told == [1, 2]
