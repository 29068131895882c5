from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, VerificationError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.fold_job import (
    TIME,
    FoldResult,
    fold_folder,
    fold_spec,
    is_finished,
    job_digest,
    run_fold,
)
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.fitting import fit_pipeline

pytestmark = pytest.mark.usefixtures("quick")

CV = CrossValidationConfig(folds=3)


@pytest.fixture
def folds(container):
    return TrainFolds.of(container, CV, lookback=1)


@pytest.fixture
def spec(config, folds, tmp_path):
    return fold_spec(config(), CV, folds, 2, tmp_path / "study", threads=1)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_job_is_plain_json_and_names_all_that_decides_its_result(spec, container):
    assert json.loads(json.dumps(spec)) == spec
    assert set(spec) == {"config", "digests", "study", "dataset", "plugins", "threads"}
    assert set(spec["config"]) == {"trainer", "symbol", "cross_validation", "fold"}
    assert spec["digests"]["data"] == container.fingerprint
    assert "output_dir" not in spec["config"]["trainer"]
    elsewhere = {**spec, "study": "/other", "dataset": "/moved", "threads": 2}
    assert job_digest(elsewhere) == job_digest(spec)
    for section, changed in (("config", {**spec["config"], "fold": 3}), ("digests", {**spec["digests"], "rows": "x"})):
        assert job_digest({**spec, section: changed}) != job_digest(spec)


def test_from_disk_and_from_memory_a_fold_has_the_same_bytes(spec, container, tmp_path):
    here = run_fold(spec, container)
    other = {**spec, "study": str(tmp_path / "other")}
    assert run_fold(json.loads(json.dumps(other))) == here
    one, two = (files(fold_folder(each)) for each in (spec, other))
    assert {name for name in one if one[name] != two[name]} == {TIME}
    assert here["files"] == ["folds/fold_02"]


def test_a_fold_is_fitted_scored_and_predicted_as_a_run_of_its_own_parts(spec, folds, config, container):
    run_fold(spec, container)
    fold = folds.folds[1]
    part = folds.part(fold)
    result = FoldResult.read(fold_folder(spec), 2, container, folds.tested(fold))
    expected = fit_pipeline(config(), part)
    predictions = expected.pipeline.predict(part, part.rows("val"))
    assert result.predictions.raw.tobytes() == predictions.raw.tobytes()
    assert result.predictions.probabilities.tobytes() == predictions.probabilities.tobytes()
    assert np.array_equal(result.predictions.index, container.index[folds.tested(fold)])
    assert result.fit["rows"] == expected.row_counts
    assert result.fit["columns"] == list(expected.pipeline.columns)
    assert [entry["block"] for entry in result.blocks] == [1]
    assert result.seconds > 0


def test_a_finished_fold_is_not_done_again_and_a_damaged_one_is(spec, container, monkeypatch):
    run_fold(spec, container)
    before = files(fold_folder(spec))
    monkeypatch.setattr("ohlcv_factory.studies.fold_job.fit_pipeline", None)
    run_fold(spec, container)
    monkeypatch.undo()
    assert files(fold_folder(spec)) == before
    (fold_folder(spec) / "scores.json").write_text("[]")
    assert not is_finished(spec)
    run_fold(spec, container)
    assert files(fold_folder(spec))["scores.json"] == before["scores.json"]


def test_a_fold_of_other_settings_is_no_finished_fold(spec, container):
    run_fold(spec, container)
    other = {**spec["config"]["trainer"], "balanced": True}
    assert is_finished(spec)
    assert not is_finished({**spec, "config": {**spec["config"], "trainer": other}})


