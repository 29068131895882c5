from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError

TABLE = np.arange(20, dtype=np.float32).reshape(10, 2)


def test_a_window_ends_at_its_row_and_reaches_back():
    source = WindowSource(TABLE, np.array([2, 9]), 3)
    assert source.shape == (2, 3, 2)
    assert source[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert source[np.array([1])].tolist() == [[[14, 15], [16, 17], [18, 19]]]


def test_the_view_stands_for_the_array_that_it_spells_out():
    source = WindowSource(TABLE, np.arange(4, 10), 5)
    plain = np.asarray(source)
    assert plain.shape == source.shape and plain.dtype == source.dtype == np.float32
    again = WindowSource.of_array(plain)
    assert np.array_equal(again[:], plain)
    assert np.array_equal(np.lib.stride_tricks.sliding_window_view(TABLE, 5, axis=0).transpose(0, 2, 1), plain)


def test_chosen_windows_share_the_table():
    source = WindowSource(TABLE, np.arange(1, 10), 2)
    chosen = source.take(np.array([0, 5]))
    assert np.shares_memory(chosen.table, TABLE)
    assert chosen[1].tolist() == source[5].tolist()
    assert source.with_table(TABLE * 2)[0].tolist() == (source[0] * 2).tolist()


@pytest.mark.parametrize("ends", [[1], [10], [-1]])
def test_a_window_outside_the_table_is_refused(ends):
    with pytest.raises(DataError, match="a window must lie inside it"):
        WindowSource(TABLE, np.array(ends), 3)


def test_no_bar_is_no_window():
    with pytest.raises(DataError, match="lookback=0"):
        WindowSource(TABLE, np.array([1]), 0)


def test_tensors_hold_the_same_windows():
    torch = pytest.importorskip("torch", reason="networks need torch")
    source = WindowSource(TABLE, np.array([3, 9, 5]), 4)
    windows = source.torch()
    assert len(windows) == 3
    assert windows[1].tolist() == source[1].tolist()
    assert windows.batch(torch.tensor([2, 0])).tolist() == source[np.array([2, 0])].tolist()


PADDED = WindowSource(TABLE, np.array([2, 9, 5]), 4, np.array([1, 0, 5]))


def test_a_padded_window_holds_nan_for_the_bars_before_its_start():
    nan = [np.nan, np.nan]
    assert PADDED.shape == (3, 4, 2)
    np.testing.assert_array_equal(PADDED[0], [nan, nan, [2, 3], [4, 5]])
    np.testing.assert_array_equal(PADDED[np.array([2, 1])][1], TABLE[6:10])
    np.testing.assert_array_equal(PADDED[2], [nan, nan, nan, [10, 11]])
    np.testing.assert_array_equal(np.asarray(PADDED), [PADDED[row] for row in range(3)])
    np.testing.assert_array_equal(PADDED.take(np.array([2, 0]))[1], PADDED[0])
    np.testing.assert_array_equal(PADDED.with_table(2 * TABLE)[0], 2 * PADDED[0])


def test_rows_before_a_start_are_not_used():
    assert np.flatnonzero(PADDED.used_rows()).tolist() == [1, 2, 5, 6, 7, 8, 9]
    assert PADDED.firsts.tolist() == [1, 6, 5]


def test_padding_that_no_window_needs_leaves_a_plain_source():
    whole = WindowSource.padded(TABLE, np.array([3, 9]), 4, np.array([0, 6]))
    assert whole.starts is None
    assert WindowSource.padded(TABLE, np.array([3, 9]), 4, np.array([1, 6])).starts is not None


def test_an_array_says_by_nan_on_the_left_which_bars_do_not_exist():
    again = WindowSource.of_array(PADDED[:], padded=True)
    np.testing.assert_array_equal(again[:], PADDED[:])
    assert np.isfinite(again.table[again.used_rows()]).all()
    inside = PADDED[:]
    inside[1, 2] = np.nan
    assert np.isnan(WindowSource.of_array(inside, padded=True).table[6]).all()
    assert WindowSource.of_array(inside, padded=True).used_rows()[6]
    assert WindowSource.of_array(PADDED[:]).starts is None


@pytest.mark.parametrize("start", [-1, 3])
def test_a_start_outside_its_window_is_refused(start):
    with pytest.raises(DataError, match="a window must lie inside it"):
        WindowSource(TABLE, np.array([2]), 4, np.array([start]))


def test_tensors_hold_the_same_padded_windows():
    torch = pytest.importorskip("torch", reason="networks need torch")
    windows = PADDED.torch()
    np.testing.assert_array_equal(windows[0].numpy(), PADDED[0])
    np.testing.assert_array_equal(windows.batch(torch.tensor([2, 0])).numpy(), PADDED[np.array([2, 0])])


def test_a_table_that_stays_elsewhere_sends_its_windows_to_the_device():
    torch = pytest.importorskip("torch", reason="networks need torch")
    windows = PADDED.torch("meta", stored_on="cpu")
    assert windows.table.device.type == "cpu"
    batch = windows.batch(torch.tensor([2, 0]))
    assert (batch.device.type, batch.shape) == ("meta", PADDED[np.array([2, 0])].shape)
    assert windows[0].device.type == "meta"
