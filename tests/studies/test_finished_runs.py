from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from ohlcv_factory.errors import DataError, InputMissingError, UnknownNameError
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.finished_runs import FinishedRun, Group, comparable_groups, find_runs, run_names
from ohlcv_factory.studies.run_folders import differences
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.evaluation import evaluate_run
from ohlcv_factory.training.mlflow_model import export_mlflow_model


@pytest.fixture(scope="module")
def found(board_runs):
    return find_runs([board_runs["one_symbol"][0].parent])


@pytest.fixture
def copies(board_runs, tmp_path):
    """Two runs in a folder of their own, to be added to."""
    return [shutil.copytree(path, tmp_path / "runs" / path.name) for path in board_runs["one_symbol"]]


def test_runs_stand_in_groups_by_symbols_and_then_horizon(found):
    groups = comparable_groups(found)
    assert list(groups) == [
        Group(("SYNTHA",), 5), Group(("SYNTHA",), 10), Group(("SYNTHA", "SYNTHB"), 5), Group(("SYNTHB",), 5),
    ]  # fmt: skip
    assert [len(runs) for runs in groups.values()] == [2, 2, 1, 2]
    assert Group(("SYNTHA", "SYNTHB"), 5).words == "SYNTHA, SYNTHB, horizon 5"


def test_other_rows_are_refused_within_a_group_only(found):
    other = replace(found[0], manifest={**found[0].manifest, "row_digest": "other"})
    group = found[0].group
    alone = [run for run in found if run.group != group]
    assert len(comparable_groups([*alone, other])[group]) == 1
    with pytest.raises(DataError, match=rf"runs of {group.words} were scored on different rows.*{found[0].path.name}"):
        comparable_groups([*found, other])


def test_a_model_that_is_there_twice_gets_the_short_id_of_its_run(found):
    first, second = next(runs for group, runs in comparable_groups(found).items() if group.horizon == 10)
    twice = replace(first, path=first.path.with_name("logistic_h5_20260101T000000Z_abc123"))
    assert run_names([first, second]) == ["logistic", "random_forest"]
    assert run_names([first, twice])[1] == "logistic abc123"


def test_time_and_memory_are_those_that_the_run_wrote_down(found):
    (run, *_) = found
    assert run.training_seconds == run.evaluation["training"]["training_time_seconds"] > 0
    assert run.peak_memory_mb == json.loads((run.path / "manifest.json").read_text())["peak_memory_mb"] > 50


def test_the_test_part_is_read_from_the_newest_evaluation_and_never_looked_at_here(copies, tmp_path):
    first, second = copies
    evaluate_run(first, "test")
    with pytest.raises(InputMissingError, match=rf"{second.name} was never evaluated on its test part") as refused:
        find_runs(copies, part="test")
    assert f"evaluate {second} --part test" in refused.value.help
    evaluate_run(second, "test")
    evaluate_run(first, "test")
    evaluate_run(first, "val")
    runs = {run.path: run for run in find_runs(copies, part="test")}
    assert {run.evaluation["part"] for run in runs.values()} == {"test"}
    assert runs[first].addendum == first / "addenda" / "002"
    assert runs[second].scored_folder == second / "addenda" / "001"
    assert runs[first].evaluation["test_looks"] == 3
    assert runs[first].training_seconds > 0
    assert Ledger.in_folder(tmp_path).count("test_look") == 3
    assert all(run.evaluation["part"] == "val" for run in find_runs(copies))


def test_an_evaluation_gets_the_number_after_the_last_whatever_was_removed(copies):
    for _ in range(2):
        evaluate_run(copies[0], "val")
    shutil.rmtree(copies[0] / "addenda" / "001")
    assert evaluate_run(copies[0], "val").folder == copies[0] / "addenda" / "003"


def test_an_evaluation_that_was_cut_off_does_not_count(copies):
    evaluate_run(copies[0], "test")
    (copies[0] / "addenda" / "001" / "manifest.json").unlink()
    with pytest.raises(InputMissingError, match="never evaluated on its test part"):
        FinishedRun.read(copies[0], "test")


