"""What commands read beside runs and studies: databases, spools of trackers, the counter, jobs of a sweep, datasets.

Nothing of it is in a manifest, but what lies there may be a pipe, a link, a pickle, or somebody else's all the same.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import harmful
import pytest
import typer
from attacked import IRREGULAR, refused, some, unfinished
from mutations import KINDS, damaged
from resealed import reseal
from tracked_runs import write_start

from ohlcv_factory.cli.app import application

pytestmark = pytest.mark.usefixtures("in_this_process")

READS = {
    "tests/faults/test_attacks.py": (
        "predict", "verify", "evaluate", "reproduce", "audit run", "compare", "report", "train", "resume", "runs list",
    ),
    "tests/faults/test_attacks_on_studies.py": ("audit study", "sync", "recommend", "runs diff", "export"),
    "tests/faults/test_attacks_beside_runs.py": (
        "ledger show", "tune", "tune-barriers", "cv", "ensemble", "sweep", "data update", "data describe", "audit dataset",
        "runs show", "runs tag", "runs index", "runs rm", "runs prune",
    ),
}  # fmt: skip
"""Where each command that reads a run, a study, a dataset or a database of ours meets harmful ones."""
READS_NOTHING_OF_OURS = {
    "data check", "data build", "data dialects", "features list", "features describe", "features sets", "models list",
    "models info", "config show", "audit features", "audit model", "new-model", "doctor", "demo", "run",
}  # fmt: skip
"""Bar files, plugins and recipes that are named, or what the same command has just written."""
SPOOLED = ("tracking.jsonl", "tracking.json")
JOB_FILES = ("result.json", "record.json", "state.json", "log.txt", "spec.json")


def verbs(command: Any, before: str = "") -> set[str]:
    """Every command by its words."""
    found: set[str] = set()
    for name, each in command.commands.items():
        found |= verbs(each, f"{before}{name} ") if hasattr(each, "commands") else {f"{before}{name}"}
    return found


def test_every_command_meets_harmful_files_or_reads_nothing_of_ours() -> None:
    met = [verb for group in READS.values() for verb in group]
    assert len(met) == len(set(met))
    assert set(met) | READS_NOTHING_OF_OURS == verbs(typer.main.get_command(application))
    for file, group in READS.items():
        text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
        assert [verb for verb in group if not all(f'"{word}"' in text for word in verb.split())] == []


ROWS = (
    ("trial_params", "distribution_json"),
    ("trial_user_attributes", "value_json"),
    ("study_user_attributes", "value_json"),
)
VALUES = ("", "[", '{"name": "Other"}', "9" * 400)
"""What Optuna never wrote into these columns."""


# --- the trials of a search -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "beside"), some(product(["tune", "barriers"], ["trials.sqlite", "trials.sqlite-journal"]), every=3)
)
def test_a_database_that_others_can_write_is_not_read(kind, beside, guarded, copied_study, studies) -> None:
    folder = unfinished(copied_study(kind))
    (folder / beside).touch()
    (folder / beside).chmod(0o666)
    answer = guarded("resume", folder, "--dataset", studies.dataset)
    refused(answer, beside, codes=(65,))
    assert "others may have written the trials" in answer.err


def test_a_database_of_another_account_is_not_read(guarded, copied_study, studies, monkeypatch) -> None:
    folder = unfinished(copied_study("tune"))
    monkeypatch.setattr(os, "getuid", lambda: (folder / "trials.sqlite").stat().st_uid + 1)
    refused(guarded("resume", folder, "--dataset", studies.dataset), "trials.sqlite", codes=(65,))


@pytest.mark.parametrize("irregular", some(["pipe", "symlink"], every=2))
def test_a_planted_journal_is_not_played_back(irregular, guarded, copied_study, studies) -> None:
    folder = unfinished(copied_study("tune"))
    (folder / "trials.sqlite-journal").touch()
    IRREGULAR[irregular](folder / "trials.sqlite-journal")
    refused(guarded("resume", folder, "--dataset", studies.dataset), "trials.sqlite-journal", codes=(65,))


@pytest.mark.parametrize("harm", some(["pickle", *IRREGULAR], every=3))
def test_a_search_does_not_go_on_with_a_harmful_database(harm, guarded, copied_study, studies, canary) -> None:
    folder = copied_study("tune")
    if harm == "pickle":
        (folder / "trials.sqlite").write_bytes(harmful.pickled(canary))
    else:
        IRREGULAR[harm](folder / "trials.sqlite")
    again = ("tune", "--config", folder / "config" / "tuning.yaml", "--set", f"out={folder}", "--set", "tune.trials=3")
    refused(guarded(*again), "trials.sqlite", codes=(65,))


@pytest.mark.parametrize(("kind", "seed"), some(product(KINDS, range(12)), every=25))
def test_a_damaged_database_is_named_or_read(kind, seed, guarded, copied_study, studies) -> None:
    folder = unfinished(copied_study("tune"))
    path = folder / "trials.sqlite"
    path.write_bytes(damaged(path.read_bytes(), kind, seed))
    answer = guarded("resume", folder, "--dataset", studies.dataset)
    if answer.code:
        refused(answer, "trials.sqlite", codes=(65, 66))


@pytest.mark.parametrize(
    ("table", "column", "value"), some(((*at, value) for at, value in product(ROWS, VALUES)), every=5)
)
def test_values_that_optuna_never_wrote_are_told_as_damage(
    table, column, value, guarded, copied_study, studies
) -> None:
    folder = unfinished(copied_study("tune"))
    with closing(sqlite3.connect(folder / "trials.sqlite")) as database, database:
        database.execute(f"UPDATE {table} SET {column} = ?", (value,))
    answer = guarded("resume", folder, "--dataset", studies.dataset)
    if answer.code:
        refused(answer, "trials.sqlite", codes=(65,))


# --- the ledger and the counter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "irregular"), some(product(["ledger.sqlite", "counter"], IRREGULAR), every=2))
def test_nothing_is_written_through_a_link_in_an_experiments_folder(
    name, irregular, guarded, copied_study, studies
) -> None:
    run = copied_study("evaluated")
    path = run.parent.parent / name
    IRREGULAR[irregular](path)
    before = {each.name: each.read_bytes() for each in run.parent.parent.parent.rglob(f"outside-*-{name}")}
    reads = {
        "ledger.sqlite": [("evaluate", run, "--dataset", studies.dataset), ("ledger", "show", path)],
        "counter": [("train", "--model", "logistic", "--dataset", studies.dataset, "--horizon", "5", "--output-dir", run.parent)],
    }  # fmt: skip
    for arguments in reads[name]:
        refused(guarded(*arguments), name, codes=(65, 66))
    assert {each.name: each.read_bytes() for each in run.parent.parent.parent.rglob(f"outside-*-{name}")} == before


@pytest.mark.parametrize("harm", [harmful.pickled, harmful.object_array])
def test_a_ledger_of_something_else_is_named(harm, guarded, copied_study, studies, canary) -> None:
    run = copied_study("evaluated")
    (run.parent.parent / "ledger.sqlite").write_bytes(harm(canary))
    refused(guarded("ledger", "show", run.parent.parent), "ledger.sqlite", codes=(65,))
    refused(guarded("evaluate", run, "--dataset", studies.dataset), "ledger.sqlite", codes=(65,))


def test_looks_are_counted_around_harmful_addenda(guarded, copied_study, studies, canary) -> None:
    run = copied_study("evaluated")
    (run / "addenda" / "001" / "manifest.json").write_bytes(harmful.pickled(canary))
    harmful.make_fifo(run / "addenda" / "002" / "manifest.json")
    looks = ("--check", "test-looks", "--json")
    answer = guarded("audit", "dataset", studies.dataset, "--experiments", run.parent.parent, *looks)
    assert (answer.code, answer.json["checks"][0]["verdict"]) == (1, "fail")  # the ledger knows of both


TOLD = ("metrics/evaluation_metrics.json", "plots/confusion_matrix.png", "state.json")
"""Some of what a tracker is told of."""


# --- spools of trackers -----------------------------------------------------------------------------------------------


@pytest.fixture
def tracked(copied_study) -> Path:
    """A finished run that was tracked."""
    run = copied_study("evaluated")
    write_start(run, backend="tensorboard", tracking_uri=str(run.parent.parent / "board"))
    (run / "tracking.json").write_text("{}")
    return run


@pytest.mark.parametrize("irregular", IRREGULAR)
def test_a_spool_that_is_a_link_or_a_pipe_is_neither_read_nor_written(irregular, guarded, tracked, tmp_path) -> None:
    IRREGULAR[irregular](tracked / "tracking.jsonl")
    before = [each.read_bytes() for each in tmp_path.rglob("outside-*")]
    shown = ("--track", "tensorboard", "--tracking-uri", tmp_path / "board")
    for arguments in (("sync", tracked, *shown), ("sync", tracked.parent, *shown)):
        refused(guarded(*arguments), "tracking.jsonl", codes=(65,))
    assert [each.read_bytes() for each in tmp_path.rglob("outside-*")] == before


LINES = {
    "no experiment": {"event": "start", "time": 1, "key": "k"},
    "a time in words": {"event": "start", "time": "then", "key": "k", "experiment": {"backend": "tensorboard"}},
    "a tracker that is none": {"event": "start", "time": 1, "key": "k", "experiment": {"backend": "os.system"}},
    "a number as experiment": {"event": "start", "time": 1, "key": "k", "experiment": 5},
    "an epoch in words": {"event": "epoch", "time": 1, "epoch": "first", "metrics": {}},
    "metrics in a list": {"event": "epoch", "time": 1, "epoch": 1, "metrics": [1]},
}


@pytest.mark.parametrize("line", LINES)
def test_a_spool_that_holds_something_else_is_named(line, guarded, tracked) -> None:
    with (tracked / "tracking.jsonl").open("a") as stream:
        stream.write(f"{json.dumps(LINES[line])}\n")
    refused(guarded("sync", tracked), "tracking.jsonl", codes=(65,))


@pytest.mark.parametrize("name", SPOOLED)
def test_a_pickle_among_what_trackers_keep_is_passed_over(name, guarded, tracked, canary) -> None:
    (tracked / name).write_bytes(harmful.pickled(canary))
    answer = guarded("sync", tracked)
    assert answer.code == 0 or "not tracked" in answer.err, answer.err


@pytest.mark.parametrize(("name", "listed"), some(product(TOLD, [False, True]), every=3))
def test_a_tracker_is_told_nothing_of_a_changed_run(name, listed, guarded, tracked, canary) -> None:
    (tracked / name).write_bytes(harmful.pickled(canary))
    if listed:
        reseal(tracked)
    refused(guarded("sync", tracked), name)


def test_a_tracked_run_does_not_wait_for_a_pipe_as_its_spool(guarded, copied_study, studies, monkeypatch) -> None:
    run = unfinished(copied_study("evaluated"))
    write_start(run, backend="tensorboard", tracking_uri=str(run.parent.parent / "board"))
    harmful.make_fifo(run / "tracking.jsonl")
    answer = guarded("resume", run, "--dataset", studies.dataset)
    assert answer.code in (0, 65), answer.err
    assert "Traceback" not in answer.err


# --- sweeps -----------------------------------------------------------------------------------------------------------


def swept(folder: Path, ground: Any) -> tuple[str | Path, ...]:
    """The command that continues a sweep."""
    return ("sweep", "--models", "logistic", "--dataset", ground.dataset, "--out", folder)


def job_of(sweep: Path) -> Path:
    (job,) = (sweep / "jobs").iterdir()
    return job


@pytest.mark.parametrize("harm", some(["pickle", "pipe", "symlink", "a list", "a word"], every=3))
def test_a_sweep_does_not_go_on_from_something_else(harm, guarded, copied_study, studies, canary) -> None:
    folder = copied_study("sweep")
    if harm in IRREGULAR:
        IRREGULAR[harm](folder / "study.json")
    else:
        content = {"pickle": harmful.pickled(canary), "a list": b"[]", "a word": b'"text"'}[harm]
        (folder / "study.json").write_bytes(content)
    answer = guarded(*swept(folder, studies))
    if harm == "pipe":  # what is no file has not begun, and the folder is not empty
        assert (answer.code, "holds no sweep" in answer.err) == (73, True)
    else:
        refused(answer, "study.json", codes=(65,))


@pytest.mark.parametrize(("name", "irregular"), some(product(JOB_FILES, IRREGULAR), every=7))
def test_no_link_and_no_pipe_among_jobs_is_read(name, irregular, guarded, copied_study, studies) -> None:
    folder = copied_study("sweep")
    (job_of(folder) / name).touch()
    IRREGULAR[irregular](job_of(folder) / name)
    refused(guarded(*swept(folder, studies)), name, codes=(65,))


@pytest.mark.parametrize(("name", "content"), some(product(JOB_FILES[:3], ["pickle", "[]", "{}"]), every=5))
def test_a_job_whose_files_are_something_else_is_done_again(
    name, content, guarded, copied_study, studies, canary
) -> None:
    folder = copied_study("sweep")
    (job_of(folder) / name).write_bytes(harmful.pickled(canary) if content == "pickle" else content.encode())
    assert guarded(*swept(folder, studies), "--json").json["counts"]["failed"] == 0


@pytest.mark.parametrize(
    "name", some(["predictions/val_probabilities.npy", "checkpoints/best_model.skops", "manifest.json"], every=3)
)
def test_a_run_of_a_sweep_that_is_harmful_is_made_again(name, guarded, copied_study, studies, canary) -> None:
    folder = copied_study("sweep")
    (run,) = (folder / "runs").iterdir()
    (run / name).write_bytes(harmful.pickled(canary))
    assert guarded(*swept(folder, studies), "--json").json["counts"]["failed"] == 0
    assert (run / name).read_bytes() != harmful.pickled(canary)


@pytest.mark.parametrize("irregular", some(IRREGULAR, every=3))
def test_a_run_of_a_sweep_is_not_continued_through_links(irregular, guarded, copied_study, studies) -> None:
    folder = copied_study("sweep")
    (run,) = (folder / "runs").iterdir()
    unfinished(run)
    IRREGULAR[irregular](run / "config" / "training_config.yaml")
    refused(guarded(*swept(folder, studies)), "training_config.yaml", codes=(65,))


# --- datasets and the folder of runs ----------------------------------------------------------------------------------


def commands_on_data(dataset: Path, ground: Any, out: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that reads a dataset and is not in `test_attacks.py`."""
    given = ("--dataset", dataset)
    fitted = (*given, "--horizon", "5", "--output-dir", out / "runs")
    return {
        "data update": ("data", "update", dataset, ground.bars),
        "audit dataset": ("audit", "dataset", dataset),
        "recommend": ("recommend", *given),
        "cv": ("cv", "logistic", *fitted),
        "tune": ("tune", "logistic", *fitted),
        "tune-barriers": ("tune-barriers", *given, "--output-dir", out / "runs"),
        "ensemble": ("ensemble", "--method", "voting", "--members", "logistic,random_forest", *fitted),
        "sweep": ("sweep", "--models", "logistic", *given, "--out", out / "sweep"),
    }


