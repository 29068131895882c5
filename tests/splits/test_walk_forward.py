from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_spans import DAY, spans

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.purge import overlap_rows
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.splits.walk_forward import WalkForward


def rows(splitter, count):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(range(count))]


def test_an_expanding_past_in_literal_rows():
    assert rows(WalkForward(2, spans=2, train_share=0.6, embargo_bars=1), 10) == [
        ([0, 1, 2, 3], [6, 7]),  # rows 4 and 5 end at 6 and 7; the embargo of one bar lies within that
        ([0, 1, 2, 3, 4, 5], [8, 9]),
    ]


def test_the_gap_is_the_larger_of_purge_and_embargo():
    assert rows(WalkForward(1, spans=2, train_share=0.6, embargo_bars=4), 10) == [([0, 1], [6, 7, 8, 9])]


def test_a_rolling_past_keeps_the_length_of_the_first():
    assert rows(WalkForward(2, spans=1, train_share=0.6, past="rolling"), 10) == [
        ([0, 1, 2, 3, 4], [6, 7]),
        ([2, 3, 4, 5, 6], [8, 9]),
    ]


def test_a_rolling_past_counts_moments_and_not_the_rows_of_several_symbols():
    time = np.array([0, 1, 2, 3, 4, 5, 4, 5]) * DAY  # a second symbol begins on day 4
    folds = WalkForward(2, train_share=1 / 3, past="rolling", embargo_days=0.0).folds(LabelSpans.of_times(time, time))
    assert [fold.test_rows.tolist() for fold in folds] == [[2, 3], [4, 5, 6, 7]]
    assert [fold.train_rows.tolist() for fold in folds] == [[0, 1], [2, 3]]


@settings(max_examples=150, deadline=None)
@given(spans(), st.integers(1, 5), st.sampled_from([0.0, 0.5]), st.sampled_from(["expanding", "rolling"]))
def test_covered_rows_are_tested_once_from_earlier_rows_only(drawn, count, days, past):
    found = LabelSpans.of_times(drawn.time_ns, drawn.end_ns)
    try:
        folds = WalkForward(count, embargo_days=days, past=past).folds(found)
    except DataError:
        return
    tested = np.concatenate([fold.test_rows for fold in folds])
    assert len(set(tested)) == len(tested)
    assert sorted(tested) == sorted(found.given(np.arange(folds[0].test[0][0], len(found))))
    for fold in folds:
        assert not len(overlap_rows(fold))
        latest, begin = drawn.time_ns[fold.train_rows].max(), drawn.time_ns[fold.test_rows].min()
        assert begin - latest > days * DAY


def test_a_past_that_the_embargo_eats_is_refused_with_the_arithmetic():
    with pytest.raises(DataError) as caught:
        rows(WalkForward(2, spans=2, train_share=0.6, embargo_bars=9), 10)
    assert caught.value.what == (
        "fold 1 of 2 keeps no training row: 2 of 10 rows are tested, 6 others may teach, of these 2 have labels that meet "
        "the tested ones, 4 lie in the embargo of 9 bars."
    )


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"n_splits": 0}, "n_splits must be at least 1"),
        ({"train_share": 1.0}, "train_share must lie between 0 and 1"),
        ({"past": "sliding"}, "past must be expanding or rolling, got 'sliding'"),
        ({"purge_windows": True}, "windows of earlier rows never reach a later block"),
    ],
)
def test_what_cannot_be_is_refused(options, rule):
    with pytest.raises(UsageError, match=rule):
        WalkForward(**options)


@pytest.mark.parametrize("label", [0, 6])
def test_the_folds_are_those_of_purgedcv(label):
    purgedcv = pytest.importorskip("purgedcv", reason="an oracle, installed by hand")
    import pandas as pd

    generator = np.random.default_rng(6)
    time = np.cumsum(generator.integers(1, 4, 120)) * DAY
    end = time + generator.integers(0, label + 1, 120) * DAY
    times = {"prediction_times": pd.to_datetime(time), "evaluation_times": pd.to_datetime(end + 1)}
    theirs = purgedcv.WalkForwardSplit(4, 15, **times)  # no embargo: before a block it knows none
    ours = WalkForward(4, spans=LabelSpans.of_times(time, end), embargo_days=0.0)
    expected = [(train.tolist(), test.tolist()) for train, test in theirs.split(np.zeros((120, 1)))]
    assert rows(ours, 120) == expected
