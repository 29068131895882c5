from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.features import kernels

NAN = np.nan


def test_window_sum_adds_the_newest_values():
    np.testing.assert_array_equal(kernels.window_sum(np.array([1.0, 2.0, 4.0, 8.0]), 3), [NAN, NAN, 7.0, 14.0])


def test_window_variance_is_that_of_the_population():
    np.testing.assert_allclose(kernels.window_variance(np.array([1.0, 3.0, 8.0, 8.0]), 2), [NAN, 1.0, 6.25, 0.0])


def test_variance_of_a_flat_window_is_exactly_zero():
    values = np.concatenate((np.random.default_rng(0).normal(60_000.1, 5.0, 100), np.full(30, 0.1)))
    assert np.all(kernels.window_variance(values, 20)[-11:] == 0.0)


def test_variance_keeps_its_digits_at_a_high_price():
    values = 60_000.0 + 0.01 * np.array([0.0, 1.0, 0.0, 1.0])
    assert kernels.window_variance(values, 4)[-1] == pytest.approx(0.01**2 / 4, rel=1e-9)


def test_a_sum_forgets_a_large_value_that_left_the_window():
    values = np.array([1e16, 0.1, 0.2, 0.4])
    assert kernels.window_sum(values, 2)[-1] == 0.2 + 0.4


@pytest.mark.parametrize("window", [1, 7, 60])
def test_windows_agree_with_numpy_over_several_blocks(window):
    values = np.random.default_rng(1).standard_normal(3 * kernels.BLOCK + 5)
    views = np.lib.stride_tricks.sliding_window_view(values, window)
    np.testing.assert_allclose(kernels.window_sum(values, window)[window - 1 :], views.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(kernels.window_variance(values, window)[window - 1 :], views.var(axis=1), atol=1e-12)


@pytest.mark.parametrize("function", [kernels.window_sum, kernels.window_variance])
def test_a_window_longer_than_the_series_gives_nan(function):
    np.testing.assert_array_equal(function(np.array([1.0, 2.0]), 5), [NAN, NAN])
    assert len(function(np.array([]), 5)) == 0


def test_a_missing_value_reaches_only_windows_that_hold_it():
    np.testing.assert_array_equal(kernels.window_sum(np.array([NAN, 1.0, 2.0]), 2), [NAN, NAN, 3.0])


def test_causal_filter_reads_backwards():
    np.testing.assert_array_equal(
        kernels.causal_filter(np.array([1.0, 10.0, 100.0, 1000.0]), (2.0, 1.0), stride=2), [NAN, NAN, 201.0, 2010.0]
    )


def test_session_sum_starts_again_with_each_session():
    np.testing.assert_array_equal(
        kernels.session_sum(np.array([1.0, 2.0, 4.0, 8.0]), np.array([7, 7, 8, 8])), [1.0, 3.0, 4.0, 12.0]
    )


def test_lagged_and_ratio_have_declared_values_at_the_edges():
    np.testing.assert_array_equal(kernels.lagged(np.array([1.0, 2.0, 3.0]), 2), [NAN, NAN, 1.0])
    np.testing.assert_array_equal(kernels.lagged(np.array([1.0]), 2), [NAN])
    np.testing.assert_array_equal(
        kernels.ratio(np.array([1.0, 0.0, 5.0]), np.array([2.0, 0.0, 0.0]), otherwise=0.5), [0.5, 0.5, 0.5]
    )
