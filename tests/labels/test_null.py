from __future__ import annotations

import pytest

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.null import null_class_shares


def test_symmetric_barriers_give_a_symmetric_walk():
    short, neutral, long = null_class_shares(BarrierRule(k_up=2.0, k_down=2.0, max_bars=30))
    assert short == pytest.approx(long, abs=0.02)
    assert short + neutral + long == pytest.approx(1.0)


def test_asymmetric_barriers_are_met_in_inverse_proportion_to_their_distance():
    short, _, long = null_class_shares(BarrierRule(k_up=2.0, k_down=1.0, max_bars=300))
    assert long == pytest.approx(1 / 3, abs=0.03)  # gambler's ruin: 1 / (1 + 2)
    assert short == pytest.approx(2 / 3, abs=0.03)


def test_a_fixed_horizon_gives_the_tails_of_the_normal_distribution():
    short, neutral, long = null_class_shares(FixedHorizonRule(theta=0.5, horizon=20))
    assert short == pytest.approx(0.31, abs=0.03)  # P(Z > 0.5) = 0.309
    assert long == pytest.approx(0.31, abs=0.03)
    assert neutral == pytest.approx(0.38, abs=0.06)  # more, since sigma lags behind the time of day


def test_the_dearer_the_more_neutral():
    rule = BarrierRule(k_up=2.0, k_down=1.0, max_bars=300)
    assert null_class_shares(rule, cost_in_atr=0.1) == pytest.approx(null_class_shares(rule), abs=0.01)
    short, _, long = null_class_shares(rule, cost_in_atr=1.2)
    assert short < 0.3  # of 2/3: a short earns 1 ATR of its own hour, a long 2
    assert long > 0.25  # of 1/3
    assert null_class_shares(rule, cost_in_atr=10.0)[1] > 0.99


def test_close_cost_ratios_share_one_walk():
    rule = BarrierRule(k_up=2.0, k_down=2.0, max_bars=30)
    assert null_class_shares(rule, cost_in_atr=0.2311) is null_class_shares(rule, cost_in_atr=0.2299)
