from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_labels import markets

from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.market import SymbolMarket
from ohlcv_factory.dataset.samples import INDEX_DTYPE
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.trading import (
    Exit,
    TradeRules,
    simulate,
    simulate_all,
    simulate_sides,
)
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.paths import label_limits
from ohlcv_factory.labels.rules import label_bars, label_scale

HOUR = 3600
START_NS = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
FREE = Instrument(symbol="X")
WIDE = BarrierRule(k_up=50.0, k_down=50.0, max_bars=50)


def market(prices, *, rule=WIDE, atr=1.0, instrument=FREE, bar_seconds=HOUR, symbol="X"):
    """A market of (open, high, low, close) bars, one ATR for all."""
    table = np.array(prices, dtype=np.float64)
    time_ns = START_NS + np.arange(len(table)) * bar_seconds * 1_000_000_000
    bars = Bars(symbol, time_ns, *(column.copy() for column in table.T), np.ones(len(table)), bar_seconds)
    return SymbolMarket(bars, np.full(len(table), atr), rule, instrument, instrument.sessions.session_day(time_ns))


def sides(*wanted):
    return np.array(wanted, dtype=np.int8)


def exits(result):
    """Each trade as (side, entry row, exit row, entry price, exit price, reason)."""
    names = ("side", "entry_row", "exit_row", "entry_price", "exit_price")
    return [(*(each[name].item() for name in names), Exit(each["reason"]).name) for each in result.trades]


# Long from the open of bar 1, flipped at the open of bar 3, stopped out by the gap of bar 4, long again for bar 5.
SIX_BARS = [
    (100.0, 101.0, 99.0, 100.0),
    (100.0, 104.0, 99.0, 103.0),
    (103.0, 108.0, 102.0, 107.0),
    (110.0, 111.0, 107.0, 108.0),
    (125.0, 126.0, 119.0, 120.0),
    (120.0, 127.0, 118.0, 126.0),
]
SIX_SIGNALS = sides(1, 0, -1, 0, 1, -1)
SIX_COSTS = Instrument(symbol="X", fee_bps=10.0, slippage_ticks=0.5, tick_size=0.2, commission=1.0, point_value=10.0)
# One side costs 0.001 * price + 0.1 slippage + 0.1 commission = 0.001 * price + 0.2 per unit.


def six_bars():
    rule = BarrierRule(k_up=3.0, k_down=4.0, max_bars=50)
    return market(SIX_BARS, rule=rule, atr=4.0, instrument=SIX_COSTS)  # stops: long 16 below, short 12 above entry


def test_six_bar_path_by_hand_makes_these_trades():
    assert exits(simulate_sides(SIX_SIGNALS, six_bars(), 0)) == [
        (1, 1, 3, 100.0, 110.0, "FLIP"),
        (-1, 3, 4, 110.0, 125.0, "STOP_GAP"),
        (1, 5, 5, 120.0, 126.0, "END"),
    ]


def test_six_bar_path_by_hand_equals_the_simulation_to_the_cent():
    result = simulate_sides(SIX_SIGNALS, six_bars(), 0)
    # On 1,000,000 of notional: cost = 1e6 / entry * (0.001 * price + 0.2) per side.
    by_bar = [0.0, 30_000.00, 40_000.00, 30_000.00 + 18_181.82, -154_545.45, 50_000.00]
    paid = [0.0, 3_000.00, 0.0, 3_100.00 + 2_818.18, 2_954.55, 2_666.67 + 2_716.67]
    np.testing.assert_allclose(result.gross * 1e6, by_bar, atol=0.01)
    np.testing.assert_allclose(result.net * 1e6, np.subtract(by_bar, paid), atol=0.01)
    np.testing.assert_allclose(result.trades["gross"] * 1e6, [100_000.00, -136_363.64, 50_000.00], atol=0.01)
    np.testing.assert_allclose(result.trades["cost"] * 1e6, [6_100.00, 5_772.73, 5_383.33], atol=0.01)
    np.testing.assert_array_equal(result.position, [0, 1, 1, -1, 0, 0])


