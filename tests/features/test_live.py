from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.errors import DataError
from ohlcv_factory.features import blocks
from ohlcv_factory.features.averages import exponential_average
from ohlcv_factory.features.catalogue import available, compute, find
from ohlcv_factory.features.feature import Category
from ohlcv_factory.features.kernels import lagged
from ohlcv_factory.features.live import LiveFeatures

CHICAGO = CALENDARS["cme_equity"]
FRAMES = ("15min", "30min", "1h", "4h")
OWN = Category("own")


@OWN.feature("own_running", formula="mean of close since the start", lookback=50)
def running(inputs):
    return np.cumsum(inputs.close) / np.arange(1, len(inputs) + 1)


@OWN.feature("own_carried", formula="EMA 9 / EMA 9 of 5 bars ago - 1", lookback=60, carried=True)
def from_carried(inputs):
    average = exponential_average(inputs, 9)
    return average / lagged(average, 5) - 1.0


def market(seed, count, bar_seconds=300):
    """Bars of Chicago's hours with weekends, absent bars, a flat hour, an hour without volume, and a jump."""
    bars = random_walk(2 * count, seed, bar_seconds=bar_seconds)
    seconds, draw = bars.time_ns // 10**9, np.random.default_rng(seed)
    is_open = (seconds // 3600 % 24 != 22) & ((seconds // 86_400 + 3) % 7 < 5)
    bars = bars.take(np.flatnonzero(is_open & (draw.random(len(bars)) > 0.1))[:count])
    columns = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    flat, silent = (slice(start, start + 70) for start in draw.integers(count // 2, count - 100, 2))
    for name in ("open", "high", "low", "close"):
        columns[name][flat] = columns["close"][flat.start]
    columns["volume"][silent] = 0.0
    return replace(bars, **columns)


def streamed(bars, start, features, calendar=CHICAGO):
    """The rows from `start` on, one bar after the other, and the features that gave them."""
    live = LiveFeatures(bars.head(start), calendar, features)
    rows = []
    for row in range(start, len(bars)):
        live.append(bars.slice(row, row + 1))
        rows.append(live.newest())
    return np.array(rows), live


@pytest.fixture
def short_blocks(monkeypatch):
    """Blocks that end every 1024 bars, so that a short series crosses their borders."""
    monkeypatch.setattr(blocks, "BLOCK_BARS", 1024)
    monkeypatch.setattr(blocks, "BLOCK_OVERLAPS", 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_column_of_the_catalogue_has_the_bytes_of_the_batch(short_blocks, seed):
    bars = market(seed, 4600)
    names = available(bars, CHICAGO, FRAMES).names
    start = int(np.random.default_rng(seed).integers(4000, 4090))  # the block of most columns begins at 4096
    rows, _ = streamed(bars.head(4400), start, [find(name) for name in names])
    batch = compute(bars, CHICAGO, names)[start:4400]
    assert [
        name for name, own, other in zip(names, rows.T, batch.T, strict=True) if own.tobytes() != other.tobytes()
    ] == []


def test_minutes_without_volume_have_the_bytes_of_the_batch(short_blocks):
    bars = market(5, 3000, bar_seconds=60)
    bars = replace(bars, volume=np.zeros(len(bars)))
    names = available(bars, CHICAGO, ("15min",)).names
    rows, _ = streamed(bars, 2900, [find(name) for name in names])
    assert "obv" not in names
    assert rows.tobytes() == compute(bars, CHICAGO, names)[2900:].tobytes()


def test_a_row_asked_for_before_the_longest_look_back_has_the_bytes_of_the_batch():
    bars = market(7, 400)
    rows, _ = streamed(bars, 40, [find(name) for name in ("ema_50", "adx_14", "rsi_14_15m", "sma_200")])
    expected = compute(bars, CHICAGO, ["ema_50", "adx_14", "rsi_14_15m", "sma_200"])[40:]
    assert rows.tobytes() == expected.tobytes()


def test_a_bar_that_was_not_asked_about_changes_nothing():
    bars, names = market(8, 1500), ["macd_hist", "supertrend", "rsi_14_30m", "vwap"]
    live = LiveFeatures(bars.head(1400), CHICAGO, [find(name) for name in names])
    batch = compute(bars, CHICAGO, names)
    for row in range(1400, 1500):
        live.append(bars.slice(row, row + 1))
        if row % 3:
            assert live.newest().tobytes() == batch[row].tobytes()


def test_a_users_column_with_a_memory_of_its_own_is_computed_from_its_block_and_named():
    bars = market(9, 1500)
    own = {feature.name: feature for feature in OWN.features}
    rows, live = streamed(bars, 1450, [own["own_running"], own["own_carried"], find("rsi_14")])
    assert live.recomputed == ("own_running",)
    expected = np.cumsum(bars.close) / np.arange(1, 1501)
    average = exponential_average(blocks.FeatureInputs(bars, CHICAGO), 9)
    assert rows[:, 0].tobytes() == expected[1450:].astype(np.float32).tobytes()
    assert rows[:, 1].tobytes() == (average / lagged(average, 5) - 1.0)[1450:].astype(np.float32).tobytes()


def test_a_value_that_is_not_finite_after_its_look_back_is_refused_with_column_and_bar():
    bars = market(10, 800)
    broken = replace(bars, high=np.where(np.arange(800) == 750, np.inf, bars.high))
    live = LiveFeatures(broken.head(750), CHICAGO, [find("hl_ratio"), find("rsi_14")])
    live.append(broken.slice(750, 751))
    with pytest.raises(DataError, match=r"hl_ratio is inf at .*, bar 750"):
        live.newest()
    live.append(broken.slice(751, 752))
    assert live.newest().tobytes() == compute(bars, CHICAGO, ["hl_ratio", "rsi_14"])[751].tobytes()


def test_what_is_remembered_does_not_grow_with_the_bars(short_blocks):
    bars = market(11, 5000)
    live = LiveFeatures(bars.head(1100), CHICAGO, [find(name) for name in ("ema_9", "rsi_14_15m", "atr_7")])
    largest = 0
    for row in range(1100, 5000):
        live.append(bars.slice(row, row + 1))
        live.newest()
        largest = max(largest, live.bars.stop - live.bars.first)
    assert largest <= 2 * 1024 + 1024 // 2  # the bars of a block, and its overlap before it
