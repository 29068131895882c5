from __future__ import annotations

import math

import numpy as np
import pytest


def test_amihud_is_the_move_per_million(hand, column):
    bars = hand(
        [100.0 * 1.01**place for place in range(25)], volume=[1e6 / (100.0 * 1.01**place) for place in range(25)]
    )
    assert column("micro_amihud_20", bars)[-1] == pytest.approx(math.log(1.01), rel=1e-9)


def test_roll_spread_of_a_bounce_is_its_size(hand, column):
    bars = hand([100.0 if place % 2 else 101.0 for place in range(40)])
    assert column("micro_roll_spread_pct", bars)[-1] == pytest.approx(2.0 * math.log(1.01), rel=1e-9)


def test_roll_spread_of_a_trend_is_zero(hand, column):
    assert column("micro_roll_spread_pct", hand([100.0 * 1.01 ** (place**1.1) for place in range(40)]))[-1] == 0.0


def test_corwin_schultz_spread_of_a_still_market_is_its_range(hand, column):
    """Two bars over the same range: beta = 2 x^2, gamma = x^2, alpha = x, spread = 2 tanh(x / 2)."""
    bars = hand([100.0, 100.0], high=[101.0, 101.0], low=[100.0, 100.0])
    assert column("micro_cs_spread", bars)[-1] == pytest.approx(2.0 * math.tanh(0.5 * math.log(1.01)), rel=1e-9)


def test_corwin_schultz_spread_of_a_jump_is_zero(hand, column):
    assert column("micro_cs_spread", hand([100.0, 120.0], high=[101.0, 121.0], low=[100.0, 120.0]))[-1] == 0.0


def test_imbalance_is_the_side_of_the_volume(hand, column):
    bars = hand([101.0] * 19 + [100.0], high=[101.0] * 20, low=[100.0] * 20, volume=[1.0] * 19 + [21.0])
    assert column("micro_volume_imbalance", bars)[-1] == -10.5
    assert column("micro_cum_imbalance_20", bars)[-1] == pytest.approx((19 - 21) / 40)


def test_trade_intensity_is_volume_over_its_mean(hand, column):
    assert column("micro_trade_intensity_50", hand([1.0] * 50, volume=[1.0] * 49 + [51.0]))[-1] == 25.5


def test_efficiency_is_one_on_a_line_and_zero_in_a_circle(hand, column):
    assert column("micro_efficiency_10", hand([100.0 * 1.01**place for place in range(20)]))[-1] == pytest.approx(1.0)
    assert column("micro_efficiency_10", hand([100.0, 101.0] * 10))[-1] == pytest.approx(0.0, abs=1e-12)


def test_a_still_market_has_the_declared_values(hand, column):
    bars = hand([100.1] * 80, volume=[0.0] * 80)
    names = (
        "micro_efficiency_20",
        "micro_vol_ratio",
        "micro_roll_spread_pct",
        "micro_cs_spread",
        "micro_rel_spread_20",
    )
    assert [column(name, bars)[-1] for name in names] == [0.0, 1.0, 0.0, 0.0, 0.0]
    names = ("micro_amihud_20", "micro_volume_imbalance", "micro_cum_imbalance_20", "micro_trade_intensity_50")
    assert [column(name, bars)[-1] for name in names] == [0.0, 0.0, 0.0, 1.0]


def test_volatility_ratio_is_one_for_steady_noise(hand, column):
    bars = hand([100.0 if place % 2 else 101.0 for place in range(80)])
    np.testing.assert_allclose(column("micro_vol_ratio", bars)[-1], 1.0, rtol=1e-12)
