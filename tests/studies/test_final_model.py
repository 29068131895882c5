"""A study's final model: the fit of `train`, calibrated on every out-of-fold row, scored on val, kept as a bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.evaluation.calibration import fit_temperature
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.reports.study_report import write_study_page
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.cross_validation import CrossValidation, cross_validate
from ohlcv_factory.studies.run_folders import verify
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("quick")

CV = CrossValidationConfig(folds=3, final=True)


@pytest.fixture
def study(container, config):
    return cross_validate(config(calibration="temperature"), container, CV, write_page=write_study_page)


def of_part(folder, part):
    return Predictions.from_frame(pl.read_parquet(folder / "predictions" / f"{part}_predictions.parquet"), 5)


def test_its_calibrator_is_fitted_on_all_scored_out_of_fold_rows_and_on_no_other(study):
    found = of_part(study.path, "oof")
    expected = fit_temperature(found.raw[found.scored], found.truth[found.scored])
    bundle = ModelBundle.from_run(study.final.folder)
    assert bundle.pipeline.calibrator == expected
    assert study.final.calibration["inner_calibrator"] != expected.plain()
    assert study.final.calibration["rows"] == found.scored.sum() > 1000


def test_its_fit_is_that_of_train_and_its_scores_are_on_val(study, container, config):
    run = Trainer(config(calibration="temperature")).run(container)
    final, own = of_part(study.final.folder, "val"), of_part(run.path, "val")
    assert final.raw.tobytes() == own.raw.tobytes()
    assert len(final) == len(container.rows("val"))
    calibrator = ModelBundle.from_run(study.final.folder).pipeline.calibrator
    assert np.array_equal(final.probabilities, calibrator.apply(final.raw))
    assert study.final.evaluation["part"] == "val"
    facts = read_json(study.path / "metrics" / "metrics.json")["final_model"]
    assert facts["folder"] == "final" and "timestamp" not in facts
    again = cross_validate(config(calibration="temperature"), container, CV)
    assert (again.path / "metrics" / "metrics.json").read_bytes() == (
        study.path / "metrics" / "metrics.json"
    ).read_bytes()


def test_it_is_no_trial_more_and_every_file_of_it_is_vouched_for(study, container, config):
    assert Ledger.in_folder(config().output_dir.parent).trials(container.fingerprint) >= 1
    entries = Ledger.in_folder(study.path.parents[1]).entries()
    assert len({entry["config_digest"] for entry in entries if study.study_id in entry["run_id"]}) == 1
    assert verify(study.path) > verify(study.final.folder) > 10


def test_val_and_test_labels_change_nothing_of_it_but_its_scores(study, container, config):
    labels = container.labels
    changed = labels.label.copy()
    changed[container.rows("val")] = 0
    other = cross_validate(
        config(calibration="temperature"), replace(container, labels=replace(labels, label=changed)), CV
    )
    assert other.final.calibration == study.final.calibration
    assert of_part(other.final.folder, "val").raw.tobytes() == of_part(study.final.folder, "val").raw.tobytes()


def test_the_page_of_the_study_shows_it_and_without_one_there_is_no_such_section(study, container, config):
    page = (study.path / "report.html").read_text(encoding="utf-8")
    assert '<section id="final">' in page and "temperature, on" in page
    plain = cross_validate(config(), container, CrossValidationConfig(folds=2), write_page=write_study_page)
    assert plain.final is None and not (plain.path / "final").exists()
    assert '<section id="final">' not in (plain.path / "report.html").read_text(encoding="utf-8")


def test_what_it_cannot_be_is_refused_before_a_fold(container, config):
    with pytest.raises(UsageError, match="combinatorial predicts a row several times"):
        CrossValidationConfig.parse({"scheme": "combinatorial", "final": True})
    with pytest.raises(UsageError, match="decides by argmax, got decision: threshold"):
        CrossValidation(config(decision="threshold"), CV).plan(container)
