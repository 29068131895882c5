from __future__ import annotations

import numpy as np

NAN = np.nan


def test_simple_and_log_returns_over_one_bar(hand, column):
    bars = hand([100.0, 110.0, 99.0])
    np.testing.assert_allclose(column("return_1", bars), [NAN, 0.1, -0.1], rtol=1e-12)
    np.testing.assert_allclose(column("log_return_1", bars), [NAN, 0.0953101798, -0.1053605157], rtol=1e-9)


def test_a_return_over_five_bars_skips_the_bars_between(hand, column):
    np.testing.assert_allclose(column("return_5", hand([100.0, 1.0, 2.0, 3.0, 4.0, 150.0]))[-1], 0.5, rtol=1e-12)


def test_the_four_prices_are_measured_against_the_previous_close(hand, column):
    bars = hand([100.0, 100.0], open=[100.0, 101.0], high=[100.0, 110.0], low=[100.0, 90.0])
    np.testing.assert_allclose(column("log_open_change", bars)[1], 0.00995033085, rtol=1e-8)
    np.testing.assert_allclose(column("log_high_change", bars)[1], 0.0953101798, rtol=1e-8)
    np.testing.assert_allclose(column("log_low_change", bars)[1], -0.1053605157, rtol=1e-8)
