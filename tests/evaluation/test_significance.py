from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.significance import (
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_means,
    default_block_length,
    draw_blocks,
    paired_differences,
    wilson_interval,
)


def first_column(means):
    return means[:, 0]


def test_wilson_interval_of_half_of_a_hundred():
    # z² = 2.705543; half = 1.644854 * sqrt(0.0025 + z²/40000) / (1 + z²/100) = 0.081152
    assert wilson_interval(0.5, 100.0) == pytest.approx((0.418848, 0.581152), abs=1e-6)


def test_wilson_interval_stays_inside_zero_and_one():
    assert wilson_interval(1.0, 10.0) == pytest.approx((10 / (10 + 2.705543), 1.0), abs=1e-6)
    assert wilson_interval(0.0, 10.0) == pytest.approx((0.0, 2.705543 / (10 + 2.705543)), abs=1e-6)
    assert wilson_interval(0.5, 0.0) is None


def test_default_block_is_the_cube_root_and_at_least_a_week():
    assert [default_block_length(count) for count in (10, 250, 1000, 27_000)] == [5, 6, 10, 30]


def test_every_resample_holds_as_many_rows_as_the_sample():
    starts, stops = draw_blocks(97, 7, 200, np.random.default_rng(0))
    assert ((stops - starts).sum(axis=1) == 97).all()
    assert (stops >= starts).all() and starts.min() >= 0 and starts.max() < 97


def test_blocks_are_geometric_with_the_asked_mean_length():
    starts, stops = draw_blocks(5000, 20, 200, np.random.default_rng(0))
    lengths = (stops - starts)[:, :100].ravel()  # far from the cut at the end
    assert lengths.mean() == pytest.approx(20, rel=0.03)
    assert (lengths == 1).mean() == pytest.approx(1 / 20, abs=0.005)


def test_prefix_sums_equal_gathering_the_rows_of_the_blocks():
    values = np.random.default_rng(1).normal(size=31)
    means = bootstrap_means(values[:, None], block_length=4, resamples=50, seed=9)
    from ohlcv_factory.runtime.seeding import component_generator

    starts, stops = draw_blocks(31, 4, 50, component_generator(9, "stationary_bootstrap"))
    gathered = [
        np.concatenate([values[np.arange(a, b) % 31] for a, b in zip(row, ends, strict=True)]).mean()
        for row, ends in zip(starts, stops, strict=True)
    ]
    np.testing.assert_allclose(means[:, 0], gathered, atol=1e-12)


def test_one_value_everywhere_has_an_interval_of_no_width():
    assert bootstrap_interval(np.full((40, 1), 2.0), first_column) == pytest.approx((2.0, 2.0))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones():
    values = np.random.default_rng(2).normal(size=(60, 1))
    assert bootstrap_means(values, seed=1).tobytes() == bootstrap_means(values, seed=1).tobytes()
    assert bootstrap_means(values, seed=1).tobytes() != bootstrap_means(values, seed=2).tobytes()


def test_ninety_per_cent_intervals_cover_about_ninety_per_cent():
    generator = np.random.default_rng(5)
    covered = 0
    for seed in range(500):
        daily = generator.standard_t(5, size=(250, 1))
        low, high = bootstrap_interval(daily, first_column, resamples=400, seed=seed)
        covered += low <= 0.0 <= high
    assert 0.86 <= covered / 500 <= 0.93


def test_blocks_widen_the_interval_of_dependent_values():
    steps = np.random.default_rng(3).normal(size=2000)
    smooth = np.convolve(steps, np.ones(20), "valid")[:, None]
    alone = bootstrap_interval(smooth, first_column, block_length=1)
    blocks = bootstrap_interval(smooth, first_column, block_length=100)
    assert blocks.high - blocks.low > 3 * (alone.high - alone.low)


def test_under_two_blocks_of_rows_there_is_no_interval():
    assert bootstrap_interval(np.arange(9.0)[:, None], first_column, block_length=5) is None
    assert bootstrap_interval(np.arange(10.0)[:, None], first_column, block_length=5) is not None


def test_undefined_resamples_do_not_count_and_too_many_make_the_interval_undefined():
    values = np.arange(20.0)[:, None]
    assert bootstrap_interval(values, lambda means: np.full(len(means), np.nan)) is None
    with pytest.raises(UsageError, match="at least 1 row"):
        bootstrap_means(np.zeros((0, 1)))


def test_several_statistics_of_the_same_columns_come_from_the_same_resamples():
    columns = np.random.default_rng(4).normal(size=(80, 2))
    both = bootstrap_intervals(columns, {"first": first_column, "second": lambda means: means[:, 1]}, seed=6)
    assert both["first"] == bootstrap_interval(columns, first_column, seed=6)
    assert both["second"] == pytest.approx(bootstrap_interval(columns[:, 1:], first_column, seed=6))


def test_what_moves_both_cancels_in_a_paired_difference():
    generator = np.random.default_rng(8)
    market, own = generator.normal(0, 5, (400, 1)), generator.normal(0, 0.1, (400, 1))
    found = paired_differences(market + own + 0.5, market, {"mean": first_column})["mean"]
    assert found.value == pytest.approx(0.5 + own.mean())
    assert 0.48 < found.interval.low < found.value < found.interval.high < 0.52
    alone = bootstrap_interval(market + own + 0.5, first_column)
    assert alone.high - alone.low > 30 * (found.interval.high - found.interval.low)


def test_a_series_does_not_differ_from_itself():
    values = np.random.default_rng(9).normal(size=(50, 1))
    assert paired_differences(values, values, {"mean": first_column}) == {"mean": (0.0, (0.0, 0.0))}


def test_rows_that_do_not_pair_are_refused():
    with pytest.raises(DataError, match=r"the same rows twice, got shapes \(3, 1\) and \(4, 1\)"):
        paired_differences(np.zeros((3, 1)), np.zeros((4, 1)), {"mean": first_column})