@pytest.mark.parametrize(
    ("name", "listed"), some(product(["SYNTH.parquet", "SYNTH.features.npy", "dataset.json"], [False, True]), every=3)
)
def test_a_harmful_dataset_is_refused_by_every_command(
    name, listed, guarded, copied_dataset, studies, canary, tmp_path
) -> None:
    content = harmful.object_array if name.endswith(".npy") else harmful.pickled
    (copied_dataset / name).write_bytes(content(canary))
    if listed and name != "dataset.json":
        reseal(copied_dataset, "dataset.json")
    for arguments in commands_on_data(copied_dataset, studies, tmp_path / "out").values():
        refused(guarded(*arguments), name, codes=(65,))


@pytest.mark.parametrize(("name", "irregular"), some(product(["SYNTH.parquet", "dataset.json"], IRREGULAR), every=4))
def test_a_dataset_of_links_and_pipes_is_refused_by_every_command(
    name, irregular, guarded, copied_dataset, studies, tmp_path
) -> None:
    if (irregular, name) == ("hardlink", "dataset.json"):
        pytest.skip("a second name of the manifest is no other content")
    IRREGULAR[irregular](copied_dataset / name)
    for arguments in commands_on_data(copied_dataset, studies, tmp_path / "out").values():
        refused(guarded(*arguments), name, codes=(65, 66))
    if name == "dataset.json":
        refused(guarded("data", "describe", copied_dataset), name, codes=(65, 66))
        refused(guarded("ledger", "show", studies.runs["sweep"], "--data", copied_dataset), name, codes=(65, 66))


def test_runs_are_told_of_around_a_harmful_one(guarded, copied_study, canary, tmp_path) -> None:
    run = copied_study("evaluated")
    (run / "metrics" / "evaluation_metrics.json").write_bytes(harmful.pickled(canary))
    (run / "tags.json").write_bytes(harmful.pickled(canary))
    assert guarded("runs", "show", run, "--json").json["state"] == "DAMAGED"
    assert guarded("runs", "index", run.parent, "--out", tmp_path / "index.html").code == 0
    assert guarded("runs", "tag", run, "--add", "odd", "--json").json["tags"] == ["odd"]
    assert guarded("runs", "prune", run.parent, "--dry-run", "--json").json["would_remove"] == []
    harmful.make_fifo(run / "logs" / "training.log")
    assert guarded("runs", "rm", run, "--json").json["removed"] == [run.name]
    assert not run.exists()
