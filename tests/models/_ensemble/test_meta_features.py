from __future__ import annotations

import math

import numpy as np
import pytest

from ohlcv_factory.models._ensemble import meta_features

TWO = np.array([[[0.2, 0.2, 0.6], [0.5, 0.25, 0.25]]])
"""One row of two members: the first says long, the second short."""


def test_a_member_has_two_log_ratios_to_neutral():
    found = meta_features.log_ratios(TWO)
    assert found.tolist() == [pytest.approx([0.0, math.log(3), math.log(2), 0.0])]


def test_an_impossible_class_has_a_finite_ratio():
    found = meta_features.log_ratios(np.array([[[0.0, 0.5, 0.5]]]))
    assert found.tolist() == [pytest.approx([math.log(1e-6 / 0.5), 0.0])]


def test_confidence_margin_and_entropy_are_those_of_each_member():
    assert meta_features.confidence(TWO).tolist() == [[0.6, 0.5]]
    assert meta_features.margin(TWO).tolist() == [pytest.approx([0.4, 0.25])]
    expected = [-(0.4 * math.log(0.2) + 0.6 * math.log(0.6)), -(0.5 * math.log(0.5) + 0.5 * math.log(0.25))]
    assert meta_features.entropy(TWO).tolist() == [pytest.approx(expected)]


def test_agreement_is_the_share_that_follows_the_most():
    one, other = [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]
    assert meta_features.agreement(np.array([[one, one, other, one], [one, other, one, other]])).tolist() == [
        [0.75],
        [0.5],
    ]
    assert meta_features.votes(np.array([[one, one, other]])).tolist() == [[1.0, 0.0, 2.0]]
