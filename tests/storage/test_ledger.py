"""The ledger keeps every entry: none can be changed or removed, and two writers lose nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ohlcv_factory.errors import AccessError, DataError, StorageError
from ohlcv_factory.storage import ledger as ledger_module
from ohlcv_factory.storage.ledger import Kind, Ledger


def now() -> datetime:
    return datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def record(ledger: Ledger, kind: Kind = "fit", data: str = "d1") -> None:
    ledger.record(kind, run_id="r1", model="gru", horizon=20, config_digest="c1", data_digest=data)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.in_folder(tmp_path / "experiments", now)


def test_an_entry_is_read_back_as_it_was_made(ledger: Ledger) -> None:
    record(ledger)
    assert ledger.entries() == [
        {
            "time": "2026-11-23T08:30:00Z",
            "kind": "fit",
            "run_id": "r1",
            "model": "gru",
            "horizon": 20,
            "config_digest": "c1",
            "data_digest": "d1",
        }
    ]


def test_entries_are_counted_by_kind_and_dataset(ledger: Ledger) -> None:
    kinds: list[tuple[Kind, str]] = [("fit", "d1"), ("fit", "d2"), ("test_look", "d1"), ("fit", "d1")]
    for kind, data in kinds:
        record(ledger, kind, data)
    assert ledger.count("fit") == 3
    assert ledger.count("fit", data_digest="d1") == 2
    assert ledger.count("test_look", data_digest="d2") == 0


def test_entries_come_oldest_first(ledger: Ledger) -> None:
    for data in ("d2", "d3", "d1"):
        record(ledger, data=data)
    assert [entry["data_digest"] for entry in ledger.entries()] == ["d2", "d3", "d1"]


def test_asking_makes_no_file(ledger: Ledger) -> None:
    assert ledger.entries() == []
    assert not ledger.path.exists()


@pytest.mark.parametrize("statement", ["UPDATE entry SET model = 'lstm'", "DELETE FROM entry"])
def test_no_entry_can_be_changed_or_removed(statement: str, ledger: Ledger) -> None:
    record(ledger)
    with (
        closing(sqlite3.connect(ledger.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only"),
    ):
        connection.execute(statement)
    assert [entry["model"] for entry in ledger.entries()] == ["gru"]


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ohlcv_factory.storage.ledger import Ledger\n"
        "for turn in range(25):\n"
        "    Ledger.in_folder(Path(sys.argv[1])).record(\n"
        "        'fit', run_id=f'{sys.argv[2]}{turn}', model='gru', horizon=5, config_digest='', data_digest='')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = sorted(entry["run_id"] for entry in Ledger.in_folder(tmp_path).entries())
    assert found == sorted(f"{name}{turn}" for name in "ab" for turn in range(25))


def test_a_ledger_that_stays_locked_is_a_storage_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    record(ledger)
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    with closing(sqlite3.connect(ledger.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="database is locked") as caught:
            record(ledger)
    assert caught.value.exit_code == 74
    assert len(ledger.entries()) == 1


def test_a_damaged_ledger_is_refused(ledger: Ledger) -> None:
    record(ledger)
    ledger.path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="damaged") as caught:
        record(ledger)
    assert caught.value.exit_code == 65
    assert caught.value.where == str(ledger.path)


def test_a_folder_that_cannot_be_made_is_our_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(self: Path, *, parents: bool, exist_ok: bool) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", closed)
    with pytest.raises(AccessError) as caught:
        record(ledger)
    assert caught.value.exit_code == 77


def test_a_fit_is_known_by_its_run_and_a_look_is_no_fit(ledger: Ledger) -> None:
    record(ledger, "test_look")
    assert not ledger.knows_fit("r1")
    record(ledger)
    assert ledger.knows_fit("r1")
    assert not ledger.knows_fit("r2")
