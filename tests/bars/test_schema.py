from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import START_NS, random_walk
from ohlcv_factory.errors import DataError


def test_a_bar_is_known_one_bar_length_after_its_open() -> None:
    bars = random_walk(2, 1, bar_seconds=60)
    assert bars.close_time_ns.tolist() == [START_NS + 60_000_000_000, START_NS + 120_000_000_000]


def test_parts_are_views_of_the_same_bars() -> None:
    bars = random_walk(10, 1)
    assert len(bars.head(3)) == 3
    assert bars.slice(2, 5).time_ns.tolist() == bars.time_ns[2:5].tolist()
    assert np.shares_memory(bars.slice(2, 5).close, bars.close)


def test_columns_of_different_length_are_refused() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(DataError, match=r"columns of different length: \[1, 2\]"):
        Bars("X", np.zeros(2, dtype=np.int64), two, two, two, two, one, 60)


def test_a_bar_lasts_at_least_a_second() -> None:
    with pytest.raises(DataError, match="bar_seconds must be at least 1, got 0"):
        random_walk(3, 1, bar_seconds=0)


def test_volume_is_there_when_any_bar_has_some() -> None:
    bars = random_walk(3, 1)
    silent = Bars("X", bars.time_ns, bars.open, bars.high, bars.low, bars.close, np.zeros(3), 300)
    assert bars.has_volume
    assert not silent.has_volume


def test_the_frame_holds_utc_times_and_the_five_columns() -> None:
    frame = random_walk(2, 1).frame()
    assert frame.columns == ["timestamp", "open", "high", "low", "close", "volume"]
    assert str(frame["timestamp"][1]) == "2024-01-01 00:05:00+00:00"


def test_a_roll_is_the_first_bar_of_a_contract_and_follows_its_bars() -> None:
    bars = replace(
        random_walk(5, 1), contract=np.array([0, 0, 1, 1, 2], dtype=np.int32), contract_names=("H", "M", "U")
    )
    assert bars.roll_rows.tolist() == [2, 4]
    assert bars.slice(3, 5).roll_rows.tolist() == [1]
    assert bars.frame()["contract"].to_list() == ["H", "H", "M", "M", "U"]
    assert random_walk(5, 1).roll_rows.tolist() == []
