from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_spans import DAY, spans

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.purge import overlap_rows
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.splits.spans import LabelSpans


def rows(splitter, count):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(range(count))]


def test_three_folds_in_literal_rows():
    # labels of two bars: a block at 4 to 7 purges rows 2 and 3 before it, and 8, 9 and the embargoed 10 after it
    assert rows(PurgedKFold(3, spans=2, embargo_bars=1), 12) == [
        ([7, 8, 9, 10, 11], [0, 1, 2, 3]),
        ([0, 1, 11], [4, 5, 6, 7]),
        ([0, 1, 2, 3, 4, 5], [8, 9, 10, 11]),
    ]


def test_blocks_differ_by_one_row_at_most():
    assert [len(test) for _, test in PurgedKFold(4, spans=0).split(range(10))] == [2, 3, 3, 2]


def test_a_moment_of_several_symbols_is_never_divided():
    time = np.array([0, 1, 2, 3, 4, 5, 2, 3, 4, 5]) * DAY
    folds = PurgedKFold(3, embargo_days=0.0).folds(LabelSpans.of_times(time, time))
    assert [fold.test_rows.tolist() for fold in folds] == [[0, 1], [2, 3, 6, 7], [4, 5, 8, 9]]
    assert [fold.train_rows.tolist() for fold in folds][1] == [0, 1, 4, 5, 8, 9]


def test_the_training_rows_of_one_series_are_views():
    values = np.arange(20)
    (fold, *_) = PurgedKFold(2, spans=2).folds(LabelSpans.of_bars(20, 2))
    assert fold.train == ((12, 20),)
    (first, stop), *_ = fold.train
    assert np.shares_memory(values[first:stop], values)


@settings(max_examples=150, deadline=None)
@given(spans(), st.integers(2, 5), st.sampled_from([0.0, 0.5, 2.0]))
def test_every_row_is_tested_once_and_no_fold_learns_from_what_it_is_tested_on(drawn, count, days):
    try:
        folds = PurgedKFold(count, embargo_days=days).folds(LabelSpans.of_times(drawn.time_ns, drawn.end_ns))
    except DataError:
        return
    assert sorted(np.concatenate([fold.test_rows for fold in folds]).tolist()) == list(range(len(drawn.time_ns)))
    for fold in folds:
        assert not len(overlap_rows(fold))
        assert not set(fold.train_rows) & set(fold.test_rows)


def test_under_two_folds_are_refused():
    with pytest.raises(UsageError, match="n_splits must be at least 2, got 1"):
        PurgedKFold(1)


@pytest.mark.parametrize(("label", "gap"), [(0, 0), (6, 0), (6, 9)])
def test_the_folds_are_those_of_purgedcv(label, gap):
    """Its spans are half open and its embargo closed, hence the nanosecond more and less."""
    purgedcv = pytest.importorskip("purgedcv", reason="an oracle, installed by hand")
    import pandas as pd

    generator = np.random.default_rng(4)
    time = np.cumsum(generator.integers(1, 4, 120)) * DAY
    end = time + generator.integers(0, label + 1, 120) * DAY
    theirs = purgedcv.PurgedKFold(
        n_splits=5,
        prediction_times=pd.to_datetime(time),
        evaluation_times=pd.to_datetime(end + 1),
        embargo=pd.Timedelta(gap * DAY - 1, "ns") if gap else None,
    )
    ours = PurgedKFold(5, spans=LabelSpans.of_times(time, end), embargo_days=float(gap))
    expected = [(train.tolist(), test.tolist()) for train, test in theirs.split(np.zeros((120, 1)))]
    assert rows(ours, 120) == expected
