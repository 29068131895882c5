"""The ledger keeps every entry: none can be changed or removed, and two writers lose nothing."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ohlcv_factory.errors import AccessError, DataError, LockedError, StorageError
from ohlcv_factory.storage import ledger as ledger_module
from ohlcv_factory.storage.ledger import Kind, Ledger, kind_counts


def now() -> datetime:
    return datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def record(ledger: Ledger, kind: Kind = "fit", data: str = "d1", **other: Any) -> None:
    facts = {"run_id": "r1", "model": "gru", "horizon": 20, "config_digest": "c1", "data_digest": data, **other}
    ledger.record(kind, **facts)


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


def test_a_ledger_that_stays_locked_is_refused_after_the_time_limit(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(ledger)
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    with closing(sqlite3.connect(ledger.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockedError, match=r"database is locked by another process, after 0\.05 s") as caught:
            record(ledger)
        with pytest.raises(LockedError):
            ledger.entries()
    assert caught.value.exit_code == 75
    assert len(ledger.entries()) == 1


def test_a_writer_waits_for_one_that_is_done_in_time(ledger: Ledger) -> None:
    record(ledger)
    other = sqlite3.connect(ledger.path, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    release.start()
    record(ledger)
    release.join()
    other.close()
    assert len(ledger.entries()) == 2


def test_a_disk_that_refuses_is_a_storage_error(ledger: Ledger) -> None:
    ledger.path.mkdir(parents=True)
    with pytest.raises(StorageError, match="unable to open") as caught:
        record(ledger)
    assert caught.value.exit_code == 74


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
    assert not ledger.knows("fit", "r1")
    record(ledger)
    assert ledger.knows("fit", "r1")
    assert not ledger.knows("fit", "r2")


def test_entries_are_chosen_by_kind_model_and_dataset(ledger: Ledger) -> None:
    record(ledger, "fit", "d1")
    record(ledger, "trial", "d1", model="lstm")
    record(ledger, "fit", "d2", model="lstm")
    assert [entry["data_digest"] for entry in ledger.entries(model="lstm")] == ["d1", "d2"]
    assert [entry["kind"] for entry in ledger.entries(data_digest="d1")] == ["fit", "trial"]
    assert ledger.entries(kind="fit", model="gru", data_digest="d2") == []


def test_every_kind_is_counted_also_one_without_entries(ledger: Ledger) -> None:
    for kind in ("fit", "threshold", "threshold"):
        record(ledger, kind)  # type: ignore[arg-type]
    assert kind_counts(ledger.entries()) == {"fit": 1, "trial": 0, "threshold": 2, "test_look": 0}


def test_folds_retries_and_repetitions_of_one_configuration_are_one_trial(ledger: Ledger) -> None:
    for run in ("cv_1/fold_01", "cv_1/fold_02", "cv_1/fold_02", "run_1", "run_2"):
        record(ledger, run_id=run)
    record(ledger, "trial", run_id="study/7")  # tuning tried the configuration that was then fitted
    assert ledger.trials("d1") == 1


def test_another_model_horizon_setting_or_choice_of_a_threshold_is_one_more_trial(ledger: Ledger) -> None:
    record(ledger)
    for other in ({"model": "lstm"}, {"horizon": 5}, {"config_digest": "c2"}):
        record(ledger, **other)
    record(ledger, "trial", config_digest="c3")
    record(ledger, "threshold")
    assert ledger.trials("d1") == 6
    assert ledger.trials("d2") == 0


def test_fits_whose_settings_are_not_known_are_told_apart_by_their_run(ledger: Ledger) -> None:
    for run in ("a", "b", "b"):
        record(ledger, run_id=run, config_digest="")
    assert ledger.trials("d1") == 2


def test_looks_at_a_test_part_are_no_trials_and_are_counted_by_configuration(ledger: Ledger) -> None:
    for digest in ("c1", "c1", "c2"):
        record(ledger, "test_look", config_digest=digest)
    assert ledger.trials("d1") == 0
    assert ledger.looked_at("d1") == 2
    assert ledger.looked_at("d2") == 0


def record_sharpe(
    ledger: Ledger, ratio: float, digest: str, part: str = "val", data: str = "d1", sessions: int = 2
) -> None:
    facts = {"run_id": "r1", "model": "gru", "horizon": 20, "config_digest": digest, "data_digest": data}
    ledger.record_sharpe(**facts, part=part, ratio=ratio, sessions=sessions)  # type: ignore[arg-type]


def test_the_newest_sharpe_ratio_of_each_trial_is_known_by_dataset(ledger: Ledger) -> None:
    for ratio, digest in ((0.01, "c1"), (0.02, "c2"), (0.03, "c1")):
        record_sharpe(ledger, ratio, digest)
    record_sharpe(ledger, 0.7, "c1", data="d2")
    assert ledger.sharpes("d1", "val") == [0.03, 0.02]


def test_sharpe_ratios_of_parts_of_any_length_are_known_in_units_of_their_chance_error(ledger: Ledger) -> None:
    record_sharpe(ledger, 0.1, "c1", sessions=101)
    record_sharpe(ledger, 0.05, "c2", sessions=401)
    assert ledger.sharpes("d1", "val") == [1.0, 1.0]


def test_a_trial_is_known_by_another_part_where_it_has_none_but_never_by_or_for_the_test_part(ledger: Ledger) -> None:
    for ratio, digest, part in ((0.5, "c1", "val"), (0.6, "c1", "oof"), (0.7, "c2", "oof"), (0.9, "c3", "test")):
        record_sharpe(ledger, ratio, digest, part)
    assert ledger.sharpes("d1", "val") == [0.5, 0.7]
    assert ledger.sharpes("d1", "oof") == [0.6, 0.7]
    assert ledger.sharpes("d1", "test") == [0.9]


@pytest.mark.parametrize("statement", ["UPDATE sharpe SET ratio = 9", "DELETE FROM sharpe"])
def test_no_sharpe_ratio_can_be_changed_or_removed(statement: str, ledger: Ledger) -> None:
    record_sharpe(ledger, 0.01, "c1")
    with (
        closing(sqlite3.connect(ledger.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only"),
    ):
        connection.execute(statement)
    assert ledger.sharpes("d1", "val") == [0.01]


OLDER_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL, kind TEXT NOT NULL, run_id TEXT NOT NULL, model TEXT NOT NULL, horizon INTEGER NOT NULL,
    config_digest TEXT NOT NULL, data_digest TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
INSERT INTO entry (time, kind, run_id, model, horizon, config_digest, data_digest)
VALUES ('2026-01-01T00:00:00Z', 'fit', 'old', 'gru', 20, 'c0', 'd1');
"""


