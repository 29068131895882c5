from __future__ import annotations

import math

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.sharpe import (
    SharpeMoments,
    deflated_sharpe_ratio,
    deflated_track_record,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe_ratio,
    sharpe_difference,
    sharpe_interval,
    sharpe_ratio,
)


def fat_tailed(seed=3, count=250):
    return np.random.default_rng(seed).standard_t(4, size=count) * 0.01 + 0.0008


def test_sharpe_ratio_is_the_textbook_formula():
    # mean 0.01, deviations -0.02, 0, +0.02: std (ddof 1) = 0.02
    assert sharpe_ratio(np.array([-0.01, 0.01, 0.03]), 256.0) == pytest.approx(0.5 * 16)
    assert sharpe_ratio(np.array([0.01]), 256.0) is None
    assert sharpe_ratio(np.zeros(10), 256.0) is None


def test_sharpe_interval_holds_the_estimate_and_repeats_with_its_seed():
    daily = np.random.default_rng(0).normal(0.1, 1.0, 120)
    interval = sharpe_interval(daily, 252.0, seed=3)
    assert interval.low < sharpe_ratio(daily, 252.0) < interval.high
    assert interval == sharpe_interval(daily, 252.0, seed=3)
    assert interval != sharpe_interval(daily, 252.0, seed=4)


def test_the_unit_of_money_changes_no_interval():
    daily = np.random.default_rng(0).normal(0.1, 1.0, 120)
    assert sharpe_interval(daily * 1e-6, 252.0) == pytest.approx(sharpe_interval(daily, 252.0))


def normal(generator):
    return generator.normal(1 / math.sqrt(252), 1.0, 250)


def heavy(generator):
    return generator.standard_t(5, 250) / math.sqrt(5 / 3) + 1 / math.sqrt(252)


def dependent(generator):
    steps = generator.normal(size=300)
    for day in range(1, 300):
        steps[day] += 0.2 * steps[day - 1]
    return steps[50:] * math.sqrt(1 - 0.2**2) + 1 / math.sqrt(252)


def coverage(draw, draws):
    """Share of samples of 250 days, of true annual ratio 1, whose interval holds it."""
    ends = [sharpe_interval(draw(np.random.default_rng(seed)), 252.0, seed=seed) for seed in range(draws)]
    return np.mean([low <= 1.0 <= high for low, high in ends])


def test_ninety_per_cent_intervals_cover_about_ninety_per_cent():
    assert 0.84 <= coverage(normal, 200) <= 0.95  # two standard errors of 200 draws wider than the claim


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, heavy, dependent])
def test_a_thousand_draws_of_250_days_are_covered_between_86_and_93_per_cent(draw):
    assert 0.86 <= coverage(draw, 1000) <= 0.93


def test_a_ratio_does_not_differ_from_itself_and_a_better_one_lies_above():
    daily = fat_tailed(count=500)
    assert sharpe_difference(daily, daily, 252.0) == (0.0, (0.0, 0.0))
    better = sharpe_difference(daily + 0.002, daily, 252.0)
    assert better.value == pytest.approx(sharpe_ratio(daily + 0.002, 252.0) - sharpe_ratio(daily, 252.0), rel=1e-3)
    assert 0 < better.interval.low < better.value < better.interval.high
    assert sharpe_difference(daily, np.zeros(500), 252.0) is None
    with pytest.raises(DataError, match="the same rows twice"):
        sharpe_difference(daily, daily[:-1], 252.0)


def test_moments_are_those_of_scipy():
    from scipy import stats

    daily = fat_tailed()
    moments = SharpeMoments.of(daily)
    assert moments.ratio == pytest.approx(daily.mean() / daily.std())
    assert moments.skewness == pytest.approx(stats.skew(daily, bias=False))
    assert moments.kurtosis == pytest.approx(stats.kurtosis(daily, bias=False, fisher=False))
    assert moments.count == 250


def test_three_sessions_or_no_variation_have_no_moments():
    assert SharpeMoments.of(np.array([0.1, 0.2, 0.3])) is None
    assert SharpeMoments.of(np.full(10, 0.1)) is None
    assert SharpeMoments.of(np.array([0.1, 0.2, 0.3, 0.5])).count == 4


def test_moments_that_contradict_a_normal_limit_have_no_probability():
    impossible = SharpeMoments(2.0, 3.0, 1.0, 50)  # 1 - 3 * 2 + 0
    assert probabilistic_sharpe_ratio(impossible) is None
    assert minimum_track_record(impossible) is None


