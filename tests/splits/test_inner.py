from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.splits.inner import inner_rows


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