def test_a_ledger_of_an_earlier_version_is_read_and_continued(ledger: Ledger) -> None:
    ledger.path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(ledger.path)) as connection:
        connection.executescript(OLDER_SCHEMA)
    assert ledger.trials("d1") == 1
    assert ledger.sharpes("d1", "val") == []
    record(ledger, "trial")
    record_sharpe(ledger, 0.01, "c1")
    assert [entry["run_id"] for entry in ledger.entries()] == ["old", "r1"]
    assert ledger.trials("d1") == 2
    assert ledger.sharpes("d1", "val") == [0.01]


WRITER = """
import sys
from pathlib import Path
from ohlcv_factory.storage.ledger import Ledger
ledger = Ledger.in_folder(Path(sys.argv[1]))
for turn in range(100_000):
    ledger.record('fit', run_id=str(turn), model='gru', horizon=5, config_digest='', data_digest='')
    print(turn, flush=True)
"""


@pytest.mark.parametrize("milliseconds", [0, 3, 11, 40])
def test_a_writer_that_is_killed_leaves_every_entry_that_it_was_done_with(milliseconds: int, tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    written = [int(writer.stdout.readline())]
    time.sleep(milliseconds / 1000)
    writer.send_signal(signal.SIGKILL)
    written += [int(line) for line in writer.communicate()[0].split()]
    ledger = Ledger.in_folder(tmp_path)
    found = [int(entry["run_id"]) for entry in ledger.entries()]
    assert found == list(range(len(found)))
    assert len(written) <= len(found) <= len(written) + 1
    record(ledger)
    assert len(ledger.entries()) == len(found) + 1


KILLED_AT_EACH_STEP = """
import os, signal, sqlite3, sys
from pathlib import Path
from ohlcv_factory.storage import ledger as module

folder, real_connect = Path(sys.argv[1]), sqlite3.connect
facts = dict(model='gru', horizon=5, config_digest='', data_digest='')

def connect_to_die(step):
    steps = iter(range(step))
    def connect(*given, **named):
        connection = real_connect(*given, **named)
        connection.set_progress_handler(lambda: next(steps, None) is None and os.kill(os.getpid(), signal.SIGKILL), 1)
        return connection
    return connect

deaths = 0
for step in range(0, 100_000, 7):
    child = os.fork()
    if child == 0:
        module.sqlite3.connect = connect_to_die(step)
        module.Ledger.in_folder(folder).record('fit', run_id=f'step {step}', **facts)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    found = [entry['run_id'] for entry in module.Ledger.in_folder(folder).entries()]
    if os.WIFEXITED(status):
        assert found == [f'step {step}'], found
        break
    deaths += 1
    assert found == [], found
print(deaths)
"""


def test_a_writer_that_is_killed_before_any_step_of_its_first_entry_leaves_none_of_it(tmp_path: Path) -> None:
    program = [sys.executable, "-c", KILLED_AT_EACH_STEP, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 20
