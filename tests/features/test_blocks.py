from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.features import blocks
from ohlcv_factory.features.catalogue import available, catalogue, compute, find
from ohlcv_factory.features.feature import FeatureInputs

CHICAGO = CALENDARS["cme_equity"]
COUNT = 40_000
BORDER = 2 * blocks.BLOCK_BARS
CUTS = (1, 1000, blocks.BLOCK_BARS - 1, blocks.BLOCK_BARS, BORDER - 1, BORDER, BORDER + 1, BORDER + 3000, COUNT - 1)


@pytest.fixture(scope="module")
def minutes():
    """40,000 one-minute bars of Chicago's hours with weekends and absent minutes: three blocks."""
    bars = random_walk(110_000, 3, bar_seconds=60)
    seconds = bars.time_ns // 10**9
    is_open = (seconds // 3600 % 24 != 22) & ((seconds // 86_400 + 3) % 7 < 5)
    return bars.take(np.flatnonzero(is_open & (np.random.default_rng(5).random(len(bars)) > 0.1))[:COUNT])


@pytest.fixture(scope="module")
def names(minutes):
    return available(minutes, CHICAGO, ("15min", "30min", "1h", "4h")).names


@pytest.fixture(scope="module")
def whole(minutes, names):
    return compute(minutes, CHICAGO, names)


@pytest.mark.parametrize("first_row", CUTS)
def test_the_rows_from_any_row_on_have_the_bits_of_the_whole(minutes, names, whole, first_row):
    late = compute(minutes, CHICAGO, names, first_row=first_row)
    assert late.shape == (COUNT - first_row, len(names))
    assert differing(names, late, whole[first_row:]) == []


@pytest.mark.parametrize("count", CUTS[3:])
def test_each_prefix_gives_the_same_bits_across_the_borders_of_blocks(minutes, names, whole, count):
    assert differing(names, compute(minutes.head(count), CHICAGO, names), whole[:count]) == []


def test_no_column_depends_on_its_company(minutes, names, whole):
    for name in names[::7]:
        assert compute(minutes, CHICAGO, [name])[:, 0].tobytes() == whole[:, names.index(name)].tobytes()


@pytest.mark.parametrize("block_bars", [1024, 2**20])
def test_the_length_of_a_block_changes_no_value_beyond_rounding(monkeypatch, minutes, names, whole, block_bars):
    monkeypatch.setattr(blocks, "BLOCK_BARS", block_bars)
    monkeypatch.setattr(blocks, "BLOCK_OVERLAPS", 1)
    other = compute(minutes, CHICAGO, names)
    for name, left, right in zip(names, other.T, whole.T, strict=True):
        warm = find(name).lookback_bars(60)
        spread = float(np.std(right[warm:].astype(np.float64)))
        rounding = 2.0**-23 * np.abs(right[warm:]).max()
        np.testing.assert_allclose(left[warm:], right[warm:], rtol=0, atol=1e-6 * spread + rounding, err_msg=name)


def test_a_late_row_costs_its_window_or_at_most_its_block(monkeypatch, minutes, names):
    """From the last row on: windows reach 1024 bars back, recursive averages to before the block of 16,384 bars."""
    lengths = []

    class Recorded(FeatureInputs):
        def __init__(self, bars, calendar):
            lengths.append(len(bars))
            super().__init__(bars, calendar)

    monkeypatch.setattr(blocks, "FeatureInputs", Recorded)
    compute(minutes, CHICAGO, ["sma_200", "return_kurt_60", "wavelet_close_trend_strength"], first_row=COUNT - 1)
    assert lengths == [1025]
    lengths.clear()
    compute(minutes, CHICAGO, ["rsi_14"], first_row=COUNT - 1)
    assert lengths == [COUNT - BORDER + 1024]


def test_the_overlap_is_a_power_of_two_of_at_least_twice_the_look_back():
    assert find("return_1").overlap_bars(60) == 1024
    assert find("vwap").overlap_bars(60) == 4096
    assert {find(f"{stem}_1h").overlap_bars(60) for stem in ("close", "rsi_14", "bb_position")} == {32_768}
    for feature in catalogue():
        overlap = feature.overlap_bars(60)
        assert overlap & (overlap - 1) == 0
        assert overlap >= 2 * feature.lookback_bars(60)


def test_rows_beyond_the_bars_are_none(minutes):
    assert compute(minutes, CHICAGO, ["rsi_14"], first_row=COUNT).shape == (0, 1)
    assert compute(minutes.head(0), CHICAGO, ["rsi_14", "vwap", "rsi_14_1h"]).shape == (0, 3)


def differing(names, left, right):
    """Columns that are not the same bit for bit."""
    return [name for name, one, other in zip(names, left.T, right.T, strict=True) if one.tobytes() != other.tobytes()]
