from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.studies.member_choice import MemberChoice, greedy_choice

ROWS = 400


def members():
    """Two members that know one half of the rows each, and one that is wrong on all of them."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, ROWS)
    sure, unsure = 0.7 * np.eye(3)[truth] + 0.1, np.full((ROWS, 3), 1 / 3)
    half = (np.arange(ROWS) % 2 == 0)[:, None]
    wrong = 0.7 * np.eye(3)[(truth + 1) % 3] + 0.1
    return {"wrong": wrong, "even": np.where(half, sure, unsure), "odd": np.where(half, unsure, sure)}, truth


def test_members_are_added_while_the_mean_gets_better_on_the_judging_rows():
    probabilities, truth = members()
    choice = greedy_choice(probabilities, truth, np.arange(300), np.arange(300, ROWS))
    assert choice.order == ("even", "odd", "wrong")
    assert choice.chosen == ("even", "odd")
    assert choice.losses[:2] == pytest.approx((-(np.log(0.8) + np.log(1 / 3)) / 2, -np.log((0.8 + 1 / 3) / 2)))
    assert choice.losses[2] > choice.losses[1]


def test_the_number_of_members_comes_from_the_judging_rows_alone():
    probabilities, truth = members()
    later = np.where(np.arange(ROWS) < 300, truth, (truth + 1) % 3)
    choice = greedy_choice(probabilities, later, np.arange(300), np.arange(300, ROWS))
    assert choice.order == ("even", "odd", "wrong")
    assert choice.chosen == ("even", "odd", "wrong")


def test_without_judging_rows_the_choosing_rows_judge():
    probabilities, truth = members()
    everything = np.arange(ROWS)
    assert greedy_choice(probabilities, truth, everything, everything[:0]).chosen == ("even", "odd")


def test_of_equal_losses_the_fewer_members_stay():
    assert MemberChoice(("a", "b", "c"), (1.0, 0.9, 0.9)).chosen == ("a", "b")
