from __future__ import annotations

import json

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.scorecard import judged, scorecard, threshold_column
from ohlcv_factory.evaluation.trials import Trials
from ohlcv_factory.labels.classes import LONG, SHORT

BAR_NS = 3600 * 1_000_000_000
SHARES = np.array([0.3, 0.3, 0.4])


def outlook(returns, skill, seed=0):
    """Truth is the sign of the next bar's return; decisions know it with probability `skill`, else toss a coin."""
    generator = np.random.default_rng(seed)
    truth = np.where(np.roll(returns, -1) > 0, LONG, SHORT)
    coin = np.where(generator.random(len(returns)) < 0.5, LONG, SHORT)
    return np.where(generator.random(len(returns)) < skill, truth, coin), truth


def card_of(predictions, markets, **changes):
    inputs = {
        "label_end": predictions.index["time_ns"] + 2 * BAR_NS,
        "uniqueness": np.ones(len(predictions)),
        "class_shares": SHARES,
    }
    return scorecard(predictions, markets, **{**inputs, **changes})


@pytest.fixture
def returns():
    return np.random.default_rng(11).normal(0, 0.01, 24 * 60)


def test_a_card_is_plain_json_with_the_same_metric_names_for_every_baseline(make_market, make_predictions, returns):
    card = card_of(make_predictions(*outlook(returns, 0.5)), [make_market(returns)])
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert list(card) == ["classification", "trading", "thresholds", "trials", "verdict", "baselines"]
    for scores in card["baselines"].values():
        assert set(scores["trading"]) == set(card["trading"])
        assert set(scores["classification"]) == set(card["classification"])


def test_schema_names_stand_in_their_blocks(make_market, make_predictions, returns):
    card = card_of(make_predictions(*outlook(returns, 0.5)), [make_market(returns)])
    classification = {"accuracy", "macro_f1", "weighted_f1", "per_class_f1", "confusion_matrix"}
    trading = {"sharpe_ratio", "annualized_return", "max_drawdown", "win_rate", "profit_factor", "num_trades"}
    assert classification <= set(card["classification"])
    assert trading <= set(card["trading"])


def test_foresight_is_an_edge_and_a_coin_is_not(make_market, make_predictions, returns):
    market = make_market(returns)
    assert card_of(make_predictions(*outlook(returns, 0.6)), [market])["verdict"]["code"] == "edge"
    found = card_of(make_predictions(*outlook(returns, 0.0)), [market])["verdict"]
    assert found["code"] == "no edge found"
    assert "90 % interval" in found["words"]


def test_few_sessions_are_too_little_data(make_market, make_predictions, returns):
    short = returns[: 24 * 5]
    found = card_of(make_predictions(*outlook(short, 0.9)), [make_market(short)])["verdict"]
    assert found["code"] == "too little data"
    assert "5 sessions (at least 20)" in found["words"]


def test_random_baseline_has_the_turnover_of_the_model(make_market, make_predictions, returns):
    card = card_of(make_predictions(*outlook(returns, 0.6)), [make_market(returns)])
    chance = card["baselines"]["random_same_turnover"]["trading"]
    assert chance["turnover"] == pytest.approx(card["trading"]["turnover"], rel=0.05)
    assert chance["sharpe_interval"][0] < chance["sharpe_ratio"] < chance["sharpe_interval"][1]


def test_buy_and_hold_is_one_trade_and_always_flat_none(make_market, make_predictions, returns):
    market = make_market(returns)
    table = card_of(make_predictions(*outlook(returns, 0.5)), [market])["baselines"]
    assert table["buy_and_hold"]["trading"]["num_trades"] == 1
    grown = market.bars.close[-1] / market.bars.open[1] - 1
    paid = 1e-4 * (1 + market.bars.close[-1] / market.bars.open[1])
    assert table["buy_and_hold"]["trading"]["total_return"] == pytest.approx(grown - paid)
    assert table["always_flat"]["trading"]["total_return"] == 0.0
    assert table["buy_and_hold"]["classification"]["log_loss"] is None


def test_only_scored_rows_are_scored_but_all_rows_trade(make_market, make_predictions, returns):
    decision, truth = outlook(returns, 0.5)
    half = np.arange(len(decision)) % 2 == 0
    market = make_market(returns)
    card = card_of(make_predictions(decision, truth, scored=half), [market])
    assert card["classification"]["rows"] == len(decision) // 2
    assert card["trading"] == card_of(make_predictions(decision, truth), [market])["trading"]


def test_several_symbols_are_scored_together_and_apart(make_market, make_predictions, returns):
    parts = [make_predictions(*outlook(returns, 0.5, seed), code=seed, symbols=("A", "B")) for seed in (0, 1)]
    names = ("index", "raw", "probabilities", "decision", "truth", "labelled", "scored")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    both = Predictions(symbols=("A", "B"), horizon=5, **joined)
    card = card_of(both, [make_market(returns, "A"), make_market(-returns, "B")])
    for block in ("classification", "trading"):
        assert list(card[block]["per_symbol"]) == ["A", "B"]
    each = [card["trading"]["per_symbol"][name]["total_return"] for name in "AB"]
    assert card["trading"]["total_return"] == pytest.approx(sum(each) / 2)


def test_rows_that_do_not_match_are_refused(make_market, make_predictions, returns):
    with pytest.raises(DataError, match="uniqueness has 3 rows"):
        card_of(make_predictions(*outlook(returns, 0.5)), [make_market(returns)], uniqueness=np.ones(3))


def test_thresholds_are_passed_only_from_above():
    assert threshold_column({"classification": {"macro_f1": 0.35}, "trading": {"sharpe_ratio": 0.31}}) == {
        "macro_f1": {"threshold": 0.35, "value": 0.35, "passed": False},
        "sharpe_ratio": {"threshold": 0.3, "value": 0.31, "passed": True},
    }
    undefined = {"classification": {"macro_f1": 0.35}, "trading": {"sharpe_ratio": None}}
    assert threshold_column(undefined)["sharpe_ratio"]["passed"] is None


def test_the_same_scores_are_an_edge_of_one_trial_and_none_of_very_many(make_market, make_predictions, returns):
    card = card_of(make_predictions(*outlook(returns, 0.2)), [make_market(returns)])
    assert (card["verdict"]["code"], card["trials"]["count"]) == ("edge", 1)
    again = judged(card, Trials(count=10**12))
    assert again["verdict"]["code"] == "no edge found"
    assert again["trials"]["count"] == 10**12
    assert again["trading"] == card["trading"]
    assert judged(again, Trials()) == card


def test_a_card_of_a_version_without_trials_keeps_its_verdict():
    old = {"trading": {}, "verdict": {"code": "edge", "words": "as it was"}}
    assert judged(old, Trials(count=50)) == old
