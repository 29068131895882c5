"""Trials: how far the Sharpe ratios of what was tried scatter, known or not, and what that makes of one of them."""

from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation.sharpe import SharpeMoments, deflated_sharpe_ratio
from ohlcv_factory.evaluation.trials import Trials, moments_of, session_ratio, trials_block

TRADING = {
    "sharpe_ratio": 1.5,
    "sessions": 101,
    "sessions_per_year": 252.0,
    "skewness": -0.2,
    "kurtosis": 4.0,
}


def test_without_known_ratios_the_variance_is_that_of_independent_models_without_skill():
    assert Trials(count=50).variance(101) == pytest.approx(0.01)
    assert Trials.of(50, [0.3]).variance(101) == pytest.approx(0.01)


def test_that_guess_is_what_models_without_skill_show_in_a_simulation():
    daily = np.random.default_rng(0).normal(size=(20_000, 101))
    ratios = daily.mean(axis=1) / daily.std(axis=1)
    assert ratios.var() == pytest.approx(Trials().variance(101), rel=0.05)


def test_few_known_ratios_move_the_variance_a_little_and_many_decide_it():
    few, many = Trials(count=500, known=3, spread=4.0), Trials(count=500, known=491, spread=4.0)
    assert few.variance(101) == pytest.approx((10 * 0.01 + 2 * 0.04) / 12)
    assert many.variance(101) == pytest.approx((10 * 0.01 + 490 * 0.04) / 500)


def test_configurations_that_agree_are_never_taken_as_one():
    assert Trials.of(5, [0.1] * 5).variance(101) == pytest.approx(10 * 0.01 / 14)


def test_the_spread_is_the_sample_variance_and_what_is_known_counts_as_tried():
    found = Trials.of(1, [0.1, 0.2, 0.3])
    assert (found.count, found.known) == (3, 3)
    assert found.spread == pytest.approx(0.01)
    assert Trials.stored(trials_block(found, TRADING)) == found
    assert Trials.of(0, []) == Trials(1, 0, None)


def test_a_block_says_what_so_many_trials_make_of_the_ratio():
    block = trials_block(Trials(count=20), TRADING)
    moments = moments_of(TRADING)
    assert block["count"] == 20
    assert block["expected_maximum_sharpe"] == pytest.approx(1.9007 * 0.1 * 252**0.5, rel=1e-4)
    assert block["deflated_sharpe_ratio"] == deflated_sharpe_ratio(moments, 20, 0.01)


def test_moments_come_back_from_a_block_as_they_went_in():
    daily = np.random.default_rng(3).normal(0.05, 1.0, 250)
    moments = SharpeMoments.of(daily)
    ratio = daily.mean() / daily.std(ddof=1) * 365**0.5
    block = {"sharpe_ratio": ratio, "sessions": 250, "sessions_per_year": 365.0}
    block |= {"skewness": moments.skewness, "kurtosis": moments.kurtosis}
    assert moments_of(block).ratio == pytest.approx(moments.ratio, rel=1e-12)
    assert moments_of(block).count == 250


def test_without_a_ratio_or_moments_nothing_is_deflated():
    assert session_ratio({**TRADING, "sharpe_ratio": None}) is None
    old = {name: TRADING[name] for name in ("sharpe_ratio", "sessions", "sessions_per_year")}
    for trading in (old, {**TRADING, "sharpe_ratio": None, "skewness": None}):
        block = trials_block(Trials(7), trading)
        assert block == {
            "count": 7, "known": 0, "spread": None,
            "expected_maximum_sharpe": None, "deflated_sharpe_ratio": None, "deflated_track_record": None,
        }  # fmt: skip
