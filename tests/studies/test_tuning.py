from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import DataError, InputMissingError, OutputError, StorageError, UsageError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.storage.manifests import check_files
from ohlcv_factory.studies import tuning as tuning_module
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.study_folder import STUDY_VERSIONS
from ohlcv_factory.studies.tuning import Tuning, tune
from ohlcv_factory.studies.tuning_plan import tuning_plan
from ohlcv_factory.studies.tuning_settings import TuningConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

pytest.importorskip("optuna")

THREE = CrossValidationConfig(folds=3)
TRIALS = 5
BOTH = {"only": ["C", "scaling"]}


@pytest.fixture(autouse=True)
def _quick(quick, monkeypatch):
    for name in ("plot_history", "plot_importance"):
        monkeypatch.setattr(tuning_module, name, lambda *_: None)


@pytest.fixture
def search(config, container):
    """`search(trials=5)` is a finished search of a logistic regression."""

    def run(folder=None, settings=None, **tuning):
        asked = TuningConfig.parse({"trials": TRIALS, **BOTH, **tuning})
        return tune(config(**(settings or {})), container, asked, THREE, folder=folder)

    return run


@pytest.fixture(scope="module")
def finished(container, tmp_path_factory):
    """A finished search."""
    out = tmp_path_factory.mktemp("tune") / "experiments"
    config = TrainerConfig(model_name="logistic", horizon=5, feature_set="neural_optimal", output_dir=out / "runs")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("plot_history", "plot_importance"):
            patch.setattr(tuning_module, name, lambda *_: None)
        return tune(config, container, TuningConfig.parse({"trials": TRIALS, **BOTH}), THREE)


def table(result):
    return (result.path / "trials.csv").read_bytes()


def test_a_study_folder_holds_recipe_table_numbers_and_database(finished):
    names = {path.relative_to(finished.path).as_posix() for path in finished.path.rglob("*") if path.is_file()}
    assert names == {
        "config/tuning.yaml", "config/start.json", "best.yaml", "trials.csv", "trials.sqlite", "metrics/tuning.json",
        "logs/study.log", "state.json", "manifest.json",
    }  # fmt: skip
    assert finished.path.name.startswith("tune_logistic_h5_")
    assert finished.path.parent.name == "studies"
    assert read_json(finished.path / "manifest.json")["optuna"] == finished.metrics["optuna"] == "5.0.0"


def test_the_first_trial_scores_what_a_cross_validation_of_the_defaults_scores(finished, study):
    blocks = [entry["log_loss_skill"] for entry in study.metrics["blocks"]]
    assert finished.trials[0].values == {"C": 1.0, "scaling": "standard"}
    assert finished.trials[0].folds == pytest.approx(blocks, abs=1e-12)
    assert finished.trials[0].value == pytest.approx(np.mean(blocks) - 0.5 * np.std(blocks, ddof=1))


def test_the_best_config_scores_the_same_in_a_cross_validation(finished, container):
    again = cross_validate(finished.config, container, THREE)
    assert [entry["log_loss_skill"] for entry in again.metrics["blocks"]] == pytest.approx(
        finished.best.folds, abs=1e-12
    )


def test_the_recipe_of_the_best_trains_that_model(finished, container):
    values = read_yaml(finished.path / "best.yaml").values
    fields = {name: value for name, value in values.items() if name in TrainerConfig.model_fields}
    config = TrainerConfig.parse(fields)
    assert (config.model["C"], config.scaling) == (finished.best.values["C"], finished.best.values["scaling"])
    ledger = Ledger.in_folder(finished.path.parents[1])
    before = ledger.trials(container.fingerprint)
    run = Trainer(config).run(container)
    assert ledger.trials(container.fingerprint) == before > 1  # what tuning tried and found best is the same trial
    assert read_json(run.path / "checkpoints" / "scaler.json")["kind"] == finished.best.values["scaling"]


def test_every_trial_is_entered_into_the_ledger_whatever_came_of_it(finished):
    ledger = Ledger.in_folder(finished.path.parents[1])
    runs = [entry["run_id"] for entry in ledger.entries() if finished.path.name in entry["run_id"]]
    assert runs == [f"{finished.path.name}/trial_{number:03d}" for number in range(1, TRIALS + 1)]
    assert {entry["kind"] for entry in ledger.entries() if entry["run_id"] in runs} == {"trial"}


def test_the_table_has_a_row_per_trial(finished):
    rows = pl.read_csv(finished.path / "trials.csv")
    assert rows["trial"].to_list() == list(range(1, TRIALS + 1))
    assert {"state", "value", "fold_1", "fold_3", "C", "scaling", "macro_f1", "same_as", "reason", "notes"} <= set(
        rows.columns
    )


