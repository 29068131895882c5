from __future__ import annotations

import math

import pytest

from ohlcv_factory.reports import words

THIN = "\u202f"


@pytest.mark.parametrize("form", [words.number, words.score, words.count, words.percent, words.points, words.duration])
@pytest.mark.parametrize("undefined", [None, math.nan, math.inf])
def test_an_undefined_number_is_a_dash(form, undefined):
    assert form(undefined) == "–"


def test_an_undefined_interval_is_a_dash():
    assert words.interval(None) == "–"


def test_numbers_have_thin_separators_and_a_true_minus():
    assert words.number(-1234.5) == f"−1{THIN}234.50"


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert words.number(-0.001) == "0.00"


def test_shares_are_per_cent():
    assert words.percent(0.0273) == f"2.7{THIN}%"


def test_differences_of_shares_carry_their_sign():
    assert (words.points(0.0141), words.points(-0.0141)) == (f"+1.4{THIN}pp", f"−1.4{THIN}pp")


def test_an_interval_names_both_ends():
    assert words.interval((-0.5, 1.25)) == "−0.50 to 1.25"


@pytest.mark.parametrize(("seconds", "text"), [(7.148, "7.1 s"), (754, "12 min 34 s"), (7260, "2 h 1 min")])
def test_durations_use_the_unit_that_fits(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(300, "5-minute"), (3600, "1-hour"), (86400, "1-day"), (90, "90-second")]
)
def test_bar_sizes_have_names(seconds, text):
    assert words.bar_size(seconds) == text


def test_times_lose_what_says_nothing():
    assert words.moment("2024-01-08T23:20:00Z") == "2024-01-08 23:20"


def test_lists_read_like_sentences():
    assert (words.listing("abc"), words.listing("a"), words.listing("")) == ("a, b and c", "a", "–")


def test_costs_name_every_component():
    instrument = {"currency": "USD", "fee_bps": 0.3, "slippage_ticks": 2.0, "tick_size": 0.00001, "commission": 0.62}
    assert words.costs(instrument) == "0.3 bp of the traded value + 2 ticks of 0.00001 USD + 0.62 USD per contract"


def test_an_instrument_without_costs_says_so():
    assert words.costs({"currency": "USD", "fee_bps": 0, "slippage_ticks": 0, "commission": 0}) == "none"


def test_barriers_name_distances_and_time_out():
    assert words.label_rule({"k_up": 3.0, "k_down": 2.1, "max_bars": 60}) == "+3 / −2.1 ATR, 60 bars"


def test_a_fixed_horizon_names_its_threshold():
    rule = {"theta": 0.5, "horizon": 20, "sigma_bars": 100}
    assert words.label_rule(rule) == "±0.5 σ of 20 bars, σ of 100 returns"
