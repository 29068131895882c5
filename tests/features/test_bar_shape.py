from __future__ import annotations

import numpy as np


def test_range_and_body_are_shares_of_the_price(hand, column):
    bars = hand([100.0], open=[80.0], high=[110.0], low=[70.0])
    assert column("range_pct", bars)[0] == 0.4
    assert column("co_ratio", bars)[0] == 0.25


def test_clv_is_one_at_the_high_and_zero_without_a_range(hand, column):
    bars = hand([110.0, 70.0, 100.0, 50.0], high=[110.0, 110.0, 110.0, 50.0], low=[70.0, 70.0, 70.0, 50.0])
    np.testing.assert_array_equal(column("clv", bars), [1.0, -1.0, 0.5, 0.0])


def test_alternating_returns_have_autocorrelation_minus_one(hand, column):
    bars = hand([100.0 if place % 2 else 101.0 for place in range(80)])
    np.testing.assert_allclose(column("return_autocorr_lag1", bars)[-1], -1.0, rtol=1e-12)


def test_a_flat_price_has_no_autocorrelation(hand, column):
    assert column("return_autocorr_lag5", hand([100.0] * 80))[-1] == 0.0
