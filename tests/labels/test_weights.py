from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.labels.paths import CLEAN, GAPPED, TIMED_OUT, PathLabels
from ohlcv_factory.labels.weights import average_uniqueness, label_quality, training_weights


def make_labels(label, bars_to_hit, adverse, touch):
    n = len(label)
    bars_to_hit = np.array(bars_to_hit, dtype=np.int32)
    return PathLabels(
        label=np.array(label, dtype=np.int8),
        labelled=np.ones(n, dtype=bool),
        ambiguous=np.zeros(n, dtype=bool),
        resolved=np.zeros(n, dtype=bool),
        end_row=np.arange(n) + bars_to_hit,
        bars_to_hit=bars_to_hit,
        realised_return=np.zeros(n),
        adverse=np.array(adverse, dtype=np.float64),
        favourable=np.zeros(n),
        touch=np.array(touch, dtype=np.int8),
    )


def test_quality_of_a_first_bar_clean_hit_without_drawdown_is_the_highest():
    quality = label_quality(make_labels([2], [1], [0.0], [CLEAN]), max_bars=11)
    assert (quality.time[0], quality.drawdown[0], quality.touch[0]) == (1.5, 1.5, 1.25)
    assert quality.total[0] == pytest.approx((1.5 * 1.5 * 1.25) ** (1 / 3))


def test_quality_factors_fall_with_waiting_drawdown_and_gaps():
    quality = label_quality(make_labels([0, 2], [6, 11], [0.5, 1.0], [GAPPED, CLEAN]), max_bars=11)
    assert quality.time.tolist() == [1.0, 0.5]
    assert quality.drawdown.tolist() == [1.0, 0.5]
    assert quality.touch.tolist() == [1.0, 1.25]


def test_neutral_labels_are_judged_by_drawdown_alone():
    quality = label_quality(make_labels([1], [11], [0.8], [TIMED_OUT]), max_bars=11)
    assert (quality.time[0], quality.touch[0]) == (1.0, 1.0)
    assert quality.drawdown[0] == pytest.approx(0.7)


def test_with_one_bar_to_the_vertical_barrier_time_says_nothing():
    assert label_quality(make_labels([2], [1], [0.0], [CLEAN]), max_bars=1).time[0] == 1.0


def test_two_overlapping_labels_share_their_common_bars():
    # row 0 lives in bars 1-2, row 1 in bars 2-3: each has one bar alone and one bar shared
    labels = make_labels([2, 2, 1, 1], [2, 2, 0, 0], [0] * 4, [CLEAN] * 4)
    uniqueness = average_uniqueness(labels, np.array([True, True, False, False]))
    assert uniqueness.tolist() == [0.75, 0.75, 1.0, 1.0]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=8, max_size=40))
def test_uniqueness_equals_the_definition(spans):
    n = len(spans)
    spans = [min(span, n - 1 - row) for row, span in enumerate(spans)]
    counted = np.array([span > 0 for span in spans])
    labels = make_labels([2] * n, spans, [0.0] * n, [CLEAN] * n)
    alive = [sum(counted[i] and i < bar <= i + spans[i] for i in range(n)) for bar in range(n)]
    for row in range(n):
        expected = np.mean([1 / alive[bar] for bar in range(row + 1, row + spans[row] + 1)]) if counted[row] else 1.0
        assert average_uniqueness(labels, counted)[row] == pytest.approx(expected)


def test_weights_have_mean_one_within_each_class():
    quality, uniqueness = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1.0, 1.0, 0.5, 0.5])
    y = np.array([0, 0, 2, 2], dtype=np.int8)
    weight = training_weights(quality, uniqueness, y, "both")
    assert weight.tolist() == [2 / 3, 4 / 3, 0.75, 1.25]
    assert training_weights(quality, uniqueness, y, "none").tolist() == [1.0] * 4
    assert training_weights(quality, uniqueness, y, "uniqueness").tolist() == [1.0] * 4
    assert training_weights(quality, uniqueness, y, "quality").tolist() == [2 / 3, 4 / 3, 0.75, 1.25]


def test_balanced_gives_every_class_the_same_sum():
    y = np.array([0, 0, 0, 1, 2, 2], dtype=np.int8)
    weight = training_weights(np.ones(6), np.ones(6), y, "none", balanced=True)
    assert [weight[y == code].sum() for code in range(3)] == pytest.approx([2.0, 2.0, 2.0])