def test_a_part_that_runs_do_not_score_is_refused(copies):
    with pytest.raises(UnknownNameError, match="Unknown part 'train'"):
        find_runs(copies, part="train")


def test_cross_validations_are_compared_by_their_out_of_fold_rows(board_studies, board_runs):
    studies = find_runs([board_studies[0].parent], part="oof")
    assert [run.path for run in studies] == board_studies
    (metrics, run) = json.loads((board_studies[0] / "metrics" / "metrics.json").read_text()), studies[0]
    assert (run.evaluation["part"], run.paths, run.group) == ("oof", 2, Group(("SYNTHA",), 5))
    for block, name in (("classification", "log_loss"), ("trading", "sharpe_ratio")):
        assert run.evaluation[block][name] == pytest.approx(metrics["path_summary"][name]["mean"])
    times = [json.loads(file.read_text()) for file in board_studies[0].glob("folds/*/time.json")]
    assert run.training_seconds == pytest.approx(sum(each["fit_seconds"] for each in times))
    assert len(comparable_groups(studies)[run.group]) == 2


def test_runs_are_no_cross_validations_and_folders_of_both_are_told_apart(board_studies, board_runs, tmp_path):
    run, study = board_runs["one_symbol"][0], board_studies[0]
    with pytest.raises(InputMissingError, match=rf"{run.name} is a run, which predicted nothing out of fold"):
        find_runs([run], part="oof")
    with pytest.raises(
        InputMissingError, match=rf"{study.name} is a cross-validation, which has no val scores"
    ) as refused:
        find_runs([study])
    assert refused.value.help == "--part oof compares its folds' rows"
    for each in (run, study):
        (tmp_path / each.name).symlink_to(each)
    assert [found.path.name for found in find_runs([tmp_path])] == [run.name]
    assert [found.path.name for found in find_runs([tmp_path], part="oof")] == [study.name]
    with pytest.raises(InputMissingError, match="no finished cross-validation in"):
        find_runs([run.parent], part="oof")


def test_a_search_among_runs_and_studies_is_passed_over_and_by_its_name_refused(board_studies, board_runs, tmp_path):
    run, study = board_runs["one_symbol"][0], board_studies[0]
    search = shutil.copytree(study, tmp_path / "search")
    manifest = json.loads((search / "manifest.json").read_text())
    (search / "manifest.json").write_text(json.dumps({**manifest, "kind": "tune"}))
    for each in (run, study):
        (tmp_path / each.name).symlink_to(each)
    assert [found.path.name for found in find_runs([tmp_path])] == [run.name]
    assert [found.path.name for found in find_runs([tmp_path], part="oof")] == [study.name]
    with pytest.raises(InputMissingError, match="is a search of settings, not a run"):
        find_runs([search])


def test_an_experiments_folder_stands_for_what_lies_in_it_and_latest_for_the_newest_run(
    board_studies, board_runs, copies, tmp_path
):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / board_studies[0].name).symlink_to(board_studies[0])
    assert [run.path for run in find_runs([tmp_path])] == [run.path for run in find_runs([tmp_path / "runs"])]
    assert [run.path.name for run in find_runs([tmp_path], part="oof")] == [board_studies[0].name]
    assert [run.path for run in find_runs([tmp_path / "runs" / "latest"])] == [copies[-1]]


def test_a_study_is_no_run_whatever_is_asked_of_it(board_studies, board_runs, tmp_path):
    study, run = board_studies[0], board_runs["one_symbol"][0]
    asked = (
        lambda: ModelBundle.from_run(study),
        lambda: evaluate_run(study, "val"),
        lambda: differences(run, study),
        lambda: export_mlflow_model(study, tmp_path / "served"),
    )
    for ask in asked:
        with pytest.raises(InputMissingError, match=rf"{study.name} is a cross-validation, not a (run|bundle)"):
            ask()
    assert not (tmp_path / "served").exists()


def test_studies_that_predicted_other_rows_are_refused(board_studies):
    first, second = find_runs(board_studies, part="oof")
    with pytest.raises(DataError, match="scored on different rows"):
        comparable_groups([first, replace(second, manifest={**second.manifest, "covered_digest": "other"})])
