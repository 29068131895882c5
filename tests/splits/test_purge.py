from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_spans import DAY, blocks_of, spans, training_by_definition

from ohlcv_factory.splits.purge import Fold, joined, overlap_rows, purged_around, purged_before, size
from ohlcv_factory.splits.spans import LabelSpans, rows_of


def kept(found, test, embargo=0, **options):
    return rows_of(purged_around(found, test, [embargo] * len(test), **options)).tolist()


def test_before_a_block_rows_go_by_their_end_and_after_it_they_wait_for_its_latest_end_and_the_embargo():
    # ten rows at 0 to 9 with labels of two bars, rows 4 and 5 under test
    found = LabelSpans.of_bars(10, label_bars=2)
    assert kept(found, ((4, 6),)) == [0, 1, 8, 9]  # rows 2 and 3 end at 4 and 5; the block's labels end at 7
    assert kept(found, ((4, 6),), embargo=1) == [0, 1, 9]


def test_one_long_label_before_a_block_goes_alone():
    end = np.array([0, 6, 2, 3, 4, 5, 6, 7, 8])
    assert kept(LabelSpans.of_times(np.arange(9), end), ((5, 7),)) == [0, 2, 3, 4, 7, 8]


def test_one_long_label_in_a_block_holds_off_everything_up_to_its_end():
    end = np.array([0, 1, 7, 3, 4, 5, 6, 7, 8])
    assert kept(LabelSpans.of_times(np.arange(9), end), ((2, 4),)) == [0, 1, 8]


def test_between_two_blocks_both_sides_are_cut():
    found = LabelSpans.of_bars(20, label_bars=2)
    assert kept(found, ((4, 6), (12, 14)), embargo=1) == [0, 1, 9, 17, 18, 19]


def test_the_embargo_of_an_early_block_may_outlast_a_later_one():
    found = LabelSpans.of_bars(20, label_bars=1)
    assert rows_of(purged_around(found, ((2, 4), (6, 8)), [10, 0])).tolist() == [0, 15, 16, 17, 18, 19]


def test_windows_are_kept_off_the_block_only_when_asked():
    found = LabelSpans.of_bars(12, label_bars=1, lookback=4)
    assert kept(found, ((3, 6),)) == [0, 1, 7, 8, 9, 10, 11]
    assert kept(found, ((3, 6),), purge_windows=True) == [0, 1, 9, 10, 11]  # row 9 reads 6 to 9


def test_before_a_block_the_embargo_counts_back_from_its_first_moment():
    found = LabelSpans.of_bars(10, label_bars=1)
    assert purged_before(found, (6, 8), 0) == ((0, 5),)
    assert purged_before(found, (6, 8), 3) == ((0, 3),)
    assert purged_before(found, (6, 8), 3, first_row=1) == ((1, 3),)
    assert purged_before(found, (6, 8), 9) == ()


def test_stretches_that_touch_are_one():
    assert joined([(0, 2), (2, 2), (2, 5), (7, 8)]) == ((0, 5), (7, 8))
    assert size(((0, 5), (7, 8))) == 6


def test_a_training_row_that_meets_the_block_is_found():
    found = LabelSpans.of_bars(10, label_bars=2)
    honest = Fold(1, (0,), ((4, 6),), ((0, 2), (8, 10)), (0,), (), found)
    leaky = Fold(1, (0,), ((4, 6),), ((0, 4), (6, 10)), (0,), (), found)
    assert overlap_rows(honest).tolist() == []
    assert overlap_rows(leaky).tolist() == [2, 3, 6, 7]


@settings(max_examples=200, deadline=None)
@given(spans(), st.data(), st.sampled_from([0, 1, 4, 10]), st.booleans())
def test_training_rows_equal_the_definition_and_no_span_of_them_meets_a_tested_one(drawn, data, quarters, windows):
    embargo = quarters * (DAY // 4)
    reads_from = drawn.time_ns - data.draw(st.sampled_from([0, DAY, 3 * DAY]))
    found = LabelSpans.of_times(drawn.time_ns, drawn.end_ns, reads_from)
    test = blocks_of(found, data)
    stretches = purged_around(found, test, [embargo] * len(test), purge_windows=windows)
    rows = rows_of(stretches)
    assert rows.tolist() == training_by_definition(found, test, embargo, windows)
    assert all(stop > first for first, stop in stretches)
    for first, stop in test:
        meets = (found.moment[rows] <= found.end[first:stop].max()) & (found.end[rows] >= found.moment[first])
        assert not meets.any()
        later = found.moment[rows][rows >= stop]
        assert not len(later) or later.min() - found.end[first:stop].max() > embargo


@settings(max_examples=200, deadline=None)
@given(spans(), st.data(), st.sampled_from([0, 1, 4, 10]))
def test_rows_before_a_block_equal_the_definition(drawn, data, quarters):
    embargo = quarters * (DAY // 4)
    found = LabelSpans.of_times(drawn.time_ns, drawn.end_ns)
    block = blocks_of(found, data)[-1]
    begin = found.moment[block[0]]
    expected = [row for row in range(block[0]) if found.end[row] < begin and found.moment[row] < begin - embargo]
    assert rows_of(purged_before(found, block, embargo)).tolist() == expected


@pytest.mark.parametrize("test", [((0, 5),), ((15, 20),), ((0, 20),)])
def test_blocks_at_the_ends_and_over_everything(test):
    found = LabelSpans.of_bars(20, label_bars=2)
    expected = {(0, 5): list(range(7, 20)), (15, 20): list(range(13)), (0, 20): []}
    assert kept(found, test) == expected[test[0]]
