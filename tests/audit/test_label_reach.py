from __future__ import annotations

from dataclasses import replace

import numpy as np

from ohlcv_factory.audit.label_reach import barrier_labeller, label_reach
from ohlcv_factory.bars.instruments import BarrierRule

RULE = BarrierRule(k_up=2.0, k_down=2.0, max_bars=30)


def found(bars, calendar, labeller):
    return list(label_reach(bars.head(2000), calendar, labeller, "labels"))


def test_the_factorys_labels_reach_to_their_end_and_not_beyond(bars, calendar):
    for entry in ("next_open", "close"):
        assert found(bars, calendar, barrier_labeller(RULE, entry)) == []


def test_labels_that_look_past_their_end_are_caught_with_bar_and_size(bars, calendar):
    def peeking(given):
        labels = barrier_labeller(RULE)(given)
        beyond = np.minimum(labels.end_row + 3, len(given) - 1)
        return replace(labels, realised_return=given.close[beyond] / given.close - 1.0)

    violations = found(bars, calendar, peeking)
    assert {violation.feature for violation in violations} == {"labels realised_return"}
    assert all(violation.bar is not None and violation.size > 0 for violation in violations)


def test_an_end_that_is_declared_too_late_is_caught(bars, calendar):
    def early(given):
        labels = barrier_labeller(BarrierRule(k_up=2.0, k_down=2.0, max_bars=5))(given)
        return replace(labels, end_row=labels.end_row + 40)

    (violation,) = found(bars, calendar, early)
    assert violation.sentence == "labels: changing the bar that ends a label changes no label"
