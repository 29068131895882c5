from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.resample import higher_bars, resample
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import START_NS, random_walk
from ohlcv_factory.errors import DataError, UsageError

MINUTE_NS = 60_000_000_000


def minute_bars(*minutes: int) -> Bars:
    """One-minute bars; bar at minute m has open m, high m + 0.75, low m - 0.25, close m + 0.5, volume m."""
    m = np.array(minutes, dtype=np.float64)
    return Bars("X", START_NS + np.array(minutes) * MINUTE_NS, m, m + 0.75, m - 0.25, m + 0.5, m, 60)


def minutes_of(bars: Bars) -> list[int]:
    return ((bars.time_ns - START_NS) // MINUTE_NS).tolist()


def test_a_bucket_takes_first_highest_lowest_last_and_sum() -> None:
    higher = resample(minute_bars(1, 2, 4, 5, 6, 7, 8, 9), 300)
    assert minutes_of(higher) == [0, 5]
    assert higher.open.tolist() == [1.0, 5.0]
    assert higher.high.tolist() == [4.75, 9.75]
    assert higher.low.tolist() == [0.75, 4.75]
    assert higher.close.tolist() == [4.5, 9.5]
    assert higher.volume.tolist() == [7.0, 35.0]
    assert higher.bar_seconds == 300


def test_empty_buckets_are_absent() -> None:
    assert minutes_of(resample(minute_bars(4, 19), 300)) == [0, 15]


def test_the_last_bucket_is_kept_only_when_its_end_is_reached() -> None:
    assert minutes_of(resample(minute_bars(0, 1, 5, 8), 300)) == [0]
    assert minutes_of(resample(minute_bars(0, 1, 5, 9), 300)) == [0, 5]


def test_daily_bars_begin_at_midnight_utc() -> None:
    hours = [60 * hour for hour in range(22, 50)]
    assert minutes_of(resample(minute_bars(*hours, 2 * 1440 + 1439), 86_400)) == [0, 1440, 2880]


def test_the_same_size_changes_nothing() -> None:
    bars = random_walk(100, seed=2)
    assert resample(bars, 300).high.tolist() == bars.high.tolist()


@pytest.mark.parametrize("size", [0, -300, 90, 1])
def test_only_multiples_are_offered(size: int) -> None:
    with pytest.raises(UsageError, match="is no multiple of the source bars' 60 s"):
        resample(minute_bars(0, 1), size)


def test_no_bars_give_no_bars() -> None:
    nothing = minute_bars(0).head(0)
    assert len(resample(nothing, 300)) == 0
    higher, last_complete = higher_bars(nothing, 300)
    assert (len(higher), last_complete.tolist()) == (0, [])


def test_a_higher_bar_is_complete_from_the_close_of_its_last_minute_on() -> None:
    higher, last_complete = higher_bars(minute_bars(3, 4, 5, 8, 11, 14, 15), 300)
    assert minutes_of(higher) == [0, 5, 10, 15]
    assert last_complete.tolist() == [-1, 0, 0, 0, 1, 2, 2]
    assert last_complete.dtype == np.int64


@pytest.mark.parametrize("size", [900, 3600])
def test_later_bars_change_no_complete_higher_bar(size: int) -> None:
    whole = random_walk(200, seed=3)
    present = np.random.default_rng(0).random(200) < 0.7
    bars = Bars(
        "SYNTH", *(getattr(whole, name)[present] for name in ("time_ns", "open", "high", "low", "close", "volume")), 300
    )
    higher, last_complete = higher_bars(bars, size)
    for count in range(1, len(bars) + 1):
        part, part_complete = higher_bars(bars.head(count), size)
        assert part_complete.tolist() == last_complete[:count].tolist()
        complete = part_complete[-1] + 1
        for name in ("time_ns", "open", "high", "low", "close", "volume"):
            assert getattr(part, name)[:complete].tobytes() == getattr(higher, name)[:complete].tobytes()


def test_overlapping_bars_that_would_leak_are_refused() -> None:
    bars = minute_bars(0, 4, 5)
    bars.time_ns[2] -= MINUTE_NS // 2
    with pytest.raises(DataError, match="the bar at 2024-01-01T00:04:00Z overlaps the next one"):
        higher_bars(bars, 300)
