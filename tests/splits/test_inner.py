from __future__ import annotations

import math
from itertools import combinations
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_spans import overlap, spans

from ohlcv_factory.splits import inner as module
from ohlcv_factory.splits.inner import halves, inner_rows


def test_stop_and_calibrate_take_the_latest_rows_in_order():
    time = np.arange(10_000)
    inner = inner_rows(time, time + 5, np.ones(10_000))
    assert len(inner.calibrate) == 750
    assert inner.calibrate[0] == 9250
    assert len(inner.stop) == 750
    assert inner.stop[-1] == 9244  # rows 9245 to 9249 end in the calibrate block
    assert inner.fit[-1] == inner.stop[0] - 6
    assert not inner.notes


def test_small_samples_need_500_rows():
    time = np.arange(4000)
    inner = inner_rows(time, time, np.ones(4000))
    assert (len(inner.stop), len(inner.calibrate)) == (500, 500)


def test_overlapping_labels_need_more_rows():
    time = np.arange(10_000)
    assert len(inner_rows(time, time, np.full(10_000, 1 / 16)).calibrate) == 800  # 800 / 16 = 50


@pytest.mark.parametrize(("rows", "uniqueness"), [(3000, 1.0), (10_000, 0.02)])
def test_where_15_per_cent_do_not_suffice_there_is_no_block_and_a_note(rows, uniqueness):
    time = np.arange(rows)
    inner = inner_rows(time, time, np.full(rows, uniqueness))
    assert (len(inner.fit), len(inner.stop), len(inner.calibrate)) == (rows, 0, 0)
    assert len(inner.notes) == 2


def test_rows_of_several_symbols_are_cut_by_time():
    time = np.tile(np.arange(5000), 2)
    inner = inner_rows(time, time + 3, np.ones(10_000))
    assert time[inner.fit].max() + 3 < time[inner.stop].min()
    assert time[inner.stop].max() + 3 < time[inner.calibrate].min()


def inner_by_definition(found, uniqueness, least_rows, least_uniqueness):
    """Fit, stop and calibrate, one block after the other from the latest row backwards."""
    rest = sorted(range(len(found.time_ns)), key=lambda row: found.time_ns[row])
    blocks = []
    for _ in range(2):
        total, size = 0.0, 0
        while size < len(rest) and total < least_uniqueness:
            size += 1
            total += uniqueness[rest[-size]]
        enough = total >= least_uniqueness
        size = max(size, math.ceil(0.075 * len(uniqueness)), least_rows)
        if not enough or size > 0.15 * len(uniqueness):
            blocks.append([])
            continue
        border = found.time_ns[rest[-size]]
        blocks.append(sorted(row for row in rest if found.time_ns[row] >= border))
        rest = [row for row in rest if found.time_ns[row] < border and found.end_ns[row] < border]
    return sorted(rest), blocks[1], blocks[0]


@settings(max_examples=300, deadline=None)
@given(spans(), st.integers(0, 2**32 - 1))
def test_inner_rows_equal_the_definition_and_no_two_blocks_share_a_moment(found, seed):
    uniqueness = np.random.default_rng(seed).choice([0.25, 0.5, 1.0], len(found.time_ns))
    with mock.patch.object(module, "MIN_ROWS", 3), mock.patch.object(module, "MIN_UNIQUENESS", 2.0):
        inner = inner_rows(found.time_ns, found.end_ns, uniqueness)
    blocks = (inner.fit, inner.stop, inner.calibrate)
    assert tuple(block.tolist() for block in blocks) == inner_by_definition(found, uniqueness, 3, 2.0)
    for earlier, later in combinations(blocks, 2):
        assert not overlap(found, earlier, later)


def test_inner_blocks_in_literal_rows():
    time = np.arange(40)
    end = time.copy()
    end[[3, 30, 35]] = [36, 34, 39]
    with mock.patch.object(module, "MIN_ROWS", 4), mock.patch.object(module, "MIN_UNIQUENESS", 2.0):
        inner = inner_rows(time, end, np.ones(40))
    assert inner.calibrate.tolist() == [36, 37, 38, 39]
    assert inner.stop.tolist() == [31, 32, 33, 34]  # row 35 ends in the calibrate block
    assert inner.fit.tolist() == [row for row in range(31) if row not in (3, 30)]  # these end in the two blocks


def test_halves_are_apart_by_the_labels_of_the_earlier():
    time = np.arange(1000)
    earlier, later = halves(time, time + 5)
    assert later.tolist() == list(range(500, 1000))
    assert earlier.tolist() == list(range(495))  # rows 495 to 499 end in the later half


def test_rows_of_one_moment_stay_in_one_half_in_any_order():
    time = np.repeat(np.arange(7), 2)
    shuffled = np.random.default_rng(0).permutation(14)
    earlier, later = halves(time[shuffled], time[shuffled])
    assert sorted(time[shuffled][earlier].tolist()) == [0, 0, 1, 1, 2, 2]
    assert sorted(time[shuffled][later].tolist()) == [3, 3, 4, 4, 5, 5, 6, 6]


def test_no_rows_have_empty_halves():
    assert [len(half) for half in halves(np.zeros(0, np.int64), np.zeros(0, np.int64))] == [0, 0]
