"""The trial ledger: an append-only SQLite file that counts everything that was tried on some data.

Deleting a run does not delete its trials: the number of things that were tried is what makes a good score believable
or not (Bailey and López de Prado 2014, The deflated Sharpe ratio).

**What counts as a trial.** One configuration on one dataset: model, horizon and every setting, the seed among them. The
folds of a study, the fit that follows them, a run that is resumed or a job that is done again are the same trial, and so
is the same recipe once more, because it gives the same numbers. The choice of a threshold or a conformal level on rows is
one more. A look at a test part is none of these: looks are counted by themselves, and are what a verdict on that part
is weighed by.

Every entry is one transaction: a process that is killed leaves it whole or not at all, and what a `record` that
returned has written survives a power cut. Writers wait for each other, up to 30 s.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ohlcv_factory.errors import DataError, FactoryError, LockedError, StorageError
from ohlcv_factory.runtime.clock import Clock, system_clock, utc_text
from ohlcv_factory.storage.atomic import storage_errors
from ohlcv_factory.storage.regular_files import refuse_irregular_database

FILE_NAME = "ledger.sqlite"
BUSY_TIMEOUT_SECONDS = 30.0
Kind = Literal["fit", "trial", "threshold", "test_look"]
"""A model fitted; a configuration tried by tuning; thresholds or conformal levels chosen; a test part looked at."""
KINDS: tuple[Kind, ...] = ("fit", "trial", "threshold", "test_look")
TEST = "test"
"""The part that nothing may be chosen on."""
TRIED: tuple[Kind, ...] = ("fit", "trial")
"""Kinds that stand for a configuration: one that was tried by tuning and then fitted is one trial."""

_IDENTITY_COLUMNS = (
    "run_id TEXT NOT NULL, model TEXT NOT NULL, horizon INTEGER NOT NULL, "
    "config_digest TEXT NOT NULL, data_digest TEXT NOT NULL"
)
_KEY = "id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL"
_REFUSAL = "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
_SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS entry ({_KEY}, kind TEXT NOT NULL, {_IDENTITY_COLUMNS})",
    f"CREATE TABLE IF NOT EXISTS sharpe ({_KEY}, {_IDENTITY_COLUMNS}, part TEXT NOT NULL, ratio REAL NOT NULL, "
    "sessions INTEGER NOT NULL)",
    f"CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entry {_REFUSAL}",
    f"CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entry {_REFUSAL}",
    f"CREATE TRIGGER IF NOT EXISTS no_sharpe_update BEFORE UPDATE ON sharpe {_REFUSAL}",
    f"CREATE TRIGGER IF NOT EXISTS no_sharpe_delete BEFORE DELETE ON sharpe {_REFUSAL}",
)
_IDENTITY = ("run_id", "model", "horizon", "config_digest", "data_digest")
_COLUMNS = {"entry": ("time", "kind", *_IDENTITY), "sharpe": ("time", *_IDENTITY, "part", "ratio", "sessions")}

Entry = Mapping[str, Any]


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
        """Append one entry, before the work that it stands for: what fails or is cut off was tried as well.

        `config_digest` is that of every setting (`artifacts.repeatable_config`): by it a trial is told from its
        repetition. Raises LockedError (75) while another process holds the file for over 30 s, StorageError (74) where
        the disk refuses, DataError (65) for a file that is no ledger, a link or a pipe.
        """
        self._append("entry", (utc_text(self.clock()), kind, run_id, model, horizon, config_digest, data_digest))

    def record_sharpe(
        self,
        *,
        run_id: str,
        model: str,
        horizon: int,
        config_digest: str,
        data_digest: str,
        part: str,
        ratio: float,
        sessions: int,
    ) -> None:
        """Append what an entered trial came to: its net Sharpe ratio **per session** on a part (`val`, `oof`, `test`).

        The spread of these is what the deflated Sharpe ratio takes. Raises what `record` does.
        """
        identity = (run_id, model, horizon, config_digest, data_digest)
        self._append("sharpe", (utc_text(self.clock()), *identity, part, float(ratio), int(sessions)))

    def entries(
        self, *, kind: Kind | None = None, model: str | None = None, data_digest: str | None = None
    ) -> list[Entry]:
        """Every entry, oldest first; only those of a kind, a model or a dataset where these are given."""
        wanted = {"kind": kind, "model": model, "data_digest": data_digest}
        chosen = {name: value for name, value in wanted.items() if value is not None}
        return [each for each in self._rows("entry") if all(each[name] == value for name, value in chosen.items())]

    def knows(self, kind: Kind, run_id: str) -> bool:
        """Whether a run has an entry of a kind."""
        return any(entry["run_id"] == run_id for entry in self.entries(kind=kind))

    def count(self, kind: Kind, *, data_digest: str | None = None) -> int:
        """How many entries of one kind there are, of one dataset where `data_digest` is given: each fold, each retry."""
        return len(self.entries(kind=kind, data_digest=data_digest))

    def trials(self, data_digest: str) -> int:
        """How many trials there were on one dataset, at all horizons: see the head of this file for what counts."""
        return trial_count(self.entries(data_digest=data_digest))

    def looked_at(self, data_digest: str) -> int:
        """How many configurations were looked at on the test part of one dataset."""
        return len({_identity(entry) for entry in self.entries(kind="test_look", data_digest=data_digest)})

    def sharpes(self, data_digest: str, part: str) -> list[float]:
        """The known Sharpe ratio of each trial on one dataset, in the order of first entry, in units of its chance error.

        That is the ratio per session times the root of the sessions less 1: the ratios of independent models without skill
        scatter by 1, however long the part. A trial without one on `part` is taken by another part, but never by or for
        the test part. Of several the newest counts.
        """
        rows = [each for each in self._rows("sharpe") if each["data_digest"] == data_digest]
        offered = [row for row in rows if row["part"] == part or TEST not in (part, row["part"])]
        chosen = dict.fromkeys(map(_identity, offered), 0.0)
        for row in sorted(offered, key=lambda row: row["part"] == part):  # stable: this part and the newest come last
            chosen[_identity(row)] = float(row["ratio"] * math.sqrt(max(row["sessions"] - 1, 0)))
        return list(chosen.values())

    def _append(self, table: str, row: Sequence[Any]) -> None:
        with self._open() as connection:
            _begin(connection)
            places = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {table} ({', '.join(_COLUMNS[table])}) VALUES ({places})", row)
            connection.execute("COMMIT")

    def _rows(self, table: str) -> list[Entry]:
        if not self.path.exists() and not self.path.is_symlink():
            return []
        with self._open() as connection:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            if not known:  # an older ledger, or one whose first writer was killed
                return []
            found = connection.execute(f"SELECT {', '.join(_COLUMNS[table])} FROM {table} ORDER BY id").fetchall()
        return [dict(zip(_COLUMNS[table], row, strict=True)) for row in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection without transactions of its own; one that is still open at the end is rolled back."""
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        refuse_irregular_database(self.path)
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            raise self._told(error) from None

    def _told(self, error: sqlite3.DatabaseError) -> FactoryError:
        where, name = str(self.path), getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            waited = f"after {BUSY_TIMEOUT_SECONDS:g} s"
            advice = "wait until the other process is done, and resume"
            return LockedError(f"the trial ledger: {error} by another process, {waited}.", where=where, help=advice)
        if isinstance(error, sqlite3.OperationalError):
            return StorageError(f"the trial ledger: {error}.", where=where, help="is the disk writable?")
        return DataError(f"the trial ledger is damaged: {error}.", where=where, help="restore a copy")


def trial_count(entries: Iterable[Entry]) -> int:
    """How many trials some entries stand for: configurations, and choices of thresholds beside them."""
    tried = (entry for entry in entries if entry["kind"] != "test_look")
    return len({(entry["kind"] in TRIED, entry["data_digest"], *_identity(entry)) for entry in tried})


def kind_counts(entries: Iterable[Entry]) -> dict[str, int]:
    """Entries by kind, all kinds named."""
    found = Counter(entry["kind"] for entry in entries)
    return {kind: found[kind] for kind in KINDS}


def _identity(row: Entry) -> tuple[str, int, str]:
    """What tells one configuration from another; a run whose settings are not known is one by itself."""
    return row["model"], row["horizon"], row["config_digest"] or row["run_id"]


def _begin(connection: sqlite3.Connection) -> None:
    """Take the write lock before anything is read, so that two writers wait for each other instead of failing.

    The tables are made inside of it: whoever dies half-way leaves none of them.
    """
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