def test_six_bar_metrics_by_hand():
    metrics = simulate_sides(SIX_SIGNALS, six_bars(), 0).metrics()
    assert metrics["num_trades"] == 3
    assert metrics["win_rate"] == pytest.approx(2 / 3)
    assert metrics["profit_factor"] == pytest.approx((0.0939 + 0.04461667) / 0.14213636, abs=1e-6)
    assert metrics["total_return"] == pytest.approx(0.0939 - 0.14213636 + 0.04461667, abs=1e-7)
    assert metrics["total_cost"] == pytest.approx(0.01725606, abs=1e-7)
    assert metrics["max_drawdown"] == pytest.approx(-(0.15454545 + 0.00295455), abs=1e-7)  # the gap of bar 4
    assert metrics["turnover"] == 6.0
    assert metrics["average_holding_bars"] == pytest.approx((2 + 1 + 1) / 3)
    assert metrics["exposure"] == pytest.approx(4 / 6)
    assert (metrics["sessions"], metrics["sharpe_ratio"], metrics["sharpe_interval"]) == (1, None, None)


def test_costs_can_be_switched_off():
    result = simulate_sides(SIX_SIGNALS, six_bars(), 0, TradeRules(costs=False))
    np.testing.assert_array_equal(result.net, result.gross)
    assert result.trades["cost"].sum() == 0


FLAT = (100.0, 100.5, 99.5, 100.0)
NARROW = BarrierRule(k_up=2.0, k_down=1.0, max_bars=3)  # at ATR 1: long 102 / 99, short target 99 / stop 102


@pytest.mark.parametrize(
    ("side", "bar", "price", "reason"),
    [
        (1, (100.0, 102.5, 99.5, 101.0), 102.0, "TARGET"),
        (1, (100.0, 101.0, 98.5, 99.2), 99.0, "STOP"),
        (1, (100.0, 103.0, 98.0, 101.0), 99.0, "STOP"),
        (1, (97.0, 103.0, 96.0, 101.0), 97.0, "STOP_GAP"),
        (1, (104.0, 104.5, 98.0, 101.0), 104.0, "TARGET_GAP"),
        (-1, (100.0, 101.0, 98.5, 99.2), 99.0, "TARGET"),
        (-1, (100.0, 102.5, 99.5, 101.0), 102.0, "STOP"),
        (-1, (100.0, 103.0, 98.0, 101.0), 102.0, "STOP"),
        (-1, (97.0, 103.0, 96.0, 101.0), 97.0, "TARGET_GAP"),
        (-1, (104.0, 104.5, 98.0, 101.0), 104.0, "STOP_GAP"),
    ],
)
def test_barriers_fill_at_their_price_or_at_the_open_beyond_it_and_stop_comes_first(side, bar, price, reason):
    found = simulate_sides(sides(side, 0, 0, 0), market([FLAT, FLAT, bar, FLAT], rule=NARROW), 0)
    assert exits(found) == [(side, 1, 2, 100.0, price, reason)]


def test_the_entry_bar_itself_can_stop_the_trade():
    bar = (100.0, 101.0, 98.0, 100.0)
    assert exits(simulate_sides(sides(1, 0), market([FLAT, bar], rule=NARROW), 0))[0][2:] == (1, 100.0, 99.0, "STOP")


def test_a_time_out_leaves_at_the_close_of_the_signal_bar_plus_max_bars():
    result = simulate_sides(sides(0, 1, 0, 0, 0, 0), market([FLAT] * 6, rule=NARROW), 0)
    assert exits(result) == [(1, 2, 4, 100.0, 100.0, "TIMEOUT")]


def test_a_repeated_or_neutral_signal_moves_neither_barriers_nor_time_out():
    drifting = [FLAT, FLAT, (101.0, 101.4, 100.6, 101.0), (101.0, 101.4, 100.6, 101.0), FLAT]
    result = simulate_sides(sides(1, 1, 0, 0, 0), market(drifting, rule=NARROW), 0)
    assert exits(result) == [(1, 1, 3, 100.0, 101.0, "TIMEOUT")]


def test_after_an_exit_inside_a_bar_its_signal_enters_at_the_next_open():
    stopped = (100.0, 101.0, 98.5, 99.2)
    result = simulate_sides(sides(1, 1, 0, 0), market([FLAT, stopped, FLAT, FLAT], rule=NARROW), 0)
    assert exits(result) == [(1, 1, 1, 100.0, 99.0, "STOP"), (1, 2, 3, 100.0, 100.0, "END")]


