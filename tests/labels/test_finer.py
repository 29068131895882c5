from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.resample import resample
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.labels.finer import FinerBars


def test_every_bar_holds_the_source_bars_from_its_open_to_the_next():
    source = random_walk(60, 1, bar_seconds=60).take(np.delete(np.arange(60), [7, 20, 21, 22, 23, 24]))
    bars = resample(source, 300)
    finer = FinerBars.under(bars, source)
    assert finer.starts.tolist() == [0, 5, 9, 14, 19, *range(24, 55, 5)]  # minute 7 is absent, and bar 4 altogether
    for row in range(len(bars)):
        inside = slice(finer.starts[row], finer.starts[row + 1])
        assert finer.high[inside].max() == bars.high[row]
        assert finer.open[inside][0] == bars.open[row]


def test_source_bars_of_an_unfinished_bar_belong_to_none():
    source = random_walk(13, 1, bar_seconds=60)
    assert FinerBars.under(resample(source, 300), source).starts.tolist() == [0, 5, 10]


def test_without_a_source_every_bar_holds_none():
    bars = random_walk(3, 1)
    assert FinerBars.under(bars, None).starts.tolist() == [0, 0, 0, 0]
