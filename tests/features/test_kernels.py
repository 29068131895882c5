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


@pytest.mark.parametrize("window", [3, 20, 60])
def test_shapes_and_lines_agree_with_their_definitions_over_several_blocks(window):
    values = 60_000.0 + np.random.default_rng(2).standard_normal(2 * kernels.BLOCK + 5)
    views = np.lib.stride_tricks.sliding_window_view(values, window)
    distances = views - views.mean(axis=1)[:, None]
    _, *moments = kernels.window_shape(values, window)
    for power, moment in zip((2, 3, 4), moments, strict=True):
        np.testing.assert_allclose(moment[window - 1 :], (distances**power).mean(axis=1), rtol=1e-7, atol=1e-9)
    slope, variance = kernels.window_line(values, window)
    places = np.arange(window) - (window - 1) / 2
    np.testing.assert_allclose(slope[window - 1 :], distances @ places / (places @ places), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(variance[window - 1 :], distances.var(axis=1), rtol=1e-9)


def test_a_window_has_the_same_bits_wherever_the_computation_started():
    values = np.random.default_rng(3).normal(100.0, 3.0, 3000)
    whole, late = kernels.window_shape(values, 60), kernels.window_shape(values[777:], 60)
    for one, other in zip(whole, late, strict=True):
        assert one[777 + 59 :].tobytes() == other[59:].tobytes()


def test_the_mean_of_equal_values_is_that_value():
    assert kernels.window_mean(np.full(70, 0.1), 60)[-1] == 0.1


def test_the_median_starts_again_after_a_missing_value():
    values = np.array([5.0, 1.0, 3.0, 3.0, NAN, 8.0, 2.0, 4.0])
    np.testing.assert_array_equal(kernels.window_median(values, 3), [NAN, NAN, 3.0, 3.0, NAN, NAN, NAN, 4.0])


def test_mean_deviation_is_taken_from_the_newest_mean():
    values = np.array([1.0, 2.0, 6.0])
    np.testing.assert_array_equal(kernels.mean_deviation(values, np.array([NAN, NAN, 3.0]), 3), [NAN, NAN, 2.0])


def test_session_mean_takes_fewer_values_at_the_start_of_a_session():
    values, session = np.array([1.0, 3.0, 5.0, 8.0, 10.0]), np.array([1, 1, 1, 2, 2])
    np.testing.assert_array_equal(kernels.session_mean(values, session, 2), [1.0, 2.0, 4.0, 8.0, 9.0])


def test_held_values_are_absent_before_the_first():
    np.testing.assert_array_equal(kernels.held(np.array([7.0, 9.0]), np.array([-1, 0, 0, 1])), [NAN, 7.0, 7.0, 9.0])


def test_a_ratchet_only_tightens_and_turns_where_the_close_crosses_it():
    """Reach 1 round 10, 11, 10.8, 9: up with a line that rises to 10 and stays, then down with a line at 9 + 1."""
    middle, close = np.array([10.0, 11.0, 10.8, 9.0]), np.array([10.0, 11.0, 10.5, 9.0])
    line, side = kernels.ratchet(middle, np.array([NAN, 1.0, 1.0, 1.0]), close)
    np.testing.assert_allclose(line, [NAN, 10.0, 10.0, 10.0])
    np.testing.assert_array_equal(side, [NAN, 1.0, 1.0, -1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 4e38])
@pytest.mark.parametrize("place", [0, 1023, 1024, 2999])
def test_one_stored_value_that_is_not_finite_is_seen(bad, place):
    values, row = np.full(3000, -3e38), np.zeros(3000, np.float32)
    assert kernels.store(values, row)
    np.testing.assert_array_equal(row, np.float32(-3e38))
    values[place] = bad
    assert not kernels.store(values, row)
    assert not np.isfinite(row[place])


def test_rsi_of_a_still_price_is_fifty_until_it_moves_again():
    still = kernels.relative_strength(np.array([1.0, 2.0, 2.0, 2.0, 1.0]), 2)
    # Wilder averages of rises 1/2, 1/4, 1/8 and of falls 0, 0, 1/2
    np.testing.assert_allclose(still, [NAN, NAN, 100.0, 50.0, 100 * 0.125 / 0.625])


def test_money_flows_by_hand():
    inflow, flow = kernels.money_flows(np.array([2.0, 3.0, 3.0, 1.0]), np.array([5.0, 5.0, 5.0, 4.0]))
    np.testing.assert_array_equal(inflow, [NAN, 15.0, 0.0, 0.0])
    np.testing.assert_array_equal(flow, [NAN, 15.0, 0.0, 4.0])


def test_growth_by_hand():
    np.testing.assert_array_equal(kernels.growth(np.array([4.0, 8.0, 2.0]), 1), [NAN, 1.0, -0.75])
    np.testing.assert_array_equal(kernels.growth(np.array([4.0, 8.0]), 3), [NAN, NAN])


def test_rows_are_written_into_their_columns():
    matrix = np.zeros((100, 40), np.float32)
    columns = np.array([0, *range(3, 38), 39])
    values = np.random.default_rng(4).standard_normal((len(columns), 100)).astype(np.float32)
    kernels.transpose_into(values, columns, matrix)
    np.testing.assert_array_equal(matrix[:, columns], values.T)
    assert not matrix[:, [1, 2, 38]].any()
