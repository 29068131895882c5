from __future__ import annotations

import numpy as np
import pytest


def test_volume_is_measured_against_its_last_twenty_bars(hand, column):
    bars = hand([100.0] * 20, volume=[1.0] * 19 + [21.0])
    assert column("volume_ratio", bars)[-1] == 10.5
    assert column("volume_zscore", bars)[-1] == pytest.approx((21 - 2) / np.sqrt((19 * 1 + 19**2) / 20))


def test_without_any_trade_each_column_has_its_declared_value(hand, column):
    bars = hand([100.0, 101.0] * 15, volume=[0.0] * 30)
    names = ("volume_ratio", "volume_zscore", "obv_change_20", "price_to_vwap", "log_volume_change")
    assert [column(name, bars)[-1] for name in names] == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_change_of_volume_is_zero_next_to_a_bar_without_trade(hand, column):
    bars = hand([100.0] * 4, volume=[5.0, 10.0, 0.0, 7.0])
    np.testing.assert_allclose(column("log_volume_change", bars), [np.nan, 0.693147181, 0.0, 0.0], rtol=1e-8)


def test_obv_change_is_one_when_every_close_rose(hand, column):
    assert column("obv_change_20", hand([100.0 + place for place in range(30)]))[-1] == 1.0


def test_vwap_weighs_typical_prices_by_volume(hand, column):
    bars = hand([100.0, 110.0], volume=[1.0, 3.0])
    np.testing.assert_allclose(column("vwap", bars), [100.0, 107.5], rtol=1e-12)
    np.testing.assert_allclose(column("price_to_vwap", bars)[1], 110.0 / 107.5 - 1.0, rtol=1e-12)


def test_vwap_starts_again_with_the_session(hand, column):
    bars = hand([100.0, 110.0, 120.0], volume=[5.0, 5.0, 5.0], bar_seconds=43_200)
    np.testing.assert_allclose(column("vwap", bars), [100.0, 105.0, 120.0], rtol=1e-12)
