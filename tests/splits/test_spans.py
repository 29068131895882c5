from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.spans import LabelSpans, rows_of


def test_rows_of_several_symbols_are_put_in_time_order_and_found_again():
    spans = LabelSpans.of_times(np.array([10, 20, 30, 10, 15]), np.array([15, 25, 35, 30, 20]))
    assert spans.moment.tolist() == [10, 10, 15, 20, 30]
    assert spans.end.tolist() == [15, 30, 20, 25, 35]
    assert spans.reach.tolist() == [15, 30, 30, 30, 35]
    assert spans.beginnings.tolist() == [0, 2, 3, 4]
    assert spans.given(np.array([1, 2])).tolist() == [3, 4]
    assert spans.given(np.array([0, 3])).tolist() == [0, 1]


def test_rows_in_time_order_are_taken_as_they_are():
    time, end = np.array([10, 10, 20]), np.array([20, 15, 20])
    spans = LabelSpans.of_times(time, end)
    assert spans.order is None
    assert spans.moment is time
    assert spans.end is end


def test_bars_of_one_series_end_and_read_a_fixed_number_of_bars_away():
    spans = LabelSpans.of_bars(4, label_bars=2, lookback=3)
    assert not spans.in_time
    assert spans.end.tolist() == [2, 3, 4, 5]
    assert spans.reads_from.tolist() == [-2, -1, 0, 1]
    assert spans.clear_from.tolist() == [-2, -1, 0, 1]


def test_a_pandas_index_gives_times_and_the_last_labels_end_with_the_data():
    index = pd.DatetimeIndex(["2024-01-05 21:00", "2024-01-08 00:00", "2024-01-08 01:00"], tz="Europe/Berlin")
    spans = LabelSpans.of_index(index, label_bars=1, lookback=2)
    hour = 3_600_000_000_000
    assert (spans.moment - spans.moment[0]).tolist() == [0, 51 * hour, 52 * hour]
    assert pd.Timestamp(spans.moment[0], tz="UTC") == pd.Timestamp("2024-01-05 20:00", tz="UTC")
    assert spans.end.tolist() == [spans.moment[1], spans.moment[2], spans.moment[2]]
    assert spans.reads_from.tolist() == [spans.moment[0], spans.moment[0], spans.moment[1]]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_the_unit_of_an_index_does_not_matter(unit):
    index = pd.date_range("2024-01-01", periods=3, freq="D", tz="UTC").as_unit(unit)
    assert np.diff(LabelSpans.of_index(index, 1).moment).tolist() == [86_400_000_000_000] * 2


@pytest.mark.parametrize(
    ("index", "rule"),
    [
        (pd.date_range("2024-01-01", periods=3), "the index has no time zone"),
        (pd.DatetimeIndex(["2024-01-02", "2024-01-01"], tz="UTC"), "the index does not ascend"),
        (pd.DatetimeIndex(["2024-01-01", "2024-01-01"], tz="UTC"), "the index does not ascend"),
    ],
)
def test_an_index_that_cannot_be_one_series_is_refused(index, rule):
    with pytest.raises(DataError, match=rule):
        LabelSpans.of_index(index, 1)


def test_the_latest_end_of_a_stretch_is_found_behind_a_later_one_too():
    spans = LabelSpans.of_times(np.arange(5), np.array([9, 2, 7, 4, 4]))
    assert [spans.latest_end(stretch) for stretch in [(0, 2), (1, 3), (3, 5), (2, 3)]] == [9, 7, 4, 7]


def test_stretches_become_rows():
    assert rows_of(((1, 3), (5, 6))).tolist() == [1, 2, 5]
    assert rows_of(()).tolist() == []


@pytest.mark.parametrize(
    ("time", "end", "rule"),
    [
        ([1, 2], [2], "2 rows have 1 label ends"),
        ([], [], "there are no rows to divide"),
        ([1, 5], [2, 4], "row 1 is at 5, its window begins at 5 and its label ends at 4"),
    ],
)
def test_spans_that_cannot_be_are_refused(time, end, rule):
    with pytest.raises(DataError, match=rule):
        LabelSpans.of_times(np.array(time), np.array(end))


def test_a_window_that_begins_after_its_row_is_refused():
    with pytest.raises(DataError, match="its window begins at 3"):
        LabelSpans.of_times(np.array([2]), np.array([4]), np.array([3]))


@pytest.mark.parametrize("bars", [{"label_bars": -1}, {"label_bars": 1, "lookback": 0}])
def test_less_than_a_bar_is_refused(bars):
    with pytest.raises(UsageError, match="at least 0 bars ahead"):
        LabelSpans.of_bars(3, **bars)