def test_a_gap_stop_at_the_open_does_not_re_enter_there_on_the_same_side():
    gap = (97.0, 97.5, 96.5, 97.0)
    result = simulate_sides(sides(1, 1, 0, 0), market([FLAT, FLAT, gap, FLAT], rule=NARROW), 0)
    assert exits(result) == [(1, 1, 2, 100.0, 97.0, "STOP_GAP")]


def test_a_signal_on_the_last_bar_cannot_fill():
    assert len(simulate_sides(sides(0, 0, 1), market([FLAT] * 3), 0).trades) == 0


def test_a_signal_without_a_positive_atr_is_ignored():
    assert len(simulate_sides(sides(1, 0, 0), market([FLAT] * 3, atr=math.nan), 0).trades) == 0


def test_without_barriers_a_position_is_held_to_the_end():
    prices = [FLAT, FLAT, (50.0, 200.0, 40.0, 150.0), (150.0, 151.0, 149.0, 150.0)]
    result = simulate_sides(sides(1, 1, 1, 1), market(prices, rule=NARROW), 0, TradeRules(barriers=False))
    assert exits(result) == [(1, 1, 3, 100.0, 150.0, "END")]


def test_positions_close_at_session_end_only_by_option():
    days = market([FLAT] * 4, bar_seconds=12 * HOUR)  # two bars a day
    assert exits(simulate_sides(sides(1, 0, 0, 0), days, 0))[0][2] == 3
    closed = simulate_sides(sides(1, 0, 0, 0), days, 0, TradeRules(exit_at_session_end=True))
    assert exits(closed)[0][2:] == (1, 100.0, 100.0, "END")


def test_the_dataset_says_whether_positions_close_at_session_end_unless_told_otherwise():
    days = replace(market([FLAT] * 4, bar_seconds=12 * HOUR), session_end=True)
    assert exits(simulate_sides(sides(1, 0, 0, 0), days, 0))[0][2:] == (1, 100.0, 100.0, "END")
    assert exits(simulate_sides(sides(1, 0, 0, 0), days, 0, TradeRules(exit_at_session_end=False)))[0][2] == 3


def test_no_position_is_held_over_a_roll_and_its_step_is_nobodys_gain():
    dearer = (150.0, 151.0, 149.0, 150.5)
    rolled = with_contracts(market([FLAT, FLAT, FLAT, dearer, dearer]), [0, 0, 0, 1, 1])
    result = simulate_sides(sides(1, 1, 1, 1, 1), rolled, 0, TradeRules(barriers=False))
    assert exits(result) == [(1, 1, 2, 100.0, 100.0, "END"), (1, 3, 4, 150.0, 150.5, "END")]
    assert result.gross.sum() == pytest.approx(0.5 / 150)


def with_contracts(where, codes):
    names = ("H4", "M4")
    return replace(where, bars=replace(where.bars, contract=np.array(codes, dtype=np.int32), contract_names=names))


FINER = {
    "target first": [(100.0, 102.0, 99.5, 101.0), (101.0, 103.0, 98.0, 99.0)],
    "stop first": [(100.0, 101.0, 98.0, 98.5), (98.5, 103.0, 98.5, 101.0)],
    "gap to the target": [(100.0, 101.0, 99.5, 101.0), (102.5, 103.0, 98.0, 99.0)],
    "gap to the stop": [(100.0, 101.0, 99.5, 101.0), (98.5, 103.0, 98.0, 99.0)],
    "both in one": [(100.0, 101.0, 99.5, 100.0), (100.0, 103.0, 98.0, 99.0)],
}