def test_a_fold_that_breaks_off_leaves_nothing(spec, container, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("cut off")

    monkeypatch.setattr("ohlcv_factory.studies.fold_job.block_scores", broken)
    with pytest.raises(RuntimeError):
        run_fold(spec, container)
    assert list(fold_folder(spec).parent.iterdir()) == []


def test_other_data_or_other_rows_are_refused(spec, container, tmp_path):
    wrong = {**spec, "digests": {**spec["digests"], "data": "0" * 64}}
    with pytest.raises(VerificationError, match="not the one that the study began with"):
        run_fold(wrong)
    with pytest.raises(VerificationError, match="fold 2 holds other rows than were planned"):
        run_fold({**spec, "digests": {**spec["digests"], "rows": "0" * 64}}, container)


def test_data_in_memory_can_only_be_used_in_this_process(spec):
    with pytest.raises(DataError, match="is not on disk"):
        run_fold({**spec, "dataset": None})


def test_a_kept_model_is_a_bundle_that_gives_the_folds_own_predictions(study, container):
    folds = TrainFolds.of(container, CV, lookback=1)
    fold = study.folds[0]
    bundle = ModelBundle.from_run(fold.path)
    rows = folds.tested(folds.folds[0])
    assert bundle.pipeline.predict(container, rows).raw.tobytes() == fold.predictions.raw.tobytes()
    newest = bundle.predict(random_walk(2000, 3))
    assert np.allclose(newest.raw.sum(axis=1), 1)


def test_without_keeping_there_is_no_model(spec, container):
    run_fold(spec, container)
    assert not (fold_folder(spec) / "checkpoints").exists()
    assert set(files(fold_folder(spec))) == {
        "predictions.parquet",
        "scores.json",
        "fit.json",
        "time.json",
        "manifest.json",
    }


def test_a_block_without_rows_of_a_symbol_keeps_the_containers_codes(two_symbols, config, tmp_path):
    cv = CrossValidationConfig(folds=4)
    early = two_symbols.with_split(np.where(two_symbols.part == 0, 0, -1))
    only_late = early.part.copy()  # the first symbol loses its later half, so that a block holds the second one alone
    first = np.flatnonzero((early.index["symbol_code"] == 0) & (early.part == 0))
    only_late[first[len(first) // 2 :]] = -1
    container = early.with_split(only_late)
    folds = TrainFolds.of(container, cv, 1)
    spec = fold_spec(config(), cv, folds, 4, tmp_path, threads=1)
    run_fold(spec, container)
    rows = folds.tested(folds.folds[3])
    assert set(container.index["symbol_code"][rows]) == {1}
    result = FoldResult.read(fold_folder(spec), 4, container, rows)
    assert set(result.predictions.index["symbol_code"]) == {1}
    assert result.predictions.symbols == ("SYNTH_A", "SYNTH_B")


def test_predictions_of_other_rows_are_refused(study, container):
    with pytest.raises(DataError, match="holds other rows than the fold tests"):
        FoldResult.read(study.folds[0].path, 1, container, container.rows("train")[:10])


def test_a_fold_that_lacks_a_class_has_three_columns_and_a_warning(container, config, tmp_path):
    labels = container.labels.label.copy()
    folds = TrainFolds.of(container, CrossValidationConfig(folds=2), 1)
    labels[folds.rows[folds.folds[0].train_rows]] %= 2  # long becomes short where fold 1 learns
    without = replace(container, labels=replace(container.labels, label=labels), origin=None)
    again = TrainFolds.of(without, CrossValidationConfig(folds=2), 1)
    spec = fold_spec(config(allow_missing_class=True), CrossValidationConfig(folds=2), again, 1, tmp_path, threads=1)
    with pytest.warns(UserWarning, match="long"):
        run_fold(spec, without)
    raw = FoldResult.read(fold_folder(spec), 1, without, again.tested(again.folds[0])).predictions.raw
    assert raw.shape[1] == 3
    assert not raw[:, 2].any()


def test_a_fold_can_be_read_after_the_study_has_moved(study, container, tmp_path):
    moved = shutil.copytree(study.path, tmp_path / "moved")
    rows = container.rows("train")[: len(study.folds[0].predictions)]
    result = FoldResult.read(moved / "folds" / "fold_01", 1, container, rows)
    assert result.predictions.raw.tobytes() == study.folds[0].predictions.raw.tobytes()
    assert read_json(moved / "folds" / "fold_01" / "manifest.json")["kind"] == "fold"


def test_the_dataset_of_a_job_is_the_one_on_disk(spec, dataset):
    assert TimeSeriesDataContainer.from_dataset(spec["dataset"], 5).fingerprint == spec["digests"]["data"]
    assert spec["dataset"] == str(dataset.resolve())
