from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, FactoryError, VerificationError
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.studies.folds import TrainFolds, same_rows
from ohlcv_factory.studies.settings import CrossValidationConfig

SCHEMES = [
    CrossValidationConfig(folds=3),
    CrossValidationConfig(scheme="walk_forward", folds=2),
    CrossValidationConfig(scheme="combinatorial", folds=4),
]


@pytest.mark.parametrize("cv", SCHEMES, ids=lambda cv: cv.scheme)
@pytest.mark.parametrize("market", ["container", "two_symbols"])
def test_no_training_label_meets_a_tested_one_and_no_row_of_val_or_test_is_in_a_fold(cv, market, request):
    container = request.getfixturevalue(market)
    folds = TrainFolds.of(container, cv, lookback=1)
    time, end = container.index["time_ns"], container.labels.scheduled_end_ns
    for fold in folds.folds:
        part = folds.part(fold)
        train, held = part.rows("train"), part.rows("val")
        assert set(container.part[np.concatenate([train, held])]) == {0}
        assert not len(part.rows("test"))
        meets = (time[train][:, None] <= end[held]) & (end[train][:, None] >= time[held])
        assert not meets.any()


def test_every_eligible_train_row_is_tested_once_labelled_or_not(two_symbols):
    folds = TrainFolds.of(two_symbols, CrossValidationConfig(folds=3), lookback=1)
    tested = np.concatenate([folds.tested(fold) for fold in folds.folds])
    assert sorted(tested) == two_symbols.rows("train").tolist()
    assert folds.covered().tolist() == two_symbols.rows("train").tolist()


def test_symbols_are_tested_at_the_same_times(two_symbols):
    folds = TrainFolds.of(two_symbols, CrossValidationConfig(folds=3), lookback=1)
    ends = [two_symbols.index["time_ns"][folds.tested(fold)] for fold in folds.folds]
    assert all(earlier.max() < later.min() for earlier, later in pairwise(ends))


def test_the_embargo_is_that_of_the_dataset_unless_named(container):
    by_dataset = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    assert "lowered from 5" in by_dataset.folds[0].notes[0]  # the dataset says auto
    named = TrainFolds.of(container, CrossValidationConfig(folds=3, embargo_days=0.25), 1)
    assert next(named.records())["embargo_days"] == [0.25]


def test_windows_are_kept_off_the_tested_blocks_when_asked(container):
    reached = {}
    for purge in (False, True):
        cv = CrossValidationConfig(folds=2, embargo_days=0.0, purge_windows=purge)
        folds = TrainFolds.of(container, cv, lookback=100)
        first, last_tested = folds.folds[0], folds.tested(folds.folds[0]).max()
        reached[purge] = folds.rows[first.train_rows].min() - 99 <= last_tested
    assert reached == {False: True, True: False}


def test_a_record_says_when_what_was_tested_and_learnt_from(container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    first, second, third = folds.records()
    assert (first["fold"], first["blocks"]) == (1, [0])
    assert first["rows"]["train"] == len(folds.part(folds.folds[0]).rows("train"))
    assert first["row_digest"] == folds.part(folds.folds[0]).row_digest()
    assert len(second["learnt_from"]) == 2
    (end,) = second["label_ends"]
    assert second["tested"][0][1] < end < second["learnt_from"][1][0]
    assert second["learnt_from"][0][1] < second["tested"][0][0]
    assert third["tested"][0][1] == second["learnt_from"][1][1]


def test_a_fold_that_is_too_small_is_refused_with_the_arithmetic(container):
    count = len(container.rows("train"))
    with pytest.raises(
        DataError, match=rf"scored rows to be tested on, at least 200 are needed: of {count} train rows"
    ):
        TrainFolds.of(container, CrossValidationConfig(folds=12), 1)
    with pytest.raises(DataError, match="keeps no training row"):
        TrainFolds.of(container, CrossValidationConfig(folds=3, embargo_days=30.0), 1)


def test_a_train_part_without_rows_is_refused(container):
    nothing = container.with_split(np.full(len(container), 1))
    with pytest.raises(DataError, match="the train part is empty"):
        TrainFolds.of(nothing, CrossValidationConfig(), 1)


def test_a_splitter_that_lets_labels_meet_is_found_out(container, monkeypatch):
    whole = PurgedKFold.training
    monkeypatch.setattr(
        PurgedKFold, "training", lambda self, spans, test, _: whole(replace(self), spans, ((0, 1),), (0,))
    )
    with pytest.raises(FactoryError, match=r"fold 1 would learn from \d+ labels that meet the tested ones"):
        TrainFolds.of(container, CrossValidationConfig(folds=3), 1)


def test_other_rows_than_planned_are_refused(container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    part = folds.part(folds.folds[0])
    same_rows(part, part.row_digest(), 1)
    with pytest.raises(VerificationError, match="fold 1 holds other rows than were planned"):
        same_rows(part, folds.part(folds.folds[1]).row_digest(), 1)