@pytest.mark.parametrize(
    ("case", "side", "price", "reason"),
    [
        ("target first", 1, 102.0, "TARGET"),
        ("target first", -1, 102.0, "STOP"),  # the long's target is the short's stop
        ("stop first", 1, 99.0, "STOP"),
        ("stop first", -1, 99.0, "TARGET"),
        ("gap to the target", 1, 102.5, "TARGET"),
        ("gap to the target", -1, 102.5, "STOP"),
        ("gap to the stop", 1, 98.5, "STOP"),
        ("gap to the stop", -1, 98.5, "TARGET"),
        ("both in one", 1, 99.0, "STOP"),
        ("both in one", -1, 102.0, "STOP"),
    ],
)
def test_finer_bars_tell_whether_stop_or_target_came_first(case, side, price, reason):
    where = market([FLAT, FLAT, (100.0, 103.0, 98.0, 99.0), FLAT], rule=NARROW)
    finer = np.array(FINER[case]).T.copy()
    start = where.bars.time_ns[2]
    times = start + np.arange(2) * 1_800_000_000_000
    where = replace(where, source=Bars("X", times, *finer, np.ones(2), 1800))
    assert exits(simulate_sides(sides(side, 0, 0, 0), where, 0)) == [(side, 1, 2, 100.0, price, reason)]


def test_a_fixed_horizon_trade_leaves_after_its_bars_whatever_the_price_did():
    wild = (100.0, 150.0, 60.0, 101.0)
    where = market([FLAT, FLAT, wild, FLAT, FLAT], rule=FixedHorizonRule(horizon=3), atr=math.nan)
    assert exits(simulate_sides(sides(1, 0, 0, 0, 0), where, 0)) == [(1, 1, 3, 100.0, 100.0, "TIMEOUT")]


@settings(max_examples=200, deadline=None)
@given(markets())
def test_a_trade_on_one_signal_ends_where_its_label_says(found):
    bars, barriers = found.bars, isinstance(found.rule, BarrierRule)
    scale = found.atr if barriers else label_scale(bars, found.rule)
    days = np.zeros(len(bars), np.int64) if found.session_day is None else found.session_day
    where = SymbolMarket(bars, found.atr, found.rule, FREE, days, found.source, session_end=True)
    limits = label_limits(bars, days)
    labels = label_bars(bars, scale, found.rule, "next_open", limits, FinerBars.under(bars, found.source))
    for t in np.flatnonzero(labels.labelled & ~labels.ambiguous):
        for side in (-1, 1):
            wanted = np.zeros(len(bars), np.int8)
            wanted[t] = side
            trade = simulate_sides(wanted, where, 0).trades[0]
            assert trade["exit_row"] == labels.end_row[t]
            assert trade["gross"] == pytest.approx(side * labels.realised_return[t], abs=1e-12)


def test_a_price_at_zero_is_refused():
    with pytest.raises(DataError, match="prices above 0"):
        simulate_sides(sides(1, 0), market([FLAT, (1.0, 1.0, 0.0, 1.0)]), 0)


def test_a_range_beyond_the_bars_or_without_bars_is_refused():
    for wanted, first_row in ((sides(1, 0, 0), 1), (sides(), 0)):
        with pytest.raises(DataError, match="a bar with prices above 0 for each"):
            simulate_sides(wanted, market([FLAT] * 3), first_row)


def test_daily_net_has_a_zero_for_every_flat_session():
    prices = [FLAT, FLAT, FLAT, FLAT, (100.0, 101.0, 99.0, 101.0), (101.0, 101.0, 101.0, 101.0)]
    result = simulate_sides(sides(0, 0, 0, 1, 0, 0), market(prices, bar_seconds=12 * HOUR), 0)
    np.testing.assert_array_equal(result.session_day, [19723, 19724, 19725])  # 2024-01-01 to 2024-01-03
    np.testing.assert_allclose(result.daily, [0.0, 0.0, 0.01])


def predictions(decision, time_ns, rows, *, codes=0, symbols=("X",)):
    count = len(decision)
    index = np.zeros(count, INDEX_DTYPE)
    index["symbol_code"], index["time_ns"], index["row"] = codes, time_ns, rows
    classes = np.array(decision, np.int8)
    flags = np.ones(count, bool)
    return Predictions(index, symbols, np.eye(3)[classes], np.eye(3)[classes], classes, classes, flags, flags, 5)


def test_bars_without_a_prediction_have_no_signal():
    where = market([FLAT] * 6)
    rows = np.array([2, 4, 5])
    result = simulate(predictions([2, 0, 1], where.bars.time_ns[rows], rows), where)
    assert (result.first_row, len(result.net)) == (2, 4)
    assert exits(result) == [(1, 3, 5, 100.0, 100.0, "FLIP"), (-1, 5, 5, 100.0, 100.0, "END")]


