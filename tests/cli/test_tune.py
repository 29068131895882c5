from __future__ import annotations

from pathlib import Path

import pytest
from command_line import DATASET, FEATURES, call, succeed, write_bars
from quick_studies import quick_studies

from ohlcv_factory.config import read_yaml

pytest.importorskip("optuna")

RECIPES = Path(__file__).parents[2] / "configs" / "studies"


@pytest.fixture(autouse=True)
def quick():
    with quick_studies():
        yield


@pytest.fixture(scope="module")
def few(folder):
    """A dataset folder of 2,500 bars."""
    bars = write_bars(folder / "SYNTH_few.csv", 2500)
    succeed("data", "build", bars, "--out", folder / "few", *DATASET)
    return folder / "few"


@pytest.fixture(scope="module")
def tuned(few, folder):
    """A finished search through the command line, as JSON."""
    where = ("--dataset", few, "--horizon", "5", "--output-dir", folder / "tuned")
    with quick_studies():
        return succeed(
            "tune", "logistic", *where, "--trials", "5", "--folds", "2", "--range", "scaling=none,robust", "--json"
        ).json


def test_json_holds_the_study_the_recipe_and_all_its_numbers(tuned):
    assert set(tuned) == {"study_id", "output_path", "recipe", "metrics"}
    assert sum(tuned["metrics"]["trials"].values()) == 5


def test_the_study_has_a_page_and_pictures_that_its_manifest_lists(tuned):
    study = Path(tuned["output_path"])
    manifest = (study / "manifest.json").read_text()
    for name in ("report.html", "plots/history.png", "plots/importance.png", "trials.csv", "best.yaml"):
        assert (study / name).is_file()
        assert f'"{name}"' in manifest


def test_train_takes_the_recipe_as_it_is(tuned, tmp_path):
    run = succeed("train", "--config", tuned["recipe"], "--output-dir", tmp_path, "--json").json
    trained = read_yaml(Path(run["output_path"]) / "config" / "training_config.yaml").values
    best = tuned["metrics"]["best"]["values"]
    assert (trained["model"]["C"], trained["scaling"]) == (best["C"], best["scaling"])


def test_the_text_shows_leaders_importance_and_the_next_command(few, tmp_path):
    where = ("--dataset", few, "--horizon", "5", "--out", tmp_path / "study")
    out = succeed("tune", "logistic", *where, "--trials", "4", "--folds", "2").out
    assert out.startswith(f"study: {tmp_path / 'study'}\n")
    for part in ("rank", "without", "is the best", "trials: 4 finished", "importance: C 100%", "train --config"):
        assert part in out
    again = succeed("tune", "logistic", *where, "--trials", "4", "--folds", "2").out
    assert again == out


def test_a_second_tune_on_the_same_folder_with_other_settings_is_refused_by_the_key(few, tmp_path):
    where = ("--dataset", few, "--horizon", "5", "--out", tmp_path / "study", "--trials", "1", "--folds", "2")
    succeed("tune", "logistic", *where)
    for change, key in (
        (("--folds", "3"), "cv.folds"),
        (("--range", "C=1:2"), "tune.space.C"),
        (("--seed", "1"), "random_seed"),
    ):
        answer = call("tune", "logistic", *where, *change)
        assert answer.code == 2
        assert key in answer.err


def test_a_search_that_was_interrupted_says_how_to_go_on(few, tmp_path, monkeypatch):
    from ohlcv_factory.studies import tuning

    where = ("--dataset", few, "--horizon", "5", "--out", tmp_path / "study", "--trials", "2", "--folds", "2")
    scores = tuning.plain_scores

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "plain_scores", interrupt)
    answer = call("tune", "logistic", *where)
    assert answer.code == 130
    assert f"continue with: ohlcv-factory resume {tmp_path / 'study'}" in answer.err
    monkeypatch.setattr(tuning, "plain_scores", scores)
    found = succeed("resume", tmp_path / "study", "--json").json["metrics"]
    assert (found["trials"]["finished"], found["cut_off"]) == (2, 1)
    answer = call("resume", tmp_path / "study")
    assert answer.code == 2
    assert "is finished" in answer.err


