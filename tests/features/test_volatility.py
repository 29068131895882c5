from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import talib
from scipy import stats

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.features.feature import FeatureInputs
from ohlcv_factory.features.volatility import annual_factor

FLAT = {
    "atr_pct_14": 0.0,
    "bb_width": 0.0,
    "bb_position": 0.5,
    "kc_position": 0.5,
    "hvol_20": 0.0,
    "parkinson_vol": 0.0,
    "garman_klass_vol": 0.0,
    "rogers_satchell_vol": 0.0,
    "yang_zhang_vol": 0.0,
    "return_skew_20": 0.0,
    "return_kurt_20": 0.0,
}


def test_bands_and_ranges_agree_with_talib(plain, column, agrees):
    bars, _ = plain
    high, low, close = bars.high, bars.low, bars.close
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    agrees(column("atr_14", bars), talib.ATR(high, low, close, 14))
    agrees(column("atr_pct_7", bars), talib.ATR(high, low, close, 7) / close)
    agrees(column("bb_width", bars), (upper - lower) / middle)
    agrees(column("bb_position", bars), (close - lower) / (upper - lower))
    agrees(column("kc_position", bars), 0.5 + (close - talib.EMA(close, 20)) / (4.0 * talib.ATR(high, low, close, 14)))


@pytest.mark.parametrize("bars_back", [20, 60])
def test_skew_and_kurtosis_agree_with_scipy(plain, column, agrees, bars_back):
    bars, _ = plain
    returns = np.lib.stride_tricks.sliding_window_view(np.diff(np.log(bars.close)), bars_back)
    lead = np.full(bars_back, np.nan)
    agrees(column(f"return_skew_{bars_back}", bars), np.concatenate((lead, stats.skew(returns, axis=1))))
    agrees(column(f"return_kurt_{bars_back}", bars), np.concatenate((lead, stats.kurtosis(returns, axis=1))))


def test_range_estimators_of_one_repeated_bar(hand, column):
    """open 100, high 110, low 95, close 105: log(high / low) = 0.146603, log(close / open) = 0.048790."""
    bars = hand([105.0] * 25, open=[100.0] * 25, high=[110.0] * 25, low=[95.0] * 25)
    assert column("parkinson_vol", bars)[-1] == pytest.approx(0.146603 / math.sqrt(4 * math.log(2)), rel=1e-5)
    assert column("garman_klass_vol", bars)[-1] == pytest.approx(math.sqrt(0.00982713), rel=1e-4)
    assert column("rogers_satchell_vol", bars)[-1] == pytest.approx(math.sqrt(0.00956727), rel=1e-4)


def test_yang_zhang_of_equal_bars_is_its_rogers_satchell_part(hand, column):
    bars = hand([105.0] * 25, open=[100.0] * 25, high=[110.0] * 25, low=[95.0] * 25)
    weight = 0.34 / (1.34 + 21 / 19)
    assert column("yang_zhang_vol", bars)[-1] == pytest.approx(math.sqrt((1 - weight) * 0.00956727), rel=1e-4)


def test_realised_volatility_of_alternating_returns_is_their_size_annualised(hand, column):
    bars = hand([100.0 if place % 2 else 101.0 for place in range(30)])
    per_bar = math.log(1.01)
    assert column("hvol_10", bars)[-1] == pytest.approx(per_bar * math.sqrt(365 * 288), rel=1e-9)


def test_a_year_has_the_bars_of_its_calendar(hand):
    bars = hand([1.0, 1.0])
    factor = {
        name: annual_factor(FeatureInputs(bars, CALENDARS[name])) ** 2 for name in ("always_open", "nyse", "fx_week")
    }
    assert factor == pytest.approx({"always_open": 365 * 288, "nyse": 252 * 78, "fx_week": 260 * 288})


def test_daily_bars_are_one_a_session(hand):
    daily = hand([1.0, 1.0], bar_seconds=86_400)
    assert annual_factor(FeatureInputs(daily, CALENDARS["nyse"])) ** 2 == pytest.approx(252)


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_price_has_the_declared_value(hand, column, name):
    assert column(name, hand([100.1] * 60))[-1] == FLAT[name]


@pytest.mark.parametrize("name", [name for name in FLAT if not name.startswith(("atr", "kc"))])
def test_a_price_that_stopped_moving_has_the_declared_value(plain, hand, column, name):
    assert column(name, hand([*plain[0].close[:500], *[100.1] * 60]))[-1] == FLAT[name]


def test_steady_growth_has_no_skew(hand, column):
    bars = hand([100.0 * 1.001**place for place in range(60)])
    assert column("return_skew_20", bars)[-1] == 0.0
    assert column("return_kurt_20", bars)[-1] == 0.0


def test_scale_free_columns_do_not_change_with_the_quote(plain, column):
    bars, _ = plain
    cents = replace(bars, open=bars.open * 128, high=bars.high * 128, low=bars.low * 128, close=bars.close * 128)
    np.testing.assert_array_equal(column("atr_pct_14", cents), column("atr_pct_14", bars))
    np.testing.assert_array_equal(column("bb_position", cents), column("bb_position", bars))
