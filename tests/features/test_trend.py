from __future__ import annotations

import numpy as np
import pytest
import talib
from scipy import stats

from ohlcv_factory.features.kernels import directional

NAN = np.nan


def test_directional_indicators_are_those_of_talib(plain, column):
    bars, _ = plain
    prices = bars.high, bars.low, bars.close, 14
    np.testing.assert_allclose(column("adx_14", bars), talib.ADX(*prices), rtol=1e-12)
    np.testing.assert_allclose(column("plus_di_14", bars), talib.PLUS_DI(*prices), rtol=1e-12)
    np.testing.assert_allclose(column("minus_di_14", bars), talib.MINUS_DI(*prices), rtol=1e-12)


def test_directional_indicators_of_five_bars_by_hand():
    close = np.array([10.0, 11.0, 11.0, 10.0, 10.0])
    plus, minus, average = directional(close + 1.0, close - 1.0, close, 2)
    # rises 1, 0, 0, 0, falls 0, 0, 1, 0 and true ranges 2 each; a sum keeps half of itself a bar
    np.testing.assert_allclose(plus, [NAN, NAN, 100 * 0.5 / 3.0, 100 * 0.25 / 3.5, 100 * 0.125 / 3.75])
    np.testing.assert_allclose(minus, [NAN, NAN, 0.0, 100 * 1.0 / 3.5, 100 * 0.5 / 3.75])
    np.testing.assert_allclose(average, [NAN, NAN, NAN, (100.0 + 60.0) / 2, (80.0 + 60.0) / 2])


def test_directional_indicators_stand_still_with_the_price():
    flat = np.full(40, 5.0)
    plus, minus, average = directional(flat, flat, flat, 14)
    np.testing.assert_array_equal(plus[14:], 0.0)
    np.testing.assert_array_equal(minus[14:], 0.0)
    np.testing.assert_array_equal(average[27:], 0.0)


@pytest.mark.parametrize("bars_back", [20, 60])
def test_slope_and_r2_agree_with_scipy(plain, column, bars_back):
    bars, _ = plain
    line = stats.linregress(np.arange(bars_back), np.log(bars.close[-bars_back:]))
    assert column(f"close_slope_{bars_back}", bars)[-1] == pytest.approx(line.slope, rel=1e-6)
    assert column(f"close_r2_{bars_back}", bars)[-1] == pytest.approx(line.rvalue**2, rel=1e-6)


def test_steady_growth_is_a_straight_line(hand, column):
    bars = hand([100.0 * 1.001**place for place in range(30)])
    assert column("close_slope_20", bars)[-1] == pytest.approx(np.log(1.001), rel=1e-9)
    assert column("close_r2_20", bars)[-1] == pytest.approx(1.0, rel=1e-9)


def test_a_price_that_stopped_moving_explains_nothing(plain, hand, column):
    assert column("close_r2_20", hand([*plain[0].close[:500], *[100.1] * 60]))[-1] == 0.0
