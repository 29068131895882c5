"""What is said of some scores: an edge needs every piece of evidence, and more of it the more was tried."""

from __future__ import annotations

import re

import pytest

from ohlcv_factory.evaluation.sharpe import SharpeMoments, probabilistic_sharpe_ratio
from ohlcv_factory.evaluation.trials import Trials, moments_of, trials_block
from ohlcv_factory.evaluation.verdict import verdict


def scores(
    *,
    sharpe=2.0,
    interval=(0.2, 3.8),
    edge_interval=(0.01, 0.05),
    sessions=250,
    trades=500,
    rows=900.0,
    trials=None,
    break_even=None,
):
    trading = {
        "sharpe_ratio": sharpe,
        "sharpe_interval": interval,
        "sessions": sessions,
        "sessions_per_year": 252.0,
        "num_trades": trades,
        "skewness": None if sharpe is None else 0.0,
        "kurtosis": None if sharpe is None else 3.0,
        "break_even_cost_bps": break_even,
        "cost_bps": 1.0,
    }
    direction = {
        "direction_edge": 0.03,
        "direction_edge_interval": edge_interval,
        "independent_rate": 0.5,
        "direction_effective_rows": rows,
    }
    return {"classification": direction, "trading": trading, "trials": trials_block(trials or Trials(), trading)}


def rival(sharpe, interval=None):
    return {"trading": {"sharpe_ratio": sharpe, "sharpe_interval": interval}}


@pytest.mark.parametrize(
    ("changed", "rivals", "code"),
    [
        ({}, {}, "edge"),
        ({"interval": (-0.1, 3.8)}, {}, "no edge found"),
        ({"edge_interval": (-0.01, 0.05)}, {}, "no edge found"),
        ({"edge_interval": None}, {}, "no edge found"),
        ({"edge_interval": (1e-17, 1e-17)}, {}, "no edge found"),
        ({"sharpe": None, "interval": None}, {}, "no edge found"),
        ({}, {"buy_and_hold": rival(2.0)}, "no edge found"),
        ({}, {"buy_and_hold": rival(1.9), "always_flat": rival(None)}, "edge"),
        ({}, {"random_same_turnover": rival(-0.5, (-2.0, 2.1))}, "no edge found"),
        ({"sessions": 19}, {}, "too little data"),
        ({"trades": 29}, {}, "too little data"),
        ({"rows": 49.9}, {}, "too little data"),
        ({"sessions": 19, "sharpe": -20.0, "interval": (-33.0, -13.0)}, {}, "no edge found"),
        ({"trials": Trials(2)}, {}, "no edge found"),
        ({"trials": Trials(2), "sharpe": 3.0}, {}, "edge"),
        ({"trials": Trials(200), "sharpe": 3.0}, {}, "no edge found"),
        ({"trials": Trials(200, 200, 2.5e-4), "sharpe": 3.0}, {}, "edge"),
        ({"sharpe": 1.5}, {}, "no edge found"),
    ],
)
def test_an_edge_needs_every_piece_of_evidence(changed, rivals, code):
    assert verdict(scores(**changed), rivals).code == code


def test_the_verdict_says_its_numbers():
    words = verdict(scores(interval=(-0.1, 3.8)), {"buy_and_hold": rival(2.5)}).words
    assert (
        words == "No edge found: net Sharpe 2.00, 90 % interval -0.10 to 3.80; net Sharpe not above buy_and_hold 2.50."
    )


def test_the_verdict_says_that_chance_is_beaten_above_its_spread_only():
    words = verdict(scores(), {"random_same_turnover": rival(-0.5, (-2.0, 2.1))}).words
    assert words == "No edge found: net Sharpe not above the upper end of random_same_turnover 2.10."


def test_an_edge_says_how_many_trials_stand_behind_it_and_at_which_cost_it_would_vanish():
    words = verdict(scores(sharpe=6.0, trials=Trials(3), break_even=2.345), {}).words
    assert words.endswith(
        "3 trials stand behind it on this data: a deflated Sharpe ratio of over 99.9 %. "
        "It paid 1.00 bp per side and breaks even at 2.35 bp."
    )
    assert "It is the only trial on this data" in verdict(scores(), {}).words


def test_too_many_trials_are_named_as_the_reason_against_an_edge():
    words = verdict(scores(sharpe=3.0, trials=Trials(200), break_even=-0.5), {}).words
    assert words == (
        "No edge found: the best of 200 trials without skill would show 2.78, deflated Sharpe ratio 58.7 % (at least 95 %). "
        "At this Sharpe ratio it would take 298 more days to tell it from the best of 200 trials without skill. "
        "It loses before costs."
    )


def days(words):
    found = re.search(r"([\d,]+) more day", words)
    assert found is not None, words
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("ratio", [0.8, 3.0, 9.0])
def test_the_days_that_are_still_needed_are_those_of_the_minimum_track_record(ratio):
    found = scores(sharpe=ratio, sessions=12, interval=(-4.0, 9.0))
    needed = days(verdict(found, {}).words)
    moments = moments_of(found["trading"])
    record = SharpeMoments(moments.ratio, 0.0, 3.0, 12 + needed)
    assert probabilistic_sharpe_ratio(record) >= 0.95
    one_day_less = SharpeMoments(moments.ratio, 0.0, 3.0, 12 + needed - 1)
    assert probabilistic_sharpe_ratio(one_day_less) < 0.95 or 12 + needed == 20


def test_too_little_data_says_what_is_short_and_how_long_it_takes():
    words = verdict(scores(sharpe=3.0, sessions=12, interval=(-4.0, 9.0)), {}).words
    assert words == (
        "Too little data to tell: 60 more days needed. 12 sessions (at least 20); at the measured net Sharpe of 3.00 it "
        "takes 72 to tell it from 0."
    )


def test_more_trials_take_more_days():
    few, many = (
        days(verdict(scores(sharpe=3.0, sessions=12, interval=(-4.0, 9.0), trials=Trials(count)), {}).words)
        for count in (1, 100)
    )
    assert (few, many) == (60, 440)


def test_a_loss_needs_days_for_a_judgement_and_no_number_of_them_for_an_edge():
    words = verdict(scores(sharpe=-1.0, sessions=12, interval=(-4.0, 2.0)), {}).words
    assert words == (
        "Too little data to tell: 8 more days needed for a judgement. 12 sessions (at least 20); at the measured net "
        "Sharpe of -1.00 no record is long enough to show an edge."
    )


def test_the_days_until_there_are_trades_enough_are_reckoned_at_their_rate_so_far():
    words = verdict(scores(sharpe=-1.0, trades=10, interval=(-4.0, 2.0)), {}).words
    assert words.startswith("Too little data to tell: 500 more days needed for a judgement. 10 trades (at least 30)")


def test_without_a_single_trade_no_number_of_days_is_invented():
    words = verdict(scores(sharpe=None, interval=None, trades=0), {}).words
    assert words == (
        "Too little data to tell: it cannot be said how many more days are needed. 0 trades (at least 30), and no rate to "
        "reckon with."
    )


def test_a_ratio_that_is_undefined_promises_and_excludes_nothing():
    words = verdict(scores(sharpe=None, interval=None, sessions=2), {}).words
    assert words == "Too little data to tell: 18 more days needed for a judgement. 2 sessions (at least 20)."


def test_a_loss_is_not_weighed_by_its_trials():
    words = verdict(scores(sharpe=-1.0, interval=(-3.0, 0.5), trials=Trials(200)), {}).words
    assert words == "No edge found: net Sharpe -1.00, 90 % interval -3.00 to 0.50."