def test_rows_of_val_and_test_change_no_trial(search, container, config):
    """What lies after the train part is garbage in a copy; every trial is the same."""
    first_later = int(container.rows("val")[0])
    values = container.table.copy()
    values[container.table_row[first_later] :] = 1e6
    other = container.__class__(**{**container.__dict__, "table": values})
    asked = TuningConfig.parse({"trials": 3, **BOTH})
    assert table(tune(config(), other, asked, THREE)) == table(search(trials=3))


class Killed(BaseException):
    """In place of a signal that no code can catch."""


@pytest.mark.parametrize("cuts", [(1,), (4, 7)])
def test_a_search_that_was_cut_off_has_the_trials_of_one_that_was_not(cuts, search, finished, tmp_path, monkeypatch):
    whole, folder = tuning_module.plain_scores, tmp_path / "cut"
    for cut in cuts:
        left = iter(range(cut))

        def scores(*given, left=left):
            if next(left, None) is None:
                raise Killed
            return whole(*given)

        monkeypatch.setattr(tuning_module, "plain_scores", scores)
        with pytest.raises(Killed):
            search(folder)
    monkeypatch.setattr(tuning_module, "plain_scores", whole)
    result = search(folder)
    assert table(result) == table(finished)
    assert {**result.metrics, "cut_off": 0} == finished.metrics
    assert result.metrics["cut_off"] == len(cuts)
    assert read_yaml(folder / "best.yaml").values["model"] == read_yaml(finished.path / "best.yaml").values["model"]


def test_the_same_folder_with_more_trials_goes_on(search, finished, tmp_path):
    few = search(tmp_path / "study", trials=3)
    assert len(few.trials) == 3
    assert table(search(tmp_path / "study")) == table(finished)
    assert read_json(tmp_path / "study" / "state.json")["state"] == "FINISHED"
    check_files(tmp_path / "study", read_json(tmp_path / "study" / "manifest.json"), STUDY_VERSIONS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": "macro_f1"}, "tune.score"),
        ({"spread_penalty": 1.0}, "tune.spread_penalty"),
        ({"pruner": "none"}, "tune.pruner"),
        ({"space": {"C": {"low": 0.1, "high": 1.0}}}, "tune.space.C"),
        ({"only": ["C"]}, "tune.only"),
        ({"settings": {"random_seed": 7}}, "random_seed"),
        ({"settings": {"weighting": "none"}}, "weighting"),
        ({"trials": 2}, "tune.trials: the study was begun with 3, 2 are asked for"),
    ],
)
def test_other_settings_on_the_same_folder_are_refused_by_name_and_leave_it_as_it_is(change, words, search, begun):
    before = {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=words):
        search(begun, **{"trials": 3, **change})
    assert {path: path.read_bytes() for path in begun.rglob("*") if path.is_file()} == before


@pytest.fixture(scope="module")
def begun(container, tmp_path_factory):
    """A study of three trials."""
    out = tmp_path_factory.mktemp("begun")
    config = TrainerConfig(model_name="logistic", horizon=5, feature_set="neural_optimal", output_dir=out / "runs")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("plot_history", "plot_importance"):
            patch.setattr(tuning_module, name, lambda *_: None)
        return tune(config, container, TuningConfig.parse({"trials": 3, **BOTH}), THREE, folder=out / "study").path


def test_another_dataset_on_the_same_folder_is_refused(begun, config, two_symbols):
    with pytest.raises(UsageError, match="dataset"):
        tune(config(), two_symbols, TuningConfig.parse({"trials": 3, **BOTH}), THREE, folder=begun)


