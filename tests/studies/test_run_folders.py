"""Runs of an experiments folder: what became of them, how two differ, what is removed and what stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from resealed import reseal

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import (
    DataError,
    InputMissingError,
    LockedError,
    UnknownNameError,
    UsageError,
    VerificationError,
)
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.studies.run_folders import (
    change_tags,
    differences,
    find_run,
    list_runs,
    outdated,
    remove_run,
    run_facts,
    tags_of,
    verify,
)
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """Three logistic runs on one container, the second with another penalty, the third with another seed."""
    config = DatasetConfig(horizons=(20,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(2500, 7, bar_seconds=3600), horizon=20, config=config)
    folder = tmp_path_factory.mktemp("experiments") / "runs"
    settings = [
        TrainerConfig(model_name="logistic", horizon=20, model={"C": c}, random_seed=seed, output_dir=folder)
        for c, seed in ((1.0, 42), (1e-6, 42), (1.0, 43))
    ]
    for number, each in enumerate(settings):
        Trainer(each).run(container, run_id=f"run_{number}")
    return folder


@pytest.fixture
def folder(three_runs, tmp_path) -> Path:
    """A copy of the three runs and of their ledger: a folder that was moved."""
    shutil.copytree(three_runs.parent, tmp_path / "experiments")
    return tmp_path / "experiments" / "runs"


def set_state(run: Path, **facts: object) -> None:
    path = run / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_every_run_is_listed_with_its_model_its_verdict_and_the_bytes_of_its_files(folder) -> None:
    runs = list_runs(folder)
    assert [run.path.name for run in runs] == ["run_0", "run_1", "run_2"]
    assert {(run.state, run.model, run.horizon, run.attempt) for run in runs} == {("FINISHED", "logistic", 20, 1)}
    assert runs[0].size_bytes == sum(path.stat().st_size for path in (folder / "run_0").rglob("*") if path.is_file())
    assert runs[0].verdict in ("edge", "no edge found", "too little data")


def test_an_experiments_folder_stands_for_the_runs_in_it(folder) -> None:
    assert [run.path for run in list_runs(folder.parent)] == [run.path for run in list_runs(folder)]


def test_a_run_that_says_running_is_lost_unless_a_process_holds_it(folder) -> None:
    set_state(folder / "run_0", state="RUNNING")
    assert run_facts(folder / "run_0").state == "LOST"
    with folder_lock(folder / "run_0", "a training"):
        assert run_facts(folder / "run_0").state == "RUNNING"


def test_a_finished_run_without_manifest_and_one_of_broken_state_are_damaged(folder) -> None:
    (folder / "run_0" / "manifest.json").unlink()
    (folder / "run_1" / "state.json").write_text("{")
    (folder / "run_2" / "state.json").write_text("[]")
    assert [run.state for run in list_runs(folder)] == ["DAMAGED"] * 3


def test_an_unfinished_run_still_says_what_was_asked_for(folder) -> None:
    (folder / "run_0" / "manifest.json").unlink()
    set_state(folder / "run_0", state="FAILED", error={"type": "E-data", "message": "no rows", "hint": ""})
    facts = run_facts(folder / "run_0")
    assert (facts.state, facts.error, facts.model, facts.horizon) == ("FAILED", "no rows", "logistic", 20)


def test_runs_are_chosen_by_state_and_an_unknown_state_is_refused(folder) -> None:
    set_state(folder / "run_1", state="INTERRUPTED")
    assert [run.path.name for run in list_runs(folder, state="INTERRUPTED")] == ["run_1"]
    with pytest.raises(UnknownNameError, match=r"INTERUPTED.*INTERRUPTED"):
        list_runs(folder, state="INTERUPTED")
    with pytest.raises(InputMissingError, match="is no folder"):
        list_runs(folder / "absent")


def test_latest_is_the_run_that_finished_last_whatever_its_name(folder) -> None:
    set_state(folder / "run_0", order=98, updated="1999-01-01T00:00:00.000000Z")  # a clock that was set back
    set_state(folder / "run_1", state="FAILED", order=99)
    assert find_run(folder / "latest") == folder / "run_0"
    assert find_run(folder / "run_2") == folder / "run_2"
    assert find_run(folder.parent / "latest") == folder / "run_0"
    with pytest.raises(InputMissingError, match="is no run folder"):
        find_run(folder)


def test_two_runs_differ_in_the_one_key_that_was_changed_and_in_its_scores(folder) -> None:
    found = differences(folder / "run_0", folder / "run_1")
    assert [(each.name, each.first, each.second) for each in found if each.kind == "setting"] == [
        ("model.C", 1.0, 1e-6)
    ]
    assert {each.kind for each in found} == {"setting", "score"}
    assert "log_loss" in {each.name for each in found}
    seeds = differences(folder / "run_0", folder / "run_2")
    assert [(each.name, each.first, each.second) for each in seeds if each.kind == "setting"] == [
        ("random_seed", 42, 43)
    ]
    assert differences(folder / "run_0", folder / "run_0") == []


def test_a_changed_a_missing_and_a_nested_changed_file_fail_the_verification(folder) -> None:
    run = folder / "run_0"
    counted = verify(run)
    assert counted == len(json.loads((run / "manifest.json").read_text())["files"])
    set_state(run, attempt=7)
    change_tags(run, add=["kept"])
    assert verify(run) == counted
    nested = run / "members" / "one"
    shutil.copytree(folder / "run_1", nested)
    with pytest.raises(DataError, match=r"members/one/\S+ is not in the manifest"):
        verify(run)
    reseal(run)
    assert verify(run) > 2 * counted  # those of the nested run twice: both manifests vouch for them
    scaler = nested / "checkpoints" / "scaler.json"
    scaler.write_text(scaler.read_text() + " ")
    with pytest.raises(VerificationError, match=r"scaler\.json is not the file that was written"):
        verify(run)
    (folder / "run_2" / "checkpoints" / "scaler.json").unlink()
    with pytest.raises(VerificationError, match=r"scaler\.json is missing"):
        verify(folder / "run_2")


def test_tags_are_added_once_taken_away_and_survive_loading_the_run(folder) -> None:
    run = folder / "run_0"
    assert change_tags(run, add=["live", "best", "best"]) == ("best", "live")
    assert [each.path.name for each in list_runs(folder, tag="live")] == ["run_0"]
    assert change_tags(run, remove=["best"]) == tags_of(run) == ("live",)
    assert ModelBundle.from_run(run).horizon == 20
    with pytest.raises(UnknownNameError, match=r"'lve'\. Did you mean 'live'"):
        change_tags(run, remove=["lve"])
    for tag in (" ", "a\nb"):
        with pytest.raises(UsageError, match="a tag has letters, in one line"):
            change_tags(run, add=[tag])


def test_a_removed_run_is_gone_and_its_trial_stays_in_the_ledger(folder) -> None:
    before = Ledger.in_folder(folder.parent).count("fit")
    remove_run(folder / "run_0")
    assert sorted(path.name for path in folder.iterdir()) == ["run_1", "run_2"]
    assert Ledger.in_folder(folder.parent).count("fit") == before == 3


def test_a_run_at_work_and_a_link_are_not_removed(folder, tmp_path) -> None:
    with folder_lock(folder / "run_0", "a training"), pytest.raises(LockedError):
        remove_run(folder / "run_0")
    link = tmp_path / "link"
    link.symlink_to(folder / "run_1")
    with pytest.raises(UsageError, match="a link to a run"):
        remove_run(link)
    assert len(list_runs(folder)) == 3


def test_pruning_keeps_the_newest_of_a_kind_tagged_ones_and_unfinished_ones(folder) -> None:
    for number in range(3):
        set_state(folder / f"run_{number}", order=3 - number)
    assert [run.path.name for run in outdated(list_runs(folder), 1)] == ["run_1", "run_2"]
    change_tags(folder / "run_1", add=["keep"])
    assert [run.path.name for run in outdated(list_runs(folder), 1)] == ["run_2"]
    set_state(folder / "run_2", state="INTERRUPTED")
    assert outdated(list_runs(folder), 1) == []
    with pytest.raises(UsageError, match="at least 1, got 0"):
        outdated(list_runs(folder), 0)


def test_a_study_in_the_same_folder_is_no_newer_run(folder) -> None:
    for number in (0, 1):
        remove_run(folder / f"run_{number}")
    study = shutil.copytree(folder / "run_2", folder / "study")
    reseal(study, kind="cv")
    set_state(study, order=99)
    assert outdated(list_runs(folder), 1) == []
    assert find_run(folder / "latest") == folder / "run_2"
    remove_run(folder / "run_2")
    assert find_run(folder / "latest") == study
