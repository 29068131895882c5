from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.evaluation.breakdown import VolatilityCuts, breakdown, groupings, reliability_table
from ohlcv_factory.evaluation.classification import classification_scores
from ohlcv_factory.evaluation.trading import simulate_all

HOURS = 24 * 40


@pytest.fixture
def case(make_market, make_predictions):
    """Coin tosses on 40 days of hourly bars from 2024-01-01, whose ATR is 1 % of the price, then 3 %, then 2 %."""
    returns = np.random.default_rng(3).normal(0, 0.01, HOURS)
    market = make_market(returns)
    share = np.repeat([0.01, 0.03, 0.02], HOURS // 3)
    market = replace(market, atr=market.bars.close * share)
    truth, decision = np.random.default_rng(4).integers(0, 3, (2, HOURS))
    predictions = make_predictions(decision, truth)
    return predictions, [market], simulate_all(predictions, [market])


def cuts_of(predictions, markets):
    return VolatilityCuts.fit(predictions.index, markets)


def test_groups_divide_rows_bars_profit_and_trades(case):
    predictions, markets, portfolio = case
    table = breakdown(predictions, portfolio, markets, cuts_of(predictions, markets), np.ones(HOURS))
    whole = portfolio.metrics(intervals=False)
    assert list(table) == ["year", "session", "volatility"]
    for name, groups in table.items():
        missing = 1 if name == "volatility" else 0  # the first bar has no ATR before it
        assert sum(group["rows"] for group in groups.values()) == HOURS
        assert sum(group["num_trades"] for group in groups.values()) == whole["num_trades"]
        first = portfolio.results[0].net[:missing].sum()
        total = sum(group["total_return"] for group in groups.values())
        assert total == pytest.approx(whole["total_return"] - first, abs=1e-12)


def test_a_year_is_that_of_its_session_and_scores_as_its_rows_alone(case):
    predictions, markets, portfolio = case
    table = breakdown(predictions, portfolio, markets, cuts_of(predictions, markets), np.ones(HOURS))
    assert list(table["year"]) == ["2024"]
    alone = classification_scores(predictions.truth, predictions.decision, predictions.probabilities, np.ones(HOURS))
    whole = portfolio.metrics(intervals=False)
    year = table["year"]["2024"]
    for name in ("rows", "macro_f1", "log_loss", "ece", "direction_hit_rate", "independent_rate", "direction_edge"):
        assert year[name] == pytest.approx(alone[name])
    for name in ("sharpe_ratio", "total_return", "sessions", "num_trades"):
        assert year[name] == pytest.approx(whole[name])


def test_sessions_follow_the_clocks_of_the_stock_markets(case):
    predictions, markets, portfolio = case
    grouping = groupings(predictions, portfolio, markets, cuts_of(predictions, markets))["session"]
    monday = [grouping.names[code] for code in grouping.rows[:24]]  # 2024-01-01, no daylight saving anywhere
    assert monday[0:6] == ["asia"] * 6  # 9:00 to 15:00 in Tokyo
    assert monday[8:15] == ["london"] * 7
    assert monday[15:17] == ["london and ny"] * 2  # 14:30 to 16:30 in UTC
    assert monday[17:21] == ["ny"] * 4
    assert {*monday[6:8], *monday[21:24]} == {"outside"}
    assert set(grouping.rows[5 * 24 : 7 * 24].tolist()) == {4}  # the weekend


def test_volatility_regimes_are_thirds_of_the_training_rows(case):
    predictions, markets, portfolio = case
    grouping = groupings(predictions, portfolio, markets, cuts_of(predictions, markets))["volatility"]
    third = HOURS // 3
    assert [grouping.names[grouping.rows[row]] for row in (0, third, 2 * third)] == ["calm", "wild", "usual"]
    assert np.bincount(grouping.rows).tolist() == [third] * 3


def test_profit_takes_the_regime_that_was_known_at_the_close_before(case):
    predictions, markets, portfolio = case
    grouping = groupings(predictions, portfolio, markets, cuts_of(predictions, markets))["volatility"]
    assert grouping.bars[0][0] == -1
    np.testing.assert_array_equal(grouping.bars[0][1:], grouping.rows[:-1])


def test_cuts_know_the_training_rows_only(case):
    predictions, markets, _ = case
    train = predictions.index[:300]
    before = VolatilityCuts.fit(train, markets)
    other = replace(markets[0], atr=np.where(np.arange(HOURS) < 300, markets[0].atr, 50.0))
    assert VolatilityCuts.fit(train, [other]) == before


def test_a_bar_without_atr_and_a_symbol_without_training_rows_have_no_regime(case):
    predictions, markets, _ = case
    torn = replace(markets[0], atr=np.where(np.arange(HOURS) == 5, np.nan, markets[0].atr))
    regime = cuts_of(predictions, markets).regime(torn, 0)
    assert regime[5] == -1 and regime[6] == 0
    assert set(cuts_of(predictions, markets).regime(markets[0], 1).tolist()) == {-1}


def test_groups_without_rows_or_bars_are_left_out(case):
    predictions, markets, _ = case
    night = predictions.take(np.arange(6))  # Monday morning in Tokyo
    table = breakdown(night, simulate_all(night, markets), markets, cuts_of(predictions, markets), np.ones(6))
    assert list(table["session"]) == ["asia"]


def test_rows_that_are_not_scored_are_in_no_group(case):
    predictions, markets, portfolio = case
    half = replace(predictions, scored=np.arange(HOURS) % 2 == 0)
    table = breakdown(half, portfolio, markets, cuts_of(predictions, markets), np.ones(HOURS))
    assert table["year"]["2024"]["rows"] == HOURS // 2


def test_reliability_is_tabled_by_group(case):
    predictions, markets, portfolio = case
    grouping = groupings(predictions, portfolio, markets, cuts_of(predictions, markets))["session"]
    table = reliability_table(predictions, grouping)
    assert sum(each["rows"] for group in table.values() for each in group["reliability"]) == HOURS
    asia = predictions.take(grouping.rows == 0)
    hit = float((asia.truth == asia.decision).mean())
    # every probability of the decided class is 0.8, which lies in bin 12 of 15
    assert table["asia"]["reliability"] == [
        {"low": 12 / 15, "high": 13 / 15, "rows": len(asia), "confidence": pytest.approx(0.8), "accuracy": hit}
    ]
    assert table["asia"]["ece"] == pytest.approx(abs(hit - 0.8))
