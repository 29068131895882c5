from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ohlcv_factory.evaluation.decisions import Threshold
from ohlcv_factory.evaluation.thresholds import LEVELS, MIN_TRADES, NEVER, fit_thresholds
from ohlcv_factory.evaluation.trading import TradeRules, simulate
from ohlcv_factory.labels.classes import LONG, SHORT

HOURS = 24 * 50


def outlook(make_predictions, returns, *, knows, seed=3, first_row=0):
    """Probabilities of a side that are as high as they are right: above `knows` they see the next bar, below nothing."""
    generator = np.random.default_rng(seed)
    coming = np.roll(returns, -1) > 0
    sure = generator.uniform(0.34, 0.9, len(returns))
    right = generator.random(len(returns)) < np.where(sure >= knows, 0.95, 0.5)
    side = np.where(coming == right, LONG, SHORT)
    found = make_predictions(side, side, first_row=first_row)
    probabilities = np.tile(((1 - sure) / 2)[:, None], 3)
    probabilities[np.arange(len(side)), side] = sure
    return replace(found, probabilities=probabilities)


@pytest.fixture
def returns():
    return np.random.default_rng(7).normal(0, 0.01, HOURS)


def score(net):
    return net.sum() - np.sqrt((net**2).sum())


def test_acting_starts_where_probabilities_begin_to_pay(make_market, make_predictions, returns):
    market = make_market(returns, fee_bps=20.0)
    found = fit_thresholds(outlook(make_predictions, returns, knows=0.75), [market])
    assert found.rule.short > 0.6 and found.rule.long > 0.6
    assert found.trades >= MIN_TRADES
    assert found.net > 0


def test_the_pair_found_is_the_best_of_all_pairs(make_market, make_predictions, returns):
    market, predictions = make_market(returns, fee_bps=20.0), outlook(make_predictions, returns, knows=0.7)
    found = fit_thresholds(predictions, [market])
    levels = [
        [None, *np.quantile(predictions.probabilities[:, side], LEVELS, method="higher")] for side in (SHORT, LONG)
    ]
    nets = [simulate(predictions.decided_by(Threshold(*pair)), market).trades["net"] for pair in product(*levels)]
    best = max((net for net in nets if len(net) >= MIN_TRADES), key=score)
    assert (found.trades, found.net) == (len(best), pytest.approx(best.sum()))
    assert found.tried == 81


def test_where_no_probability_pays_its_costs_the_rule_never_acts(make_market, make_predictions, returns):
    found = fit_thresholds(outlook(make_predictions, returns, knows=2.0), [make_market(returns, fee_bps=50.0)])
    assert (found.rule, found.trades, found.net) == (NEVER, 0, 0.0)


def test_costs_raise_the_bar(make_market, make_predictions, returns):
    predictions = outlook(make_predictions, returns, knows=0.6)
    trades = [fit_thresholds(predictions, [make_market(returns, fee_bps=fee)]).trades for fee in (0.0, 30.0)]
    assert trades[1] < trades[0]


def test_a_handful_of_lucky_trades_decides_nothing(make_market, make_predictions, returns):
    predictions = outlook(make_predictions, returns[: MIN_TRADES - 1], knows=0.0)
    assert fit_thresholds(predictions, [make_market(returns)], TradeRules(costs=False)).rule == NEVER


def test_no_position_is_held_over_rows_that_are_not_given(make_market, make_predictions, returns):
    calm = returns.copy()
    calm[600:700] = 0.2  # a boom that lies outside of the rows
    market = make_market(calm, fee_bps=20.0)
    whole = outlook(make_predictions, calm, knows=0.75)
    whole.probabilities[596:600] = (0.0, 0.01, 0.99)  # whoever holds these into it, earns it
    rows = np.r_[0:600, 700:HOURS]
    found = fit_thresholds(whole.take(rows), [market])
    apart = [whole.take(slice(0, 600)), whole.take(slice(700, HOURS))]
    nets = np.concatenate([simulate(part.decided_by(found.rule), market).trades["net"] for part in apart])
    assert (found.trades, found.net) == (len(nets), pytest.approx(nets.sum()))
    assert fit_thresholds(whole.take(np.random.default_rng(0).permutation(rows)), [market]) == found


def test_symbols_share_their_thresholds(make_market, make_predictions, returns):
    markets = [make_market(returns, "A", 20.0), make_market(-returns, "B", 20.0)]
    parts = [outlook(make_predictions, sign * returns, knows=0.75, seed=seed) for seed, sign in ((1, 1), (2, -1))]
    names = ("index", "raw", "probabilities", "decision", "truth", "labelled", "scored")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    joined["index"]["symbol_code"] = np.repeat([0, 1], HOURS)
    both = replace(parts[0], symbols=("A", "B"), **joined)
    found = fit_thresholds(both, markets)
    nets = [
        simulate(both.take(np.arange(HOURS) + code * HOURS).decided_by(found.rule), market).trades["net"]
        for code, market in enumerate(markets)
    ]
    assert found.net == pytest.approx(np.concatenate(nets).sum())
