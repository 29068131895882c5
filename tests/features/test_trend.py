from __future__ import annotations

import numpy as np
import pytest
import talib
from scipy import stats


def test_directional_indicators_are_those_of_talib(plain, column):
    bars, _ = plain
    np.testing.assert_array_equal(column("adx_14", bars), talib.ADX(bars.high, bars.low, bars.close, 14))
    np.testing.assert_array_equal(column("plus_di_14", bars), talib.PLUS_DI(bars.high, bars.low, bars.close, 14))
    np.testing.assert_array_equal(column("minus_di_14", bars), talib.MINUS_DI(bars.high, bars.low, bars.close, 14))


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