def test_a_folder_with_something_else_is_refused(search, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no such study"):
        search(tmp_path / "other")


def test_a_finished_study_is_not_resumed(begun, config, container):
    with pytest.raises(UsageError, match="is finished"):
        Tuning(config(), TuningConfig.parse({"trials": 3, **BOTH}), THREE).resume(begun, container)


def test_a_study_folder_that_was_renamed_goes_on_with_its_trials(search, tmp_path):
    begun = search(tmp_path / "study", trials=2)
    (tmp_path / "study").rename(tmp_path / "renamed")
    longer = search(tmp_path / "renamed", trials=3)
    assert [trial.values for trial in longer.trials[:2]] == [trial.values for trial in begun.trials]
    assert len(longer.trials) == 3


def test_a_lost_database_is_said_and_not_made_anew(search, tmp_path):
    search(tmp_path / "study", trials=1)
    (tmp_path / "study" / "trials.sqlite").unlink()
    with pytest.raises(InputMissingError, match="the database of the trials holds no study 'study'"):
        search(tmp_path / "study", trials=2)


def test_the_database_can_lie_elsewhere_and_its_password_is_written_nowhere(search, tmp_path, monkeypatch):
    shared = f"sqlite:///{tmp_path}/shared.sqlite"
    secret = "postgresql://me:hush@db/trials"

    def local(url):
        assert url == secret
        return opened(shared)

    opened = tuning_module.opened_storage
    monkeypatch.setattr(tuning_module, "opened_storage", local)
    result = search(trials=2, storage=secret)
    assert not (result.path / "trials.sqlite").exists()
    assert not [path for path in result.path.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert read_yaml(result.path / "config" / "tuning.yaml").values["tune"]["storage"] == "postgresql://me@db/trials"


@pytest.mark.parametrize("storage", ["notaurl", "sqlite://"])
def test_a_database_that_cannot_be_leaves_no_folder(search, storage, tmp_path):
    with pytest.raises(UsageError, match=r"no URL of a database|in memory keeps no trials"):
        search(storage=storage)
    assert not (tmp_path / "experiments").exists()


def test_two_folders_of_one_name_do_not_share_trials_in_one_database(search, tmp_path):
    storage = f"sqlite:///{tmp_path}/shared.sqlite"
    search(tmp_path / "one" / "study", trials=1, storage=storage)
    with pytest.raises(UsageError, match="the database holds trials of another study 'study'"):
        search(tmp_path / "two" / "study", trials=1, storage=storage)
    assert len(search(tmp_path / "one" / "study", trials=2, storage=storage).trials) == 2


def test_a_window_longer_than_the_history_of_the_dataset_is_a_failed_trial(config, container):
    pytest.importorskip("torch")
    ranges = {"lookback": [16, 300]}
    quick = {"hidden_size": 4, "num_layers": 1, "max_epochs": 1, "warmup_epochs": 0, "windows_per_epoch": 64}
    settings = config(model_name="gru", model={**quick, "fixed_epochs": 1}, random_seed=2)
    asked = TuningConfig.parse({"trials": 3, "only": ["lookback"], "space": ranges, "pruner": "none"})
    result = tune(settings, container, asked, CrossValidationConfig(folds=2))
    states = {(trial.values["lookback"], trial.state) for trial in result.trials}
    assert states == {(16, "finished"), (300, "failed")}
    assert set(result.metrics["failures"].values()) == {
        "lookback 300 is longer than the 257 bars that each row of this dataset has."
    }


def test_values_that_a_model_refuses_together_are_a_failed_trial_with_the_reason(container, config):
    pytest.importorskip("torch")
    asked = TuningConfig.parse({"trials": 4, "only": ["n_heads"], "space": {"n_heads": [2, 3]}, "pruner": "none"})
    sizes = {"d_model": 16, "n_layers": 1, "lookback": 16, "patch_size": 8, "stride": 4, "d_ff": 16}
    quick = {"max_epochs": 1, "warmup_epochs": 0, "windows_per_epoch": 64, "fixed_epochs": 1}
    settings = config(model_name="patchtst", feature_set="neural_optimal", model={**sizes, **quick}, random_seed=2)
    result = tune(settings, container, asked, CrossValidationConfig(folds=2))
    states = {(trial.values["n_heads"], trial.state, trial.reason) for trial in result.trials}
    assert states == {
        (2, "finished", ""),
        (3, "failed", "the width must be a multiple of the attention heads, got 16 and 3"),
    }


def test_a_study_in_which_no_trial_finishes_fails_with_the_first_reason(search, monkeypatch, config):
    def broken(*_):
        raise DataError("one class only.")

    monkeypatch.setattr(tuning_module, "plain_scores", broken)
    with pytest.raises(DataError, match=r"none of 3 trials finished; the first says: one class only\."):
        search(trials=3)


def test_a_storage_error_ends_the_study_as_failed(search, monkeypatch, tmp_path):
    def broken(*_):
        raise StorageError("the disk is full.")

    monkeypatch.setattr(tuning_module, "plain_scores", broken)
    with pytest.raises(StorageError):
        search(tmp_path / "study")
    assert json.loads((tmp_path / "study" / "state.json").read_text())["state"] == "FAILED"


def test_models_of_folds_are_not_kept(config):
    with pytest.raises(UsageError, match="a search keeps no models"):
        Tuning(config(), None, CrossValidationConfig(keep_models=True))


def test_a_feature_set_that_does_not_fit_the_data_is_refused_before_any_trial(config, container):
    asked = TuningConfig.parse({"space": {"feature_set": ["neural_optimal", "nerual_optimal"]}})
    with pytest.raises(UsageError, match="Did you mean 'neural_optimal'"):
        tune(config(feature_set=None), container, asked, THREE)


def test_a_plan_shows_the_space_and_leaves_nothing(config, container, tmp_path):
    plan = tuning_plan(Tuning(config(), TuningConfig.parse({"trials": 8, **BOTH}), THREE), container)
    assert [each["name"] for each in plan["space"]] == ["C", "scaling"]
    assert (plan["trials"], len(plan["folds"])) == (8, 3)
    assert 0 <= plan["seconds_with_these_settings"] < 60  # 24 short fits may round to nothing
    assert not (tmp_path / "experiments").exists()


def test_a_notebook_shows_the_leaders_and_where_the_recipe_lies(finished):
    html = finished._repr_html_()
    assert "best.yaml" in html
    assert "looks better than it is" in html
