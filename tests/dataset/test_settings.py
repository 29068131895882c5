from __future__ import annotations

import pytest

from ohlcv_factory.bars.instruments import BarrierRule, find_instrument
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import UsageError
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule

MES = find_instrument("MES")


def test_barriers_are_the_instruments_with_what_the_settings_change():
    config = DatasetConfig.parse({"horizons": [10, 20], "barriers": {10: {"k_up": 9.0}}})
    assert config.rule(MES, 10) == BarrierRule(k_up=9.0, k_down=1.4, max_bars=30)
    assert config.rule(MES, 20) == BarrierRule(k_up=3.0, k_down=2.1, max_bars=60)


def test_a_fixed_horizon_needs_no_barriers_and_takes_any_horizon():
    config = DatasetConfig.parse({"horizons": [7], "label": "fixed_horizon", "theta": 1.25, "sigma_bars": 30})
    assert config.rule(MES, 7) == FixedHorizonRule(theta=1.25, horizon=7, sigma_bars=30)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizons": [5], "barriers": {10: {"k_up": 1.0}}}, r"barriers\.10: this horizon is not built"),
        ({"theta": 1.0}, "theta: only fixed_horizon labels have it"),
        ({"sigma_bars": 50}, "sigma_bars: only fixed_horizon labels have it"),
        ({"label": "fixed_horizon", "barriers": {5: {"k_up": 1.0}}}, "barriers: fixed_horizon labels have none"),
        ({"label": "fixed_horizon", "theta": 0.0}, "theta: input should be greater than 0"),
        ({"label": "trend"}, "label: input should be 'triple_barrier' or 'fixed_horizon', got 'trend'"),
    ],
)
def test_a_key_that_could_change_nothing_is_refused_by_name(values, message):
    with pytest.raises(UsageError, match=message):
        DatasetConfig.parse(values)