def test_the_database_of_a_resume_can_come_from_the_environment(few, tmp_path, monkeypatch):
    from ohlcv_factory.studies import tuning

    database = f"sqlite:///{tmp_path}/trials.sqlite"
    where = ("--dataset", few, "--horizon", "5", "--out", tmp_path / "study", "--trials", "1", "--folds", "2")
    scores = tuning.plain_scores

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "plain_scores", interrupt)
    assert call("tune", "logistic", *where, "--storage", database).code == 130
    monkeypatch.setattr(tuning, "plain_scores", scores)
    other = call("resume", tmp_path / "study", environment={"FACTORY_TUNE__STORAGE": f"{database}.other"})
    assert other.code == 2
    assert "tune.storage" in other.err
    succeed("resume", tmp_path / "study", environment={"FACTORY_TUNE__STORAGE": database})


def test_without_a_dataset_it_says_how_to_build_one():
    for command in (("tune", "logistic"), ("tune-barriers",)):
        answer = call(*command)
        assert answer.code == 2
        assert f"{command[0]} needs a dataset" in answer.err


def test_without_optuna_it_says_what_to_install(few, tmp_path, monkeypatch):
    from ohlcv_factory.runtime import packages

    monkeypatch.setattr(packages, "is_installed", lambda module: module != "optuna")
    answer = call("tune", "logistic", "--dataset", few, "--horizon", "5", "--out", tmp_path / "study")
    assert answer.code == 69
    assert "optuna is not installed" in answer.err
    assert "pip install 'ohlcv-model-factory[tune]'" in answer.err


def test_the_recipe_of_a_search_runs(few, tmp_path):
    where = ("--dataset", few, "--horizon", "5", "--out", tmp_path / "study")
    quick = ("--trials", "2", "--set", "model.n_estimators=5", "--folds", "2")
    metrics = succeed("tune", "--config", RECIPES / "tune.yaml", *where, *quick, "--json").json["metrics"]
    assert [each["name"] for each in metrics["space"]] == ["max_depth", "min_samples_leaf", "feature_set"]


def test_the_recipe_of_barriers_runs_and_its_piece_builds_a_dataset(few, folder, tmp_path):
    where = ("--dataset", few, "--out", tmp_path / "study", "--horizons", "5", "--trials", "2", "--folds", "2")
    found = succeed("tune-barriers", "--config", RECIPES / "tune_barriers.yaml", *where, "--json").json
    (entry,) = found["metrics"]["searches"]
    build = ("data", "build", folder / "SYNTH_few.csv", "--config", found["recipe"], "--out", tmp_path / "dataset")
    succeed(*build, "--embargo", "auto", "--set", FEATURES)
    text = (tmp_path / "dataset" / "dataset.json").read_text()
    assert str(entry["found"]["k_up"]) in text
    out = succeed("tune-barriers", "--config", RECIPES / "tune_barriers.yaml", *where).out
    for part in ("SYNTH, horizon 5", "bars to end", "timed out", "before", "build with them: ohlcv-factory data build"):
        assert part in out


def test_barriers_that_were_interrupted_are_resumed(few, tmp_path, monkeypatch):
    from ohlcv_factory.studies import tuning

    where = ("--dataset", few, "--out", tmp_path / "study", "--horizons", "5", "--trials", "2", "--folds", "2")
    scores = tuning.plain_scores

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "plain_scores", interrupt)
    assert call("tune-barriers", *where).code == 130
    monkeypatch.setattr(tuning, "plain_scores", scores)
    (entry,) = succeed("resume", tmp_path / "study", "--json").json["metrics"]["searches"]
    assert (sum(entry["trials"].values()), entry["cut_off"]) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tune", "logistic", "--range", "C"), "--range takes field=range, got 'C'"),
        (("tune", "logistic", "--range", "c=1:2"), "Unknown field of logistic 'c'"),
        (("tune", "logistic", "--score", "f1"), "tune.score: Unknown score 'f1'"),
        (("tune", "logistic", "--pruner", "hyperband"), "tune.pruner: input should be 'median' or 'none'"),
        (("tune", "voting"), "learns from out-of-fold predictions of other models"),
        (("tune-barriers", "--score", "log_loss"), "'log_loss' is measured on labels"),
        (("tune-barriers", "--set", "horizon=5"), "horizon: barriers are searched for several; give tune.horizons"),
        (("tune-barriers", "--range", "kup=1:2"), "tune.kup: unknown key; did you mean 'k_up'?"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words, few):
    horizon = ("--horizon", "5") if arguments[0] == "tune" else ()
    answer = call(*arguments, "--dataset", few, *horizon)
    assert answer.code == 2
    assert words in answer.err