def test_predictions_of_other_bars_are_refused():
    where = market([FLAT] * 3)
    with pytest.raises(DataError, match="do not lie on these bars"):
        simulate(predictions([2], where.bars.time_ns[:1] + 1, [0]), where)
    with pytest.raises(DataError, match="no predictions"):
        simulate(predictions([], np.zeros(0, np.int64), []), where)


def test_symbols_together_earn_the_mean_joined_by_session():
    rising = [FLAT, (100.0, 110.0, 100.0, 110.0), (110.0, 110.0, 110.0, 110.0)]
    falling = [FLAT, (100.0, 100.0, 96.0, 96.0), (96.0, 96.0, 96.0, 96.0)]
    markets = [market(rising, symbol="A"), market(falling, symbol="B")]
    time_ns = np.tile(markets[0].bars.time_ns, 2)
    both = predictions([2, 1, 1, 2, 1, 1], time_ns, [0, 1, 2] * 2, codes=[0, 0, 0, 1, 1, 1], symbols=("A", "B"))
    metrics = simulate_all(both, markets).metrics()
    assert metrics["total_return"] == pytest.approx((0.10 - 0.04) / 2)
    assert metrics["sessions"] == 1
    assert metrics["per_symbol"]["B"]["total_return"] == pytest.approx(-0.04)
    assert metrics["per_symbol"]["B"]["max_drawdown"] == pytest.approx(-0.04)
    assert metrics["max_drawdown"] == 0.0  # the other symbol's gain of the same hour covers it
    assert metrics["turnover"] == 2.0


@st.composite
def random_paths(draw):
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, 60))
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, count)))
    open_ = np.roll(close, 1) * (1 + generator.normal(0, 0.005, count) * (generator.random(count) < 0.3))
    high = np.maximum(open_, close) * (1 + generator.random(count) * 0.01)
    low = np.minimum(open_, close) * (1 - generator.random(count) * 0.01)
    rule = BarrierRule(k_up=draw(st.floats(0.2, 3)), k_down=draw(st.floats(0.2, 3)), max_bars=draw(st.integers(1, 9)))
    where = market(np.stack([open_, high, low, close], axis=1), rule=rule, instrument=SIX_COSTS, bar_seconds=6 * HOUR)
    return where, generator.integers(-1, 2, count).astype(np.int8)


@settings(max_examples=150, deadline=None)
@given(random_paths())
def test_bar_pnl_adds_up_to_trades_and_never_two_positions(path):
    where, wanted = path
    result = simulate_sides(wanted, where, 0)
    assert result.net.sum() == pytest.approx(result.trades["net"].sum(), abs=1e-12)
    assert result.gross.sum() == pytest.approx(result.trades["gross"].sum(), abs=1e-12)
    assert result.daily.sum() == pytest.approx(result.net.sum(), abs=1e-12)
    trades = result.trades
    assert (trades["exit_row"] >= trades["entry_row"]).all()
    same_bar = trades["entry_row"][1:] == trades["exit_row"][:-1]
    assert (trades["entry_row"][1:] >= trades["exit_row"][:-1]).all()
    assert (trades["reason"][:-1][same_bar] == Exit.FLIP).all()
    assert 0 <= result.metrics()["exposure"] <= 1


@settings(max_examples=100, deadline=None)
@given(random_paths(), st.integers(1, 59))
def test_later_bars_and_signals_change_no_earlier_pnl(path, cut):
    where, wanted = path
    cut = min(cut, len(wanted) - 1)
    corrupted = market(
        np.stack(
            [
                np.where(np.arange(len(wanted)) < cut, getattr(where.bars, name), 7.0)
                for name in ("open", "high", "low", "close")
            ],
            axis=1,
        ),
        rule=where.rule,
        instrument=SIX_COSTS,
        bar_seconds=6 * HOUR,
    )
    other = np.where(np.arange(len(wanted)) < cut, wanted, -wanted)
    before, after = simulate_sides(wanted, where, 0), simulate_sides(other, corrupted, 0)
    np.testing.assert_array_equal(before.net[:cut], after.net[:cut])
