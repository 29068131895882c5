from __future__ import annotations

import numpy as np


def test_the_close_is_measured_against_the_mean_of_its_window(hand, column):
    bars = hand([90.0, *[100.0] * 8, 110.0])
    np.testing.assert_allclose(column("close_to_sma_10", bars)[-1], 0.1, rtol=1e-12)
    assert np.isnan(column("close_to_sma_10", bars)[:9]).all()


def test_an_ema_starts_at_the_mean_and_moves_by_two_over_period_plus_one(hand, column):
    bars = hand([100.0] * 9 + [110.0])
    np.testing.assert_allclose(column("close_to_ema_9", bars)[-1], 110.0 / 102.0 - 1.0, rtol=1e-12)


def test_levels_are_in_price_units(hand, column):
    assert column("sma_50", hand([100.0] * 50))[-1] == 100.0
    assert column("ema_21", hand([100.0] * 50))[-1] == 100.0
