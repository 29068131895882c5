"""Folds as jobs of an executor: in worker processes, to the bytes of this process."""

from __future__ import annotations

import pytest

from ohlcv_factory.errors import FactoryError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.cross_validation import CrossValidation, cross_validate, on_executor
from ohlcv_factory.studies.executor.protocol import open_executor
from ohlcv_factory.studies.settings import CrossValidationConfig

CV = CrossValidationConfig(folds=3)


def test_two_worker_processes_leave_the_bytes_of_this_process(container, config):
    here = cross_validate(config(), container, CV)
    with open_executor("local", workers=2) as executor:
        there = cross_validate(config(), container, CV, run_folds=on_executor(executor))
    for name in ("metrics/metrics.json", "predictions/oof_predictions.parquet", "folds/fold_03/manifest.json"):
        assert (there.path / name).read_bytes() == (here.path / name).read_bytes()
    assert len(list((there.path / "jobs").iterdir())) == 3
    trials = [entry["run_id"] for entry in Ledger.in_folder(config().experiments_folder).entries()]
    assert len(trials) == len(set(trials)) == 6


def test_a_fold_that_fails_in_a_worker_fails_the_study_with_its_error(container, config, tmp_path):
    study = CrossValidation(config(), CV)
    with open_executor("local", workers=1) as executor:

        def elsewhere(specs):
            on_executor(executor)([{**spec, "dataset": str(tmp_path / "gone")} for spec in specs[:1]])

        study.run_folds = elsewhere
        with pytest.raises(FactoryError, match="gone"):
            study.run(container)
    assert read_json(study.folder / "state.json")["state"] == "FAILED"
