from __future__ import annotations

import numpy as np

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.features.feature import MEMORY, Category, FeatureInputs, shared


def test_a_family_declares_one_feature_for_each_member():
    made = Category("made")

    @made.feature("mean_{}", over=(3, 5), formula="mean of {} bars", lookback=lambda bars: bars - 1)
    def mean(inputs, bars):
        return np.full(len(inputs), float(bars))

    assert [(f.name, f.category, f.formula, f.lookback) for f in made.features] == [
        ("mean_3", "made", "mean of 3 bars", 2),
        ("mean_5", "made", "mean of 5 bars", 4),
    ]


def test_each_member_of_a_family_computes_its_own_column(hand):
    made = Category("made")
    made.feature("constant_{}", over=(3, 5), formula="{}")(lambda inputs, value: np.full(len(inputs), float(value)))
    inputs = FeatureInputs(hand([1.0, 2.0]), CALENDARS["always_open"])
    assert [f.column(inputs).tolist() for f in made.features] == [[3.0, 3.0], [5.0, 5.0]]


def test_a_look_back_in_time_is_rounded_up_to_bars():
    made = Category("made")
    made.feature("day", formula="", lookback=2, lookback_seconds=1000)(lambda inputs: inputs.close)
    assert made.features[0].lookback_bars(300) == 2 + 4


def test_a_shared_intermediate_is_computed_once(hand):
    calls = []

    @shared
    def doubled(inputs):
        calls.append(1)
        return inputs.close * 2.0

    inputs = FeatureInputs(hand([1.0, 2.0]), CALENDARS["always_open"])
    assert doubled(inputs) is doubled(inputs)
    assert calls == [1]


def test_no_more_intermediates_are_kept_than_declared(hand):
    inputs = FeatureInputs(hand([1.0, 2.0]), CALENDARS["always_open"])
    scaled = shared(lambda inputs, factor: inputs.close * factor)
    for factor in range(MEMORY + 3):
        scaled(inputs, factor)
    assert len(inputs.memory) == MEMORY


def test_the_first_log_return_is_absent(hand):
    inputs = FeatureInputs(hand([100.0, 101.0]), CALENDARS["always_open"])
    np.testing.assert_allclose(inputs.log_return, [np.nan, 0.00995033], atol=1e-8)
