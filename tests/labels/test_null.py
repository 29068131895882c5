from __future__ import annotations

import pytest

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.labels.null import null_class_shares


def test_symmetric_barriers_give_a_symmetric_walk():
    short, neutral, long = null_class_shares(BarrierRule(k_up=2.0, k_down=2.0, max_bars=30))
    assert short == pytest.approx(long, abs=0.02)
    assert short + neutral + long == pytest.approx(1.0)


def test_asymmetric_barriers_are_met_in_inverse_proportion_to_their_distance():
    short, _, long = null_class_shares(BarrierRule(k_up=2.0, k_down=1.0, max_bars=300))
    assert long == pytest.approx(1 / 3, abs=0.03)  # gambler's ruin: 1 / (1 + 2)
    assert short == pytest.approx(2 / 3, abs=0.03)
