from __future__ import annotations

from ohlcv_factory.audit.looks import looks_at
from ohlcv_factory.storage.formats import write_json
from ohlcv_factory.storage.ledger import Ledger

FINGERPRINT = "f" * 64
LOOK = {"model": "logistic", "horizon": 5, "config_digest": "c"}


def look(folder, run_id="run", data=FINGERPRINT):
    Ledger.in_folder(folder).record("test_look", run_id=run_id, data_digest=data, **LOOK)


def evaluated(folder, name, *parts, data=FINGERPRINT):
    """A run folder with an addendum for each part that was scored."""
    write_json(folder / name / "manifest.json", {"data_fingerprint": data})
    for number, part in enumerate(parts, start=1):
        write_json(folder / name / "addenda" / f"{number:03d}" / "manifest.json", {"part": part})


def test_nobody_kept_count(tmp_path):
    assert looks_at(tmp_path, FINGERPRINT) is None


def test_looks_are_counted_over_all_runs_on_the_same_data(tmp_path):
    look(tmp_path, "one")
    look(tmp_path, "two")
    look(tmp_path, "three", data="another")
    found = looks_at(tmp_path, FINGERPRINT)
    assert (found.counted, found.found, found.total, found.unentered) == (2, 0, 2, 0)


def test_an_evaluation_that_is_in_no_ledger_is_found(tmp_path):
    look(tmp_path)
    evaluated(tmp_path, "runs/a", "test", "val", "test")
    evaluated(tmp_path, "runs/b", "test", data="another")
    evaluated(tmp_path, "c", "test")
    found = looks_at(tmp_path, FINGERPRINT)
    assert (found.counted, found.found, found.total, found.unentered) == (1, 3, 3, 2)


def test_evaluations_without_any_ledger_count(tmp_path):
    evaluated(tmp_path, "runs/a", "test")
    assert looks_at(tmp_path, FINGERPRINT).unentered == 1


def test_fits_are_no_looks(tmp_path):
    Ledger.in_folder(tmp_path).record("fit", run_id="run", data_digest=FINGERPRINT, **LOOK)
    assert looks_at(tmp_path, FINGERPRINT).total == 0
