"""`ledger show` counts trials by dataset, chooses entries, and outlives the runs."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from command_line import call, succeed, train

from ohlcv_factory.storage import ledger as ledger_module
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Kind, Ledger

ENTRIES: list[tuple[Kind, str, str, str, str]] = [
    ("fit", "cv_1/fold_01", "gru", "aaaa", "d1d1"),
    ("fit", "cv_1/fold_02", "gru", "aaaa", "d1d1"),
    ("trial", "tune_1/1", "svm", "bbbb", "d1d1"),
    ("threshold", "run_1", "gru", "aaaa", "d1d1"),
    ("test_look", "run_1", "gru", "aaaa", "d1d1"),
    ("fit", "run_2", "gru", "aaaa", "d2d2"),
]


@pytest.fixture
def entered(tmp_path):
    ledger = Ledger.in_folder(tmp_path, lambda: datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
    for kind, run, model, config, data in ENTRIES:
        ledger.record(kind, run_id=run, model=model, horizon=5, config_digest=config, data_digest=data)
    return tmp_path


def shown(folder, *arguments: str) -> Any:
    return succeed("ledger", "show", folder, *arguments, "--json").json


def test_trials_are_counted_by_dataset_and_entries_by_kind(entered):
    values = shown(entered)
    assert values["trials"] == 4
    assert values["entries"] == {"fit": 3, "trial": 1, "threshold": 1, "test_look": 1}
    assert {data: each["trials"] for data, each in values["data"].items()} == {"d1d1": 3, "d2d2": 1}
    assert [row["run_id"] for row in values["rows"]] == [entry[1] for entry in ENTRIES]


def test_the_text_has_a_line_per_dataset_and_per_entry_and_says_what_counts(entered):
    lines = succeed("ledger", "show", entered).out.splitlines()
    assert lines[0] == f"{entered / 'ledger.sqlite'}: 4 trials in 6 entries"
    assert lines[4].split() == ["d1d1", "3", "2", "1", "1", "1"]
    assert "A trial is one configuration on one dataset" in lines[6]
    assert lines[-1].split() == ["2026-11-23T08:30:00Z", "fit", "gru", "5", "run_2", "aaaa", "d2d2"]


@pytest.mark.parametrize(
    ("chosen", "runs"),
    [
        (("--data", "d2"), ["run_2"]),
        (("--kind", "trial"), ["tune_1/1"]),
        (("--model", "gru", "--kind", "test_look"), ["run_1"]),
        (("--model", "lstm"), []),
    ],
)
def test_entries_are_chosen_by_data_kind_and_model(entered, chosen, runs):
    values = shown(entered, *chosen)
    assert [row["run_id"] for row in values["rows"]] == runs
    assert sum(values["entries"].values()) == len(runs)


def test_the_file_itself_can_be_named(entered):
    assert shown(entered / "ledger.sqlite")["trials"] == 4


def test_another_kind_and_a_folder_without_a_ledger_are_refused(entered, tmp_path):
    refused = call("ledger", "show", entered, "--kind", "fits")
    assert (refused.code, "Did you mean 'fit'?" in refused.err) == (2, True)
    missing = call("ledger", "show", tmp_path / "elsewhere")
    assert (missing.code, "there is no trial ledger" in missing.err) == (66, True)


def test_a_ledger_that_another_process_holds_is_exit_code_75(entered, monkeypatch):
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    with closing(sqlite3.connect(entered / "ledger.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        refused = call("ledger", "show", entered)
    assert refused.code == 75
    assert "error[E-locked]: the trial ledger: database is locked by another process" in refused.err


def test_deleting_a_run_does_not_delete_its_trials(dataset, tmp_path):
    run = train(dataset, tmp_path / "experiments" / "runs")
    shutil.rmtree(run)
    values = shown(tmp_path / "experiments", "--data", str(dataset))
    assert values["trials"] == 1
    assert list(values["data"]) == [read_json(dataset / "dataset.json")["fingerprint"]]
    assert [(row["kind"], row["run_id"]) for row in values["rows"]] == [("fit", run.name)]
