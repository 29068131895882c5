from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.audit import row_checks
from ohlcv_factory.audit.subject import dataset_subject, study_subject


@pytest.fixture(scope="module")
def subject(dataset_folder):
    return dataset_subject(dataset_folder)


def with_container(subject, change):
    return replace(subject, containers=tuple(map(change, subject.containers)))


def test_the_gap_of_the_parts_is_measured(subject):
    outcome = row_checks.spans(subject)
    assert outcome.verdict == "pass"
    assert "days from the last train label to the next part" in outcome.size


def test_shuffled_parts_are_told_with_the_number_of_places(subject):
    shuffled = with_container(subject, lambda each: each.with_split(np.random.default_rng(0).permutation(each.part)))
    outcome = row_checks.spans(shuffled)
    assert outcome.verdict == "fail"
    assert outcome.measured >= 3


def test_a_label_among_the_features_is_told_with_its_correlation(subject):
    def leaky(container):
        table = container.table.copy()
        table[container.table_row, 0] = container.labels.label
        return replace(container, table=table)

    outcome = row_checks.foreknowledge(with_container(subject, leaky))
    assert outcome.verdict == "fail"
    assert outcome.measured == pytest.approx(1.0, abs=1e-6)
    assert row_checks.foreknowledge(subject).verdict == "pass"


def test_rows_of_a_fold_that_are_learnt_from_and_tested_are_told(study_folder):
    study = study_subject(study_folder).study
    record = {**study.records[0], "row_digest": "0" * 64, "learnt_from": study.records[0]["tested"]}
    mixed = replace(study, records=[record, *study.records[1:]])
    complaints = [violation.complaint for violation in row_checks._folds(mixed)]
    tested = len(study.folds.tested(study.folds.folds[0]))
    assert f"{tested} rows are learnt from and tested" in complaints
    assert "it holds other rows than its recipe makes" in complaints
    assert list(row_checks._folds(study)) == []


def test_copies_of_rows_are_told_of_each_container(subject):
    def copied(container):
        table = container.table.copy()
        table[container.table_row[container.rows("test")[:9]]] = table[container.table_row[container.rows("train")[:9]]]
        return replace(container, table=table)

    outcome = row_checks.duplicates(with_container(subject, copied))
    assert [(violation.feature, violation.size) for violation in outcome.violations] == [("features", 9.0)]
