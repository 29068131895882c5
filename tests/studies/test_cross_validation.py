from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.cross_validation import CrossValidation, cross_validate, stability_words
from ohlcv_factory.studies.fold_job import run_fold
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig

pytestmark = pytest.mark.usefixtures("quick")

CV = CrossValidationConfig(folds=3)
LAYOUT = {  # the session's study has no picture: see `quick_studies`
    "config/study.yaml",
    "folds.json",
    "predictions/oof_predictions.parquet",
    "predictions/oof_probabilities.npy",
    "predictions/oof_path.parquet",
    "predictions/oof_trades.parquet",
    "metrics/metrics.json",
    "logs/study.log",
    "state.json",
    "manifest.json",
}
FAMILIES = {
    "lightgbm": {"n_estimators": 20, "early_stopping_rounds": 5},
    "lstm": {"lookback": 12, "hidden_size": 8, "num_layers": 1, "max_epochs": 1, "batch_size": 256},
}


def held(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def repeated(study, **changes):
    """The settings that a study left, as a recipe would be read."""
    values = dict(read_yaml(study / "config" / "study.yaml").values)
    cv = CrossValidationConfig.parse(values.pop("cv"))
    fields = {name: value for name, value in values.items() if name in TrainerConfig.model_fields}
    return TrainerConfig.parse({**fields, **changes}), cv


def test_a_study_folder_holds_everything_and_its_manifest_lists_it(study):
    outside = {name for name in held(study.path) if not name.startswith("folds/")}
    assert outside == LAYOUT
    manifest = read_json(study.path / "manifest.json")
    assert {entry["path"] for entry in manifest["files"]} == held(study.path) - {"state.json", "manifest.json"}
    for entry in manifest["files"]:
        assert file_digest(study.path / entry["path"]) == entry["sha256"]
    assert (manifest["kind"], manifest["model"], manifest["scheme"]) == ("cv", "logistic", "kfold")
    assert read_json(study.path / "state.json")["state"] == "FINISHED"


def test_its_name_says_kind_model_horizon_time_and_an_id(container, config):
    clock = lambda: datetime(2026, 11, 27, 9, 30, 5, tzinfo=UTC)  # noqa: E731
    result = cross_validate(config(), container, CV, clock=clock)
    assert result.path.parent == config().output_dir.parent / "studies"
    assert result.study_id.startswith("cv_logistic_h5_20261127T093005Z_")
    assert len(result.study_id.rsplit("_", 1)[1]) == 6


def test_the_saved_recipe_repeats_the_study(study, container, tmp_path):
    config, cv = repeated(study.path, output_dir=str(tmp_path))
    again = cross_validate(config, container, cv)
    assert again.path.parent == tmp_path
    assert again.predictions.raw.tobytes() == study.predictions.raw.tobytes()
    assert (again.path / "metrics" / "metrics.json").read_bytes() == (
        study.path / "metrics" / "metrics.json"
    ).read_bytes()


def test_predictions_are_kept_with_the_fold_of_each_row(study, container):
    frame = pl.read_parquet(study.path / "predictions" / "oof_predictions.parquet")
    assert len(frame) == len(container.rows("train"))
    assert frame["fold"].value_counts().sort("fold")["count"].to_list() == [len(one.predictions) for one in study.folds]
    stored = np.load(study.path / "predictions" / "oof_probabilities.npy")
    assert stored.tobytes() == study.predictions.probabilities.tobytes()


def test_scores_are_by_block_with_mean_and_spread_and_of_the_path_as_a_whole(study):
    metrics = study.metrics
    f1 = [entry["classification"]["macro_f1"] for entry in metrics["blocks"]]
    summary = metrics["summary"]["macro_f1"]
    assert (summary["mean"], summary["spread"]) == pytest.approx((np.mean(f1), np.std(f1, ddof=1)))
    assert (summary["low"], summary["high"], summary["blocks"]) == (min(f1), max(f1), 3)
    (whole,) = metrics["out_of_fold"]
    assert whole["rows"]["eligible"] == sum(entry["rows"]["eligible"] for entry in metrics["blocks"])
    assert whole["classification"]["rows"] == sum(entry["classification"]["rows"] for entry in metrics["blocks"])
    assert set(whole["baselines"]) == {
        "class_prior",
        "last_label",
        "random_same_turnover",
        "buy_and_hold",
        "always_flat",
    }
    assert metrics["path_summary"] is None


def test_profit_is_that_of_the_path_from_the_first_to_the_last_bar(study, container):
    path = pl.read_parquet(study.path / "predictions" / "oof_path.parquet")
    rows = container.index["row"][container.rows("train")]
    assert len(path) == rows.max() - rows.min() + 1
    daily = path["net"].sum()
    assert study.metrics["out_of_fold"][0]["trading"]["total_return"] == pytest.approx(daily)


def test_every_fold_is_in_the_ledger_and_all_of_them_are_one_trial(study, container):
    entries = Ledger.in_folder(study.path.parent.parent).entries()
    assert [entry["run_id"] for entry in entries] == [f"{study.study_id}/fold_0{number}" for number in (1, 2, 3)]
    assert {(entry["kind"], entry["data_digest"]) for entry in entries} == {("fit", container.fingerprint)}
    found = study.metrics["out_of_fold"][0]["trials"]
    assert (found["count"], found["known"]) == (1, 1)
    assert Ledger.in_folder(study.path.parent.parent).trials(container.fingerprint) == 1


@pytest.mark.parametrize("model", FAMILIES)
def test_tabular_and_sequence_models_go_the_same_way(model, container, config):
    pytest.importorskip("torch" if model == "lstm" else model)
    result = cross_validate(config(model_name=model, model=FAMILIES[model]), container, CrossValidationConfig(folds=2))
    assert np.array_equal(result.predictions.index, container.index[container.rows("train")])
    assert [fold["rows"]["fit"] > 500 for fold in result.metrics["folds"]] == [True, True]


def test_val_and_test_rows_change_nothing(study, container, config):
    without = container.with_split(np.where(container.part == 0, 0, -1))
    again = cross_validate(config(), without, CrossValidationConfig(folds=3, keep_models=True))
    assert again.predictions.raw.tobytes() == study.predictions.raw.tobytes()


def test_a_splitter_says_how_as_well_as_settings_do(study, container, config):
    again = cross_validate(config(), container, PurgedKFold(3, embargo_days="auto"))
    assert again.predictions.raw.tobytes() == study.predictions.raw.tobytes()


def test_folds_may_be_done_anywhere_and_in_any_order(study, container, config):
    seen = []

    def elsewhere(specs):
        for spec in reversed(json.loads(json.dumps(specs))):
            seen.append(run_fold(spec)["values"]["fold"])

    again = cross_validate(config(), container, CV, run_folds=elsewhere)
    assert seen == [3, 2, 1]
    assert (again.path / "metrics" / "metrics.json").read_bytes() == (
        study.path / "metrics" / "metrics.json"
    ).read_bytes()
    assert len(Ledger.in_folder(again.path.parent.parent).entries()) == 3


def test_folds_that_did_not_come_fail_the_study(container, config):
    study = CrossValidation(config(), CV, run_folds=lambda specs: [run_fold(spec) for spec in specs[:1]])
    with pytest.raises(DataError, match=r"folds \[2, 3\] have left no whole result"):
        study.run(container)
    state = read_json(study.folder / "state.json")
    assert (state["state"], state["error"]["hint"]) == ("FAILED", "resume the study")


def interrupted_at(fold, whole=run_fold):
    def run(spec, container):
        if spec["config"]["fold"] == fold:
            raise KeyboardInterrupt
        return whole(spec, container)

    return run


def test_an_interrupted_study_goes_on_with_the_folds_that_are_missing(study, container, config, monkeypatch):
    cut = CrossValidation(config(), CV)
    monkeypatch.setattr("ohlcv_factory.studies.cross_validation.run_fold", interrupted_at(3))
    with pytest.raises(KeyboardInterrupt):
        cut.run(container)
    assert read_json(cut.folder / "state.json")["state"] == "INTERRUPTED"
    assert not (cut.folder / "manifest.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in (cut.folder / "folds").rglob("*.parquet")}
    monkeypatch.undo()
    settings, cv = repeated(cut.folder)
    result = CrossValidation(settings, cv).resume(cut.folder, container)
    assert len(stamps) == 2
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert result.predictions.raw.tobytes() == study.predictions.raw.tobytes()
    state = read_json(cut.folder / "state.json")
    assert (state["state"], state["attempt"], state["error"]) == ("FINISHED", 2, None)
    assert len(Ledger.in_folder(config().experiments_folder).entries()) == 3
    assert "2 folds are finished already" in (cut.folder / "logs" / "study.log").read_text()


def test_a_finished_study_is_not_resumed(study, container, config):
    with pytest.raises(UsageError, match="is finished"):
        CrossValidation(config(), CV).resume(study.path, container)


@pytest.mark.parametrize(
    ("changed", "cv", "rule"),
    [
        ({"balanced": True}, CV, "other settings"),
        ({}, CrossValidationConfig(folds=2), "other settings, other folds"),
    ],
)
def test_a_study_is_resumed_with_its_own_settings_only(changed, cv, rule, container, config, monkeypatch):
    cut = CrossValidation(config(), CV)
    monkeypatch.setattr("ohlcv_factory.studies.cross_validation.run_fold", interrupted_at(1))
    with pytest.raises(KeyboardInterrupt):
        cut.run(container)
    with pytest.raises(UsageError, match=rule):
        CrossValidation(config(**changed), cv).resume(cut.folder, container)


def test_what_cannot_work_leaves_no_folder(container, config):
    with pytest.raises(UsageError, match="the config asks for horizon 10"):
        cross_validate(config(horizon=10), container, CV)
    with pytest.raises(DataError, match="at least 200 are needed"):
        cross_validate(config(), container, CrossValidationConfig(folds=20))
    with pytest.raises(UsageError, match="unknown key"):
        cross_validate(config(model={"c": 1.0}), container, CV)
    assert not config().experiments_folder.exists()


def test_the_page_is_written_before_the_manifest_closes_the_study(container, config):
    def page(folder):
        assert not (folder / "manifest.json").exists()
        (folder / "page.html").write_text("a page")

    result = cross_validate(config(), container, CrossValidationConfig(folds=2), write_page=page)
    assert "page.html" in {entry["path"] for entry in read_json(result.path / "manifest.json")["files"]}


def test_a_notebook_shows_verdict_scores_and_stability(study):
    html = study._repr_html_()
    assert "logistic, horizon 5, out of fold" in html
    assert "(class_prior)" in html
    assert "Stability " in html
    assert stability_words(study.metrics).startswith("Stability ")
