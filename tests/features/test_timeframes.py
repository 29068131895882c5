from __future__ import annotations

import numpy as np
import talib

from ohlcv_factory.bars.resample import resample
from ohlcv_factory.features.timeframes import frame_of

NAN = np.nan


def test_a_base_bar_knows_the_higher_bar_that_is_complete_at_its_close(hand, column):
    """Three 5-minute bars make a 15-minute bar: the third of them is the first to know it."""
    bars = hand([10.0, 20.0, 40.0, 80.0, 20.0, 50.0])
    np.testing.assert_allclose(column("close_to_now_15m", bars), [NAN, NAN, 0.0, 1.0, -0.5, 0.0], rtol=1e-12)


def test_the_range_is_that_of_the_last_complete_bar(hand, column):
    bars = hand([10.0, 20.0, 40.0, 80.0, 20.0, 50.0])
    np.testing.assert_allclose(column("range_pct_15m", bars), [NAN, NAN, 0.75, 0.75, 0.75, 1.2], rtol=1e-12)


def test_the_values_are_those_of_resampled_bars(plain, column):
    bars, _ = plain
    hours = resample(bars, 3600)
    known_at = np.searchsorted(bars.close_time_ns, hours.close_time_ns)
    strength = talib.RSI(hours.close, 14)
    np.testing.assert_allclose(column("rsi_14_1h", bars)[known_at][14:], strength[14:], rtol=1e-12)
    np.testing.assert_array_equal(column("volume_ratio_1h", bars)[known_at], column("volume_ratio", hours))
    np.testing.assert_array_equal(column("bb_position_1h", bars)[known_at], column("bb_position", hours))
    np.testing.assert_array_equal(column("atr_pct_14_1h", bars)[known_at], column("atr_pct_14", hours))
    np.testing.assert_array_equal(column("macd_hist_1h", bars)[known_at], column("macd_hist", hours))


def test_the_suffix_names_the_timeframe():
    assert [frame_of(name) for name in ("rsi_14_15m", "rsi_14_1h", "rsi_14")] == ["15m", "1h", None]
