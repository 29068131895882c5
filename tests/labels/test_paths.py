from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.paths import CLEAN, contract_slices, label_limits, round_trip_cost
from ohlcv_factory.labels.triple_barrier import triple_barrier

DAYS = np.array([0, 0, 0, 1, 1, 1, 1, 2])


def flat_bars(count, contract=None):
    prices = np.full(count, 100.0)
    names = () if contract is None else ("A", "B")
    codes = None if contract is None else np.array(contract, dtype=np.int32)
    time_ns = np.arange(count) * 60_000_000_000
    return Bars("X", time_ns, *(prices.copy() for _ in range(4)), prices, 60, contract=codes, contract_names=names)


def test_a_limit_is_the_last_row_of_the_data_the_contract_or_the_session():
    assert label_limits(flat_bars(4)).tolist() == [3, 3, 3, 3]
    rolled = flat_bars(8, contract=[0, 0, 0, 0, 0, 1, 1, 1])
    assert label_limits(rolled).tolist() == [4, 4, 4, 4, 4, 7, 7, 7]
    assert label_limits(flat_bars(8), DAYS).tolist() == [2, 2, 2, 6, 6, 6, 6, 7]
    assert label_limits(rolled, DAYS).tolist() == [2, 2, 2, 4, 4, 6, 6, 7]


def test_no_bars_have_no_limits():
    assert label_limits(flat_bars(0)).tolist() == []


def test_contracts_are_slices_that_cover_every_row():
    assert contract_slices(flat_bars(3)) == [slice(0, 3)]
    assert contract_slices(flat_bars(4, contract=[0, 0, 0, 1])) == [slice(0, 3), slice(3, 4)]


def test_both_sides_cost_what_the_instrument_says():
    instrument = Instrument(
        symbol="X", fee_bps=10.0, slippage_ticks=1.0, tick_size=0.25, commission=2.0, point_value=4.0
    )
    cost = round_trip_cost(instrument)
    assert cost.fixed == 2 * 0.25 + 2 * 0.5
    assert cost.share == pytest.approx(0.001)


def label_first(cost_per_side):
    """Entry 100 at the next open, upper barrier 101 touched in the second bar after a low of 99.5, lower barrier 98."""
    rows = [(100, 100, 100, 100), (100, 100.5, 99.5, 100), (100, 101.5, 100, 101), (101, 101, 101, 101)]
    columns = np.array(rows, dtype=np.float64).T
    bars = Bars("X", np.arange(4) * 60_000_000_000, *columns, np.ones(4), 60)
    instrument = Instrument(symbol="X", slippage_ticks=1.0, tick_size=cost_per_side)
    rule = BarrierRule(k_up=1.0, k_down=2.0, max_bars=3)
    return triple_barrier(bars, np.ones(4), rule, cost=round_trip_cost(instrument))


def test_a_touch_that_earns_more_than_both_sides_cost_keeps_its_class():
    assert label_first(cost_per_side=0.375).label[0] == 2  # earns 1, costs 0.75


def test_a_touch_that_does_not_is_neutral_and_keeps_its_end():
    for cost_per_side in (0.5, 0.75):  # earns 1, costs 1 or 1.5
        labels = label_first(cost_per_side)
        assert (labels.label[0], labels.touch[0], labels.end_row[0]) == (1, CLEAN, 2)
        assert labels.realised_return[0] == pytest.approx(0.01)
        assert labels.adverse[0] == pytest.approx(1.0)  # the larger side: all of the way up, a quarter of the way down
        assert labels.favourable[0] == pytest.approx(0.25)
