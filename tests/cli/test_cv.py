from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from command_line import BASELINES, call, succeed
from quick_studies import quick_studies

from ohlcv_factory.cli.recipes import CrossValidationRecipe, read_fit_recipe
from ohlcv_factory.studies.out_of_fold import OutOfFold

RECIPES = "configs/studies"


@pytest.fixture(autouse=True)
def quick():
    with quick_studies():
        yield


@pytest.fixture(scope="module")
def crossed(dataset, folder):
    """A finished cross-validation through the command line, as JSON."""
    with quick_studies():
        where = ("--dataset", dataset, "--output-dir", folder / "crossed", "--horizon", "5")
        return succeed("cv", "logistic", *where, "--folds", "3", "--json").json


def test_json_holds_the_study_and_all_its_numbers(crossed):
    assert set(crossed) == {"study_id", "output_path", "metrics"}
    metrics = crossed["metrics"]
    assert [entry["fold"] for entry in metrics["blocks"]] == [1, 2, 3]
    assert set(metrics["out_of_fold"][0]["baselines"]) == BASELINES
    assert metrics["stability"]["grade"] in ("A", "B", "C", "D")


def test_the_study_has_a_page_that_its_manifest_lists(crossed):
    study = Path(crossed["output_path"])
    assert (study / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert '"report.html"' in (study / "manifest.json").read_text()


def test_the_text_shows_blocks_spread_stability_baselines_and_verdict(dataset, tmp_path):
    out = succeed(
        "cv", "logistic", "--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path, "--folds", "3"
    ).out
    (study,) = tmp_path.glob("cv_logistic_h5_*")
    assert out.startswith(f"study: {study}\n")
    for part in ("log_loss_skill", "Stability ", "class_prior", "specification's thresholds", "lowered from 5 to"):
        assert part in out


def test_a_combinatorial_study_shows_every_path(dataset, tmp_path):
    flags = ("--scheme", "combinatorial", "--folds", "3", "--output-dir", tmp_path)
    out = succeed("cv", "logistic", "--dataset", dataset, "--horizon", "5", *flags).out
    assert "out of fold, path 1\n" in out
    assert "out of fold, path 2\n" in out


def test_a_dry_run_shows_rows_and_leaves_nothing(dataset, tmp_path):
    flags = ("--folds", "3", "--output-dir", tmp_path / "none", "--dry-run")
    plan = succeed("cv", "logistic", "--dataset", dataset, "--horizon", "5", *flags, "--json").json
    assert len(plan["folds"]) == 3
    assert not (tmp_path / "none").exists()


def test_without_a_dataset_it_says_how_to_build_one():
    answer = call("cv", "logistic")
    assert answer.code == 2
    assert "cv needs a dataset" in answer.err
    assert "data build" in answer.err


def test_folds_that_are_too_small_exit_with_65_and_the_arithmetic(dataset, tmp_path):
    answer = call("cv", "logistic", "--dataset", dataset, "--horizon", "5", "--folds", "30", "--output-dir", tmp_path)
    assert answer.code == 65
    assert "at least 200 are needed" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_the_saved_recipe_repeats_the_study(crossed, tmp_path):
    recipe = Path(crossed["output_path"]) / "config" / "study.yaml"
    again = succeed("cv", "--config", recipe, "--output-dir", tmp_path, "--json").json
    assert again["metrics"] == crossed["metrics"]
    paths = [Path(one["output_path"]) for one in (crossed, again)]
    raw = [OutOfFold.read(path).predictions.raw.tobytes() for path in paths]
    assert raw[0] == raw[1]


def test_a_finished_study_is_not_resumed(crossed):
    answer = call("resume", crossed["output_path"])
    assert answer.code == 2
    assert "is finished" in answer.err


def recipes(root=Path(__file__).parents[2]):
    return sorted((root / RECIPES).glob("cv*.yaml"))


@pytest.mark.parametrize("recipe", recipes(), ids=lambda path: path.stem)
def test_every_recipe_of_a_cross_validation_runs(recipe, dataset, tmp_path):
    parsed, _, _ = read_fit_recipe(CrossValidationRecipe, recipe, None, {})
    flags = ("--dataset", dataset, "--horizon", "5", "--output-dir", tmp_path)
    answer = succeed("cv", "--config", recipe, *flags, "--json").json
    splitter = parsed.cv.splitter("auto")
    assert len(answer["metrics"]["folds"]) == splitter.get_n_splits()
    assert len(answer["metrics"]["out_of_fold"]) == len(splitter.paths)
    files = sorted((Path(answer["output_path"]) / "predictions").glob("*_predictions.parquet"))
    assert len(files) == len(splitter.paths)
    assert all(not pl.read_parquet(file)[["symbol", "time"]].is_duplicated().any() for file in files)


def test_there_is_a_recipe_of_every_scheme():
    schemes = {read_fit_recipe(CrossValidationRecipe, recipe, None, {})[0].cv.scheme for recipe in recipes()}
    assert schemes == {"kfold", "walk_forward", "combinatorial"}