@pytest.mark.parametrize(
    ("per_year", "skewness", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_track_records_are_those_of_bailey_and_lopez_de_prado_2012(per_year, skewness, kurtosis, years):
    # an annual ratio of 2 beside a benchmark of 1, daily, weekly and monthly normal returns, and monthly hedge fund returns
    moments = SharpeMoments(2 / math.sqrt(per_year), skewness, kurtosis, 24)
    assert minimum_track_record(moments, 1 / math.sqrt(per_year)) / per_year == pytest.approx(years, abs=5e-3)


def test_no_track_record_proves_a_ratio_that_does_not_lie_above():
    assert minimum_track_record(SharpeMoments(0.1, 0.0, 3.0, 100), 0.1) is None
    assert minimum_track_record(SharpeMoments(-0.1, 0.0, 3.0, 100)) is None


def test_after_the_minimum_track_record_the_psr_is_the_confidence():
    moments = SharpeMoments(0.08, -0.5, 6.0, 100)
    needed = minimum_track_record(moments, confidence=0.9)
    assert probabilistic_sharpe_ratio(SharpeMoments(0.08, -0.5, 6.0, needed)) == pytest.approx(0.9)


def test_the_deflated_track_record_of_one_trial_is_the_minimum_track_record():
    moments = SharpeMoments(0.08, -0.5, 6.0, 100)
    assert deflated_track_record(moments, 1, 0.01) == pytest.approx(minimum_track_record(moments), rel=1e-12)
    assert deflated_track_record(SharpeMoments(0.0, 0.0, 3.0, 100), 5, 0.01) is None


def test_after_the_deflated_track_record_the_deflated_ratio_is_the_confidence():
    needed = deflated_track_record(SharpeMoments(0.08, -0.5, 6.0, 100), 30, 1 / 99, confidence=0.9)
    then = SharpeMoments(0.08, -0.5, 6.0, needed)
    assert deflated_sharpe_ratio(then, 30, 1 / (needed - 1)) == pytest.approx(0.9)


def test_deflation_is_that_of_bailey_and_lopez_de_prado_2014():
    # annual ratio 2.5 over 5 years of 250 days, the best of 100 trials whose annual ratios have variance 1/2
    found = SharpeMoments(2.5 / math.sqrt(250), -3.0, 10.0, 1250)
    assert expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe_ratio(found, 100, 0.5 / 250) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe_ratio(found, 46, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)
    normal_returns = SharpeMoments(2.5 / math.sqrt(250), 0.0, 3.0, 1250)
    assert deflated_sharpe_ratio(normal_returns, 88, 0.5 / 250) == pytest.approx(0.9505, abs=5e-5)


def test_one_trial_deflates_nothing_and_more_trials_deflate_more():
    moments = SharpeMoments.of(fat_tailed())
    assert deflated_sharpe_ratio(moments, 1, 0.003) == probabilistic_sharpe_ratio(moments)
    deflated = [deflated_sharpe_ratio(moments, trials, 0.003) for trials in (1, 2, 10, 100, 1000)]
    assert deflated == sorted(deflated, reverse=True)


def test_the_expected_maximum_is_that_of_drawn_ratios():
    drawn = np.random.default_rng(0).normal(size=(4000, 50)).max(axis=1)
    assert expected_maximum_sharpe(50, 1.0) == pytest.approx(drawn.mean(), abs=0.03)


@pytest.mark.parametrize(("trials", "variance"), [(0, 1.0), (5, -1.0), (5, math.nan)])
def test_a_maximum_of_nothing_is_refused(trials, variance):
    with pytest.raises(UsageError, match="at least 1 trial and a variance of 0 or more"):
        expected_maximum_sharpe(trials, variance)


# fat_tailed() through purgedcv 0.1.11: probabilistic_sharpe_ratio(x, b) and deflated_sharpe_ratio(x, 50, 0.003)
PURGEDCV = {0.0: 0.8949986001764245, 0.05: 0.6788812897267847, "deflated": 0.23766689689239262}


def test_psr_and_dsr_are_those_of_purgedcv():
    moments = SharpeMoments.of(fat_tailed())
    assert probabilistic_sharpe_ratio(moments) == pytest.approx(PURGEDCV[0.0], abs=1e-9)
    assert probabilistic_sharpe_ratio(moments, 0.05) == pytest.approx(PURGEDCV[0.05], abs=1e-9)
    assert deflated_sharpe_ratio(moments, 50, 0.003) == pytest.approx(PURGEDCV["deflated"], abs=1e-9)


def test_psr_and_dsr_equal_purgedcv_today():
    purgedcv = pytest.importorskip("purgedcv", reason="an oracle, not a dependency")
    for seed in range(5):
        daily = fat_tailed(seed, 60 + 50 * seed)
        moments = SharpeMoments.of(daily)
        assert probabilistic_sharpe_ratio(moments, 0.02) == pytest.approx(
            purgedcv.probabilistic_sharpe_ratio(daily, 0.02), abs=5e-4
        )
        assert deflated_sharpe_ratio(moments, 20, 0.01) == pytest.approx(
            purgedcv.deflated_sharpe_ratio(daily, 20, 0.01), abs=5e-4
        )
