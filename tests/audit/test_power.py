"""Markets with given columns and label rule; the measure itself: tests/testing/test_power.py."""

from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.audit.power import (
    NULL_LIMIT,
    fitted_z,
    market_with,
    planted_market,
    reading_all,
    small_network,
)
from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.errors import UsageError
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.training.settings import TrainerConfig

BARRIERS = BarrierRule(k_up=1.5, k_down=1.0, max_bars=9)
COLUMNS = ("return_1", "volume_ratio", "is_rth")


@pytest.mark.parametrize("rule", [BARRIERS, FixedHorizonRule(horizon=7, theta=0.3, sigma_bars=50)])
def test_a_market_has_the_rule_the_bar_size_and_the_columns_that_can_be_had(rule):
    market = market_with(COLUMNS, rule, 7, seed=0, beta=0.0, bars=3000, bar_seconds=900)
    assert market.markets[0].rule == rule
    assert market.markets[0].bars.bar_seconds == 900
    assert market.feature_names == ("return_1", "volume_ratio")  # every hour is a regular one there
    assert len(market.rows("test")) == 0
    assert len(market.rows("val")) == pytest.approx(0.25 * len(market), abs=20)


def test_columns_of_which_none_can_be_had_are_refused():
    with pytest.raises(UsageError, match="no feature is left"):
        market_with(("is_rth",), BARRIERS, 7, seed=0, beta=0.0, bars=3000)


def test_a_planted_signal_is_found_and_noise_is_not():
    config = TrainerConfig(model_name="logistic", horizon=7)
    scores = []
    for beta in (0.0, 0.6):
        market = market_with(COLUMNS, BARRIERS, 7, seed=3, beta=beta, bars=12_000)
        scores.append(fitted_z(reading_all(config, market), market))
    assert abs(scores[0]) < NULL_LIMIT < scores[1]


def test_the_config_of_a_market_reads_exactly_its_columns():
    market = planted_market(0, bars=8000)
    config = reading_all(TrainerConfig(model_name="logistic", horizon=20, feature_selection="correlation"), market)
    assert config.feature_sets[config.feature_set].include == market.feature_names
    assert config.feature_selection == "correlation"


def test_networks_are_small_and_other_models_stay_as_they_are():
    pytest.importorskip("torch")
    assert small_network("logistic") == {}
    assert (small_network("gru")["max_epochs"], small_network("gru")["lookback"]) == (2, 16)


def test_the_same_seed_gives_the_same_market():
    first, second = (market_with(COLUMNS, BARRIERS, 7, seed=5, beta=0.1, bars=3000) for _ in range(2))
    assert np.array_equal(first.table, second.table, equal_nan=True)
