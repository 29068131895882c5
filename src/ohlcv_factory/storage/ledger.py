"""The trial ledger: an append-only SQLite file that counts every fit and every look at the test part.

Deleting a run does not delete its trials: the number of things that were tried is what makes a good score believable
or not (Bailey and López de Prado 2014, The deflated Sharpe ratio).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ohlcv_factory.errors import DataError, StorageError
from ohlcv_factory.runtime.clock import Clock, system_clock, utc_text
from ohlcv_factory.storage.atomic import storage_errors

FILE_NAME = "ledger.sqlite"
BUSY_TIMEOUT_SECONDS = 30.0
Kind = Literal["fit", "test_look"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL, kind TEXT NOT NULL, run_id TEXT NOT NULL, model TEXT NOT NULL, horizon INTEGER NOT NULL,
    config_digest TEXT NOT NULL, data_digest TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
_COLUMNS = ("time", "kind", "run_id", "model", "horizon", "config_digest", "data_digest")


@dataclass(frozen=True)
class Ledger:
    """The ledger of one experiments folder."""

    path: Path
    clock: Clock = system_clock

    @classmethod
    def in_folder(cls, experiments: Path, clock: Clock = system_clock) -> Ledger:
        """The ledger that lies in `experiments`; made at the first entry."""
        return cls(experiments / FILE_NAME, clock)

    def record(
        self, kind: Kind, *, run_id: str, model: str, horizon: int, config_digest: str, data_digest: str
    ) -> None:
        """Append one entry. Raises StorageError (74) when the file cannot be written within 30 s."""
        row = (utc_text(self.clock()), kind, run_id, model, horizon, config_digest, data_digest)
        with self._open() as connection:
            places = ", ".join("?" for _ in _COLUMNS)
            connection.execute(f"INSERT INTO entry ({', '.join(_COLUMNS)}) VALUES ({places})", row)

    def entries(self) -> list[Mapping[str, Any]]:
        """Every entry, oldest first."""
        if not self.path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM entry ORDER BY id").fetchall()
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    def knows_fit(self, run_id: str) -> bool:
        """Whether the fit of a run was entered."""
        return any((entry["kind"], entry["run_id"]) == ("fit", run_id) for entry in self.entries())

    def count(self, kind: Kind, *, data_digest: str | None = None) -> int:
        """How many entries of one kind there are, of one dataset where `data_digest` is given."""
        return sum(entry["kind"] == kind and data_digest in (None, entry["data_digest"]) for entry in self.entries())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS)
            try:
                with connection:
                    connection.executescript(_SCHEMA)
                    yield connection
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"the trial ledger: {error}.", where=str(self.path), help="is the disk writable?"
            ) from None
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"the trial ledger is damaged: {error}.", where=str(self.path), help="restore a copy"
            ) from None
