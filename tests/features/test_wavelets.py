from __future__ import annotations

import numpy as np
import pytest
import pywt

from ohlcv_factory.features import wavelets


def test_taps_are_those_of_db4():
    np.testing.assert_allclose(wavelets.LOW_PASS, pywt.Wavelet("db4").dec_lo, rtol=1e-12)
    np.testing.assert_allclose(wavelets.HIGH_PASS, pywt.Wavelet("db4").dec_hi, rtol=1e-12)


def test_levels_look_back_7_21_and_49_bars():
    assert [wavelets.reach(level) for level in wavelets.LEVELS] == [7, 21, 49]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_second_to_the_level_coefficient_is_that_of_the_ordinary_transform(plain, column, agrees, level):
    """Coefficient i of PyWavelets ends at bar 2^level (i + 1) - 1 of the returns, one bar later in the closes."""
    bars, _ = plain
    returns = np.diff(np.log(bars.close))
    details = pywt.wavedec(returns, "db4", mode="zero", level=3)[-level]
    ends = 2**level * (np.arange(len(details)) + 1)
    inside = (ends < len(bars)) & (ends > wavelets.reach(level))
    assert inside.sum() > 350
    got = column(f"wavelet_close_d{level}", bars)[ends[inside]]
    np.testing.assert_allclose(got, details[inside], rtol=0, atol=1e-6 * np.std(details))


def test_the_approximation_is_that_of_the_ordinary_transform(plain, column):
    bars, _ = plain
    slow = pywt.wavedec(np.diff(np.log(bars.close)), "db4", mode="zero", level=3)[0]
    ends = 8 * (np.arange(len(slow)) + 1)
    inside = (ends < len(bars)) & (ends > 49)
    np.testing.assert_allclose(column("wavelet_close_approx", bars)[ends[inside]], slow[inside], atol=1e-9)


def test_the_energy_of_noise_is_its_variance_at_every_level(plain, column):
    bars, _ = plain
    variance = np.var(np.diff(np.log(bars.close)))
    for level in wavelets.LEVELS:
        assert np.nanmean(column(f"wavelet_close_energy_d{level}", bars)) == pytest.approx(variance, rel=0.15)


def test_alternating_returns_are_all_in_the_fastest_octave(hand, column):
    bars = hand([100.0 if place % 2 else 101.0 for place in range(150)])
    assert column("wavelet_close_energy_ratio", bars)[-1] > 0.999


def test_a_price_that_stopped_moving_has_equal_shares(plain, hand, column):
    bars = hand([*plain[0].close[:500], *[100.1] * 130])
    assert column("wavelet_close_energy_ratio", bars)[-1] == 1.0 / 3.0
    assert column("wavelet_close_d3", bars)[-1] == 0.0


def test_steady_volume_has_no_swings(hand, column):
    assert column("wavelet_volume_d1", hand([100.0] * 60, volume=[7.0] * 60))[-1] == pytest.approx(0.0, abs=1e-12)
