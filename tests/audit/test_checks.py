"""The table of checks, and the whole audit of every kind of subject: a clean one passes, a planted leak is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from resealed import reseal

from ohlcv_factory.audit import fit_checks
from ohlcv_factory.audit.checks import CHECKS, audit, checks_for, failed
from ohlcv_factory.audit.subject import KINDS, dataset_subject, run_subject, study_subject
from ohlcv_factory.errors import DataError, InputMissingError, UnknownNameError, UsageError, VerificationError
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import read_json, write_json
from ohlcv_factory.storage.ledger import Ledger

SMALL_MARKET = 16_000


@pytest.fixture(autouse=True)
def _small_market(monkeypatch):
    """Enough bars for a plain signal."""
    monkeypatch.setattr(fit_checks, "NULL_BARS", SMALL_MARKET)
    monkeypatch.setattr(fit_checks, "PLANTED_BETA", 0.6)


def verdicts(findings):
    return {finding.check: finding.outcome.verdict for finding in findings}


def broken(subject, *names):
    """The checks that fail."""
    return {name for name, verdict in verdicts(audit(subject, list(names) or None)).items() if verdict == "fail"}


def test_every_check_has_a_name_of_its_own_and_is_for_some_kind():
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) == 19
    assert all(check.kinds and set(check.kinds) <= set(KINDS) and check.holds and check.advice for check in CHECKS)


def test_an_unknown_check_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'truncation'"):
        checks_for("run", ["truncatoin"])


def test_a_check_that_is_not_for_such_a_subject_is_refused():
    with pytest.raises(UsageError, match="check 'predict-path' is not for kind 'dataset'"):
        checks_for("dataset", ["predict-path"])


def test_a_clean_dataset_passes(dataset_folder):
    found = verdicts(audit(dataset_subject(dataset_folder, experiments=dataset_folder.parent / "none")))
    assert set(found) == {check.name for check in CHECKS if "dataset" in check.kinds}
    assert {name for name, verdict in found.items() if verdict != "pass"} == {"test-looks"}  # no ledger there


def test_a_clean_run_passes(run_folder):
    findings = audit(run_subject(run_folder))
    assert {name for name, verdict in verdicts(findings).items() if verdict != "pass"} == set()
    assert len(findings) == 19
    assert not failed(findings)


def test_a_clean_study_passes(study_folder):
    findings = audit(study_subject(study_folder))
    assert {name for name, verdict in verdicts(findings).items() if verdict != "pass"} == set()
    assert len(findings) == 19


def copied(folder, target):
    """A copy in an experiments folder of its own, so that whatever is planted there disturbs nothing."""
    place = target / folder.parent.name / folder.name
    shutil.copytree(folder, place)
    shutil.copy(folder.parent.parent / "ledger.sqlite", target / "ledger.sqlite")
    return place


def test_a_changed_file_is_refused_before_any_check(run_folder, tmp_path):
    run = copied(run_folder, tmp_path)
    (run / "checkpoints" / "scaler.json").write_text("{}")
    with pytest.raises(VerificationError, match=r"scaler\.json is not the file"):
        run_subject(run)


def test_predictions_that_the_model_does_not_make_are_caught(run_folder, tmp_path):
    run = copied(run_folder, tmp_path)
    file = run / "predictions" / "val_predictions.parquet"
    frame = pl.read_parquet(file)
    better = pl.when(pl.col("truth") == "long").then(0.9).otherwise(pl.col("raw_long")).alias("raw_long")
    frame.with_columns(better).write_parquet(file)
    reseal(run)
    assert broken(run_subject(run), "stored-predictions", "determinism", "span-overlap") == {
        "stored-predictions",
        "determinism",
    }


def test_a_run_on_other_parts_than_those_of_its_dataset_is_caught(run_folder, tmp_path):
    run = copied(run_folder, tmp_path)
    write_json(run / "manifest.json", {**read_json(run / "manifest.json"), "row_digest": "0" * 64})
    (finding,) = audit(run_subject(run), ["span-overlap"])
    assert finding.outcome.verdict == "fail"
    assert "not those of its dataset" in finding.outcome.violations[0].complaint
    assert finding.advice.startswith("purge by the scheduled label end")


def test_a_second_look_at_the_test_part_is_told(run_folder, tmp_path):
    run = copied(run_folder, tmp_path)
    digest = read_json(run / "manifest.json")["data_fingerprint"]
    look = {"run_id": run.name, "model": "logistic", "horizon": 5, "config_digest": "c", "data_digest": digest}
    for looks, verdict in ((1, "pass"), (2, "fail")):
        Ledger.in_folder(tmp_path).record("test_look", **look)
        (finding,) = audit(run_subject(run), ["test-looks"])
        assert (finding.outcome.measured, finding.outcome.verdict) == (looks, verdict)


def test_a_look_that_is_in_no_ledger_is_told(run_folder, tmp_path):
    run = copied(run_folder, tmp_path)
    write_json(run / "addenda" / "001" / "manifest.json", {"part": "test"})
    (finding,) = audit(run_subject(run), ["test-looks"])
    assert finding.outcome.verdict == "fail"
    assert finding.outcome.size == "looks: 1, at most 1; 1 of them in no ledger"


def study_with(study_folder, target, change):
    """A copy whose record of the folds was changed, with digests as if nothing had happened."""
    study = copied(study_folder, target)
    folds = read_json(study / "folds.json")
    change(folds["folds"])
    write_json(study / "folds.json", folds)
    reseal(study)
    return study_subject(study)


def test_folds_without_a_purge_are_caught(study_folder, tmp_path):
    def unpurged(records):
        records[-1]["learnt_from"][-1][1] = records[-1]["tested"][0][0]  # up to the first tested row
        records[-1]["row_digest"] = "0" * 64

    (finding,) = audit(study_with(study_folder, tmp_path, unpurged), ["span-overlap"])
    assert finding.outcome.verdict == "fail"
    complaints = " ".join(violation.complaint for violation in finding.outcome.violations)
    assert {violation.feature for violation in finding.outcome.violations} >= {"fold 3, train against tested"}
    assert "labels that meet held-out ones" in complaints


def test_shuffled_folds_are_caught(study_folder, tmp_path):
    def shuffled(records):
        for record in records:
            record["learnt_from"] = [[records[0]["tested"][0][0], records[-1]["tested"][-1][1]]]
            record["row_digest"] = "0" * 64

    (finding,) = audit(study_with(study_folder, tmp_path, shuffled), ["span-overlap"])
    names = {violation.feature for violation in finding.outcome.violations}
    assert {f"fold {number}, train against tested" for number in (1, 2, 3)} <= names


def test_a_fold_that_is_missing_is_caught(study_folder, tmp_path):
    (finding,) = audit(study_with(study_folder, tmp_path, lambda records: records.pop()), ["span-overlap"])
    assert "another number of folds" in finding.outcome.violations[0].complaint


def test_what_is_neither_run_nor_study_is_refused(dataset_folder, run_folder, study_folder, tmp_path):
    with pytest.raises(InputMissingError):
        run_subject(tmp_path)
    with pytest.raises(UsageError, match="is a study"):
        run_subject(study_folder)
    with pytest.raises(InputMissingError):
        study_subject(run_folder)


def test_another_dataset_is_refused(run_folder, tmp_path, dataset_folder):
    other = tmp_path / "dataset"
    shutil.copytree(dataset_folder, other)
    manifest = read_json(other / "dataset.json")
    write_json(other / "dataset.json", {**manifest, "fingerprint": "0" * 64})
    with pytest.raises(DataError, match="is not the dataset that it was made on"):
        run_subject(run_folder, dataset=other)


def test_a_column_that_was_replaced_in_a_dataset_is_caught(dataset_folder, tmp_path):
    """Next returns in ten times as much noise, under the name of an honest column, with digests written anew."""
    folder = tmp_path / "dataset"
    shutil.copytree(dataset_folder, folder)
    _replace_column(folder)
    manifest = read_json(folder / "dataset.json")
    for stored in manifest["files"]:
        stored["sha256"] = file_digest(folder / stored["path"])
    write_json(folder / "dataset.json", manifest)
    found = broken(dataset_subject(folder), "stored-values", "label-in-features", "truncation")
    assert found == {"stored-values"}


def _replace_column(folder: Path):
    for matrix in folder.glob("*.features.npy"):
        values = np.load(matrix).copy()
        close = pl.read_parquet(folder / matrix.name.replace(".features.npy", ".parquet"))["close"].to_numpy()
        following = np.append(np.diff(np.log(close)), 0.0)
        values[:, 1] = following + np.random.default_rng(0).normal(0, 10 * following.std(), len(following))
        np.save(matrix, values)


def test_nothing_but_skipped_checks_is_an_error(dataset_folder, tmp_path):
    with pytest.raises(UsageError, match="none of the checks could be made"):
        audit(dataset_subject(dataset_folder, experiments=tmp_path), ["test-looks"])
