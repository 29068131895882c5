"""What is under audit: read from folders, digests first, with the plugins that it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markets import bar_file
from own_features import own_features
from quick_studies import quick_studies

from ohlcv_factory.audit.audited_bars import audited_features
from ohlcv_factory.audit.checks import audit
from ohlcv_factory.audit.subject import dataset_subject, features_subject, model_subject, run_subject, study_subject
from ohlcv_factory.bars.instruments import find_instrument
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig
from ohlcv_factory.studies.ensembling import train_ensemble
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


def test_a_dataset_has_a_container_for_each_horizon(tmp_path):
    config = DatasetConfig(horizons=(5, 10), features=("return_1", "rsi_14"), embargo_days="auto")
    write_dataset(build_dataset([bar_file(random_walk(4000, 1))], config), tmp_path / "dataset", {})
    subject = dataset_subject(tmp_path / "dataset")
    assert [container.horizon for container in subject.containers] == [5, 10]
    assert subject.columns == ("return_1", "rsi_14")
    (finding,) = audit(subject, ["label-reach"])
    assert (finding.outcome.verdict, finding.outcome.size) == ("pass", "labels of horizon 5, labels of horizon 10")


def test_a_run_keeps_its_settings_its_predictions_and_its_dataset(run_folder, dataset_folder):
    subject = run_subject(run_folder)
    assert subject.config.model_name == "logistic"
    assert subject.config.feature_sets["few"].include == subject.bundle.pipeline.columns == subject.columns
    assert len(subject.stored) == len(subject.container.rows("val"))
    assert subject.experiments == dataset_folder.parent / "experiments"
    assert [each.bars.symbol for each in subject.bars] == ["SYNTH1", "SYNTH2"]


def test_a_study_is_seen_as_its_last_fold_sees_it(study_folder):
    subject = study_subject(study_folder)
    assert subject.study.number == 3
    assert len(subject.stored) == len(subject.container.rows("val"))
    time, train, held = (subject.container.index["time_ns"], *map(subject.container.rows, ("train", "val")))
    assert time[train].max() < time[held].min()
    assert subject.bundle is not None


def test_a_study_without_models_leaves_out_what_needs_them(study_folder):
    subject = replace(study_subject(study_folder), bundle_folder=None)
    found = {
        each.check: each.outcome for each in audit(subject, ["predict-path", "stored-predictions", "span-overlap"])
    }
    assert found["predict-path"].verdict == found["stored-predictions"].verdict == "skipped"
    assert "cv --keep-models" in found["predict-path"].size


def test_the_recorded_rows_of_a_fold_are_those_of_its_stretches(study_folder):
    study = study_subject(study_folder).study
    for record, fold in zip(study.records, study.folds.folds, strict=True):
        assert study.rows(record, "tested").tolist() == study.folds.tested(fold).tolist()
        assert study.rows(record, "learnt_from").tolist() == study.folds.rows[fold.train_rows].tolist()


def test_features_of_which_none_can_be_audited_are_refused():
    bars = random_walk(300, 1)
    with pytest.raises(DataError, match="no feature can be audited on 300 bars"):
        features_subject([(bars, find_instrument(bars.symbol))], audited_features(["return_1"]))


def test_a_model_is_audited_with_its_settings():
    subject = model_subject("logistic", {"max_iter": 50})
    assert subject.config.model == {"max_iter": 50}
    assert len(subject.container.rows("val")) > 1000


def test_a_run_made_in_memory_asks_for_its_dataset(tmp_path):
    config = DatasetConfig(horizons=(5,), features=("return_1", "rsi_14"), embargo_days="auto")
    container = TimeSeriesDataContainer.from_bars(random_walk(4000, 1), horizon=5, config=config)
    sets = {"few": SetRules(include=("return_1", "rsi_14"))}
    settings = TrainerConfig(
        model_name="logistic", horizon=5, feature_set="few", feature_sets=sets, output_dir=tmp_path / "runs"
    )
    run = Trainer(settings).run(container).path
    with pytest.raises(UsageError, match="made in memory"):
        run_subject(run)


def test_a_dataset_with_columns_of_a_plugin_asks_for_it(tmp_path, planted):
    config = DatasetConfig(horizons=(5,), features=("return_1", "bar_body", "centred_mean"), embargo_days="auto")
    folder = write_dataset(build_dataset([bar_file(random_walk(4000, 1))], config), tmp_path / "dataset", {})
    with own_features():
        with pytest.raises(UsageError, match="which was not named"):
            dataset_subject(folder)
        load_plugins([planted])
        found = audit(dataset_subject(folder), ["truncation", "stored-values"])
    assert [each.outcome.verdict for each in found] == ["fail", "pass"]  # it stores faithfully what it should not
    assert {violation.feature for violation in found[0].outcome.violations} == {"centred_mean"}


def test_an_ensemble_is_asked_again_but_not_fitted_again(dataset_folder, tmp_path):
    members = {
        "strict": {"model_name": "logistic", "feature_set": "few", "model": {"C": 0.01}},
        "lenient": {"model_name": "logistic", "feature_set": "few"},
    }
    sets = {"few": SetRules(include=("return_1", "rsi_14", "volume_ratio"))}
    config = EnsembleConfig(
        model_name="voting",
        members=members,
        horizon=5,
        feature_sets=sets,
        output_dir=tmp_path / "experiments" / "runs",
        cv=CrossValidationConfig(folds=2),
    )
    with quick_studies():
        run = train_ensemble(config, TimeSeriesDataContainer.from_dataset(dataset_folder, 5)).path
    chosen = [
        "predict-path",
        "stored-predictions",
        "determinism",
        "fitted-state",
        "shuffled-labels",
        "random-walk-null",
    ]
    found = {each.check: each.outcome for each in audit(run_subject(run), chosen)}
    assert [found[name].verdict for name in chosen] == ["pass"] * 3 + ["skipped"] * 3
    assert "audit a run of each member" in found["fitted-state"].size
