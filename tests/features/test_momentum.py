from __future__ import annotations

import numpy as np
import pytest
import talib

FLAT = {"rsi_14": 50.0, "stoch_k": 50.0, "stoch_d": 50.0, "williams_r": -50.0, "cci_20": 0.0, "mfi_14": 50.0}


def test_oscillators_agree_with_talib(plain, column, agrees):
    bars, _ = plain
    high, low, close = bars.high, bars.low, bars.close
    slow_k, slow_d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    line, signal, hist = talib.MACD(close, 12, 26, 9)
    agrees(column("rsi_14", bars), talib.RSI(close, 14))
    agrees(column("stoch_k", bars), slow_k)
    agrees(column("stoch_d", bars), slow_d)
    agrees(column("williams_r", bars), talib.WILLR(high, low, close, 14))
    agrees(column("cci_20", bars), talib.CCI(high, low, close, 20))
    agrees(column("mfi_14", bars), talib.MFI(high, low, close, bars.volume, 14))
    agrees(column("macd_line", bars) * close, line)
    agrees(column("macd_signal", bars) * close, signal)
    agrees(column("macd_hist", bars) * close, hist)


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_price_without_volume_has_the_neutral_value(hand, column, name):
    assert column(name, hand([100.1] * 60, volume=[0.0] * 60))[-1] == FLAT[name]


@pytest.mark.parametrize("name", FLAT)
def test_a_price_that_stopped_moving_has_the_neutral_value(plain, hand, column, name):
    closes = [*plain[0].close[:500], *[100.1] * 60]
    assert column(name, hand(closes, volume=[1.0] * 500 + [0.0] * 60))[-1] == FLAT[name]


def test_rsi_is_zero_only_where_the_price_only_fell(hand, column):
    falling = [100.0 - place for place in range(30)]
    assert column("rsi_14", hand(falling))[-1] == 0.0
    assert column("rsi_14", hand(falling[::-1]))[-1] == 100.0


def test_mfi_holds_for_tiny_volumes(plain, column):
    from dataclasses import replace

    bars, _ = plain
    tiny = replace(bars, volume=bars.volume * 2.0**-40)
    np.testing.assert_array_equal(column("mfi_14", tiny), column("mfi_14", bars))
