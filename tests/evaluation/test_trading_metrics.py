from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.evaluation.significance import RESAMPLES, TAILS, draw_blocks
from ohlcv_factory.evaluation.trading import TRADE_DTYPE, simulate_all
from ohlcv_factory.evaluation.trading_metrics import (
    TradedPath,
    break_even_cost_bps,
    max_drawdown,
    profit_factor,
    trading_intervals,
    trading_metrics,
)
from ohlcv_factory.runtime.seeding import component_generator


def test_drawdown_counts_from_zero_and_from_peaks():
    assert max_drawdown(np.array([1.0, -3.0, 1.0, -0.5])) == -3.0
    assert max_drawdown(np.array([-1.0, 0.5])) == -1.0
    assert max_drawdown(np.zeros(0)) == 0.0


def test_profit_factor_is_undefined_without_a_loss():
    assert profit_factor(np.array([2.0, 1.0, -1.5])) == 2.0
    assert profit_factor(np.array([2.0])) is None


@pytest.fixture
def portfolio(make_market, make_predictions):
    """`portfolio(fee_bps=…)`: 90 days of coin tosses on one market."""

    def trade(fee_bps=1.0, days=90):
        returns = np.random.default_rng(11).normal(0, 0.01, 24 * days)
        decision = np.random.default_rng(12).integers(0, 3, len(returns))
        return simulate_all(make_predictions(decision, decision), [make_market(returns, fee_bps=fee_bps)])

    return trade


def test_at_the_break_even_cost_nothing_is_earned(portfolio):
    free = portfolio(fee_bps=0.0)
    assert free.metrics()["cost_bps"] == 0.0
    gross = free.metrics()["total_return"]
    cost = abs(free.metrics()["break_even_cost_bps"])
    assert portfolio(fee_bps=cost).metrics()["total_return"] == pytest.approx(gross - abs(gross), abs=1e-9)
    assert portfolio(fee_bps=3.0).metrics()["cost_bps"] == pytest.approx(3.0)
    assert portfolio(fee_bps=3.0).metrics()["break_even_cost_bps"] == free.metrics()["break_even_cost_bps"]


def test_without_a_trade_no_cost_breaks_even(portfolio):
    assert break_even_cost_bps(portfolio().results[0].trades[:0]) is None


def test_every_score_of_a_path_has_its_interval(portfolio):
    metrics = portfolio().metrics()
    names = {"annualized_return", "total_return", "win_rate", "profit_factor", "break_even_cost_bps", "max_drawdown"}
    assert set(metrics["intervals"]) == names
    for name in names - {"max_drawdown"}:
        low, high = metrics["intervals"][name]
        assert low < metrics[name] < high
    low, high = metrics["intervals"]["max_drawdown"]
    assert low < high < 0


def test_intervals_are_left_out_where_nobody_asks_and_undefined_in_a_week(portfolio):
    assert trading_metrics(portfolio().path(), intervals=False)["intervals"] is None
    assert set(portfolio(days=7).metrics()["intervals"].values()) == {None}


def test_resampled_drawdowns_are_those_of_the_sessions_put_in_that_order(portfolio):
    path = portfolio(days=40).path()
    starts, stops = draw_blocks(40, 5, RESAMPLES, component_generator(9, "drawdown_bootstrap"))
    sessions = [path.net[path.bar_session == day] for day in range(40)]
    deepest = []
    for firsts, pasts in zip(starts, stops, strict=True):
        days = np.concatenate([np.arange(*ends) % 40 for ends in zip(firsts, pasts, strict=True)])
        deepest.append(max_drawdown(np.concatenate([sessions[day] for day in days])))
    assert trading_intervals(path, seed=9)["max_drawdown"] == pytest.approx(np.quantile(deepest, TAILS), abs=1e-12)


def test_a_fall_inside_one_session_is_a_drawdown_in_any_order_of_sessions():
    # 40 sessions that rise by 3 and fall by 2: no order of them falls deeper than one of them alone
    nothing = np.zeros(0, TRADE_DTYPE)
    net, session = np.tile([3.0, -2.0], 40), np.repeat(np.arange(40), 2)
    path = TradedPath(np.ones(40), 252.0, net, session, nothing, np.zeros(0), np.zeros(0, np.int64), 80)
    assert trading_intervals(path)["max_drawdown"] == (-2.0, -2.0)


def test_trades_count_in_the_session_in_which_they_end(portfolio):
    path = portfolio(days=10).path()
    by_day = np.bincount(path.trade_session, path.trades["net"], minlength=10)
    late = path.trades["exit_row"] // 24 != path.trades["entry_row"] // 24
    assert late.any()  # some are carried over midnight
    np.testing.assert_array_equal(path.trade_session, path.trades["exit_row"] // 24)
    assert by_day.sum() == pytest.approx(path.daily.sum())


def test_track_record_and_probability_stand_beside_the_sharpe_ratio(portfolio):
    metrics = portfolio().metrics()
    assert 0 <= metrics["probabilistic_sharpe_ratio"] <= 1
    assert (metrics["minimum_track_record"] is None) == (metrics["sharpe_ratio"] <= 0)
    assert portfolio(days=3).metrics()["probabilistic_sharpe_ratio"] is None
