from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.evaluation import baselines as module
from ohlcv_factory.evaluation.baselines import baselines, class_prior, last_label, shifted
from ohlcv_factory.labels.classes import LONG, NEUTRAL, SHORT

BAR_NS = 3600 * 1_000_000_000


def test_class_prior_gives_the_training_shares_and_decides_the_largest(make_predictions):
    found = class_prior(make_predictions([2, 2], [0, 2]), np.array([0.5, 0.3, 0.2]))
    np.testing.assert_array_equal(found.probabilities, [[0.5, 0.3, 0.2]] * 2)
    np.testing.assert_array_equal(found.decision, [SHORT, SHORT])


def test_last_label_waits_until_a_label_has_ended(make_predictions, make_market):
    predictions = make_predictions([1] * 5, [LONG, SHORT, LONG, SHORT, SHORT])
    closes = predictions.index["time_ns"] + BAR_NS
    # row 0 ends with bar 3, row 1 with bar 2; at the close of bar 3 the later row, 1, is still the latest known
    label_end = closes[[3, 2, 4, 4, 4]]
    found = last_label(predictions, [make_market(np.zeros(5))], label_end)
    np.testing.assert_array_equal(found.decision, [NEUTRAL, NEUTRAL, SHORT, SHORT, SHORT])


def test_last_label_does_not_know_a_label_one_nanosecond_early(make_predictions, make_market):
    predictions = make_predictions([1, 1], [LONG, LONG])
    closes = predictions.index["time_ns"] + BAR_NS
    market = make_market(np.zeros(2))
    assert last_label(predictions, [market], np.array([closes[1], closes[1] + 9])).decision[1] == LONG
    assert last_label(predictions, [market], np.array([closes[1] + 1, closes[1] + 9])).decision[1] == NEUTRAL


def test_last_label_ignores_rows_that_are_not_scored_and_other_symbols(make_predictions, make_market):
    predictions = make_predictions([1] * 3, [LONG, SHORT, LONG], scored=[True, False, True])
    label_end = predictions.index["time_ns"] + 2 * BAR_NS
    market = make_market(np.zeros(3))
    np.testing.assert_array_equal(last_label(predictions, [market], label_end).decision, [NEUTRAL, LONG, LONG])
    predictions.index["symbol_code"][0] = 1
    np.testing.assert_array_equal(
        last_label(predictions, [market, market], label_end).decision, [NEUTRAL, NEUTRAL, NEUTRAL]
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 29))
def test_no_baseline_decision_depends_on_a_label_that_ends_later(seed, cut):
    generator = np.random.default_rng(seed)
    ends = np.arange(30) + generator.integers(1, 6, 30)
    truth, closes = generator.integers(0, 3, 30), np.arange(30)
    later = np.where(ends > cut, (truth + 1) % 3, truth)
    scored = np.ones(30, bool)
    before = module._latest_known(truth, ends, scored, closes)
    after = module._latest_known(later, ends, scored, closes)
    np.testing.assert_array_equal(before[: cut + 1], after[: cut + 1])


def test_latest_known_equals_a_plain_loop():
    generator = np.random.default_rng(7)
    ends, truth = np.arange(80) + generator.integers(1, 9, 80), generator.integers(0, 3, 80)
    scored, closes = generator.random(80) < 0.8, np.arange(80)
    for row, found in enumerate(module._latest_known(truth, ends, scored, closes)):
        known = [early for early in range(80) if scored[early] and ends[early] <= closes[row]]
        assert found == (truth[max(known)] if known else NEUTRAL)


def test_shifts_keep_the_circle_of_decisions_and_repeat_with_the_seed(make_predictions):
    predictions = make_predictions([0, 0, 1, 2, 2, 2, 1], [1] * 7)
    versions = shifted(predictions, seed=1)
    assert len(versions) == 32
    circles = [np.roll(predictions.decision, offset).tolist() for offset in range(1, 7)]
    assert all(version.decision.tolist() in circles for version in versions)
    assert len({tuple(version.decision) for version in versions}) > 3
    again = shifted(predictions, seed=1)
    assert [v.decision.tolist() for v in versions] == [v.decision.tolist() for v in again]


def test_the_table_has_these_baselines_on_the_rows_of_the_model(make_predictions, make_market):
    predictions = make_predictions([0, 1, 2, 2], [1] * 4)
    ends = predictions.index["time_ns"] + 2 * BAR_NS
    table = baselines(predictions, [make_market(np.zeros(4))], label_end=ends, class_shares=np.array([0.2, 0.5, 0.3]))
    names = ["class_prior", "last_label", "random_same_turnover", "buy_and_hold", "always_flat"]
    assert [each.name for each in table] == names
    assert [each.has_probabilities for each in table] == [True, False, False, False, False]
    assert [each.barriers for each in table] == [True, True, True, False, True]
    for each in table:
        assert all(version.index.tobytes() == predictions.index.tobytes() for version in each.versions)
    assert table[3].versions[0].decision.tolist() == [LONG] * 4
    assert table[4].versions[0].decision.tolist() == [NEUTRAL] * 4


def test_a_single_row_can_be_shifted(make_predictions):
    assert shifted(make_predictions([2], [2]))[0].decision.tolist() == [2]


@pytest.mark.parametrize("count", [2, 3])
def test_shifts_move_decisions(make_predictions, count):
    predictions = make_predictions([0] + [2] * (count - 1), [1] * count)
    assert all(version.decision.tolist() != predictions.decision.tolist() for version in shifted(predictions))
