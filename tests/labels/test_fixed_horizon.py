from __future__ import annotations

import math

import numpy as np
import pytest

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule, bar_sigma, fixed_horizon
from ohlcv_factory.labels.paths import TIMED_OUT
from ohlcv_factory.labels.weights import label_quality

RULE = FixedHorizonRule(theta=0.5, horizon=4, sigma_bars=2)
SIGMA = 0.02  # so that the threshold is 0.5 * sqrt(4) * 0.02 = 2 %


def label_first(last_close, **options):
    """The label of bar 0: entry 100 at the next open, on the way to 104 and 97, and then the close of bar 4."""
    flat = (100.0, 100.0, 100.0, 100.0)
    rows = [flat, flat, (100.0, 104.0, 99.0, 100.0), flat, (100.0, max(100.0, last_close), 97.0, last_close)]
    columns = np.array(rows).T
    bars = Bars("X", np.arange(5) * 60_000_000_000, *columns, np.ones(5), 60)
    return fixed_horizon(bars, np.full(5, SIGMA), RULE, **options)


@pytest.mark.parametrize(("close", "label"), [(102.0, 2), (101.9, 1), (98.0, 0), (98.1, 1), (100.0, 1)])
def test_the_return_after_h_bars_against_the_threshold_decides_whatever_happened_on_the_way(close, label):
    labels = label_first(close)
    assert labels.label[0] == label
    assert (labels.end_row[0], labels.bars_to_hit[0], labels.touch[0]) == (4, 4, TIMED_OUT)
    assert labels.realised_return[0] == pytest.approx(close / 100 - 1)
    assert labels.labelled.tolist() == [True, False, False, False, False]
    assert not labels.ambiguous.any()


def test_excursions_are_shares_of_the_threshold():
    long, short, neutral = (label_first(close) for close in (102.0, 98.0, 100.0))
    assert (long.adverse[0], long.favourable[0]) == pytest.approx((1.5, 2.0))  # 97 and 104, the threshold is 2
    assert (short.adverse[0], short.favourable[0]) == pytest.approx((2.0, 1.5))
    assert (neutral.adverse[0], neutral.favourable[0]) == pytest.approx((2.0, 1.5))


def test_quality_is_drawdown_alone_since_nothing_is_hit():
    quality = label_quality(label_first(102.0), RULE.max_bars)
    assert (quality.time[0], quality.touch[0], quality.drawdown[0]) == (1.0, 1.0, 0.5)


def test_entry_close_starts_at_the_close_of_the_signal_bar():
    flat = (100.0, 100.0, 100.0, 100.0)
    rows = [(100.0, 100.0, 98.0, 98.0), flat, flat, flat, flat]
    bars = Bars("X", np.arange(5) * 60_000_000_000, *np.array(rows).T, np.ones(5), 60)
    assert fixed_horizon(bars, np.full(5, SIGMA), RULE).label[0] == 1
    assert fixed_horizon(bars, np.full(5, SIGMA), RULE, entry="close").label[0] == 2  # from 98 to 100


def test_no_label_without_a_positive_sigma_or_beyond_the_limit():
    flat = np.full(6, 100.0)
    bars = Bars("X", np.arange(6) * 60_000_000_000, flat, flat, flat, flat, np.ones(6), 60)
    assert not fixed_horizon(bars, np.array([np.nan, 0.0, 0.1, 0.1, 0.1, 0.1]), RULE).labelled.any()
    assert fixed_horizon(bars, np.full(6, 0.1), RULE).labelled.tolist() == [True, True, False, False, False, False]
    limits = np.array([3, 3, 3, 3, 5, 5])
    assert not fixed_horizon(bars, np.full(6, 0.1), RULE, limit_row=limits).labelled.any()


def test_sigma_of_two_returns_by_hand():
    close = 100 * np.exp(np.array([0.0, 0.01, 0.03, 0.03]))
    bars = Bars("X", np.arange(4) * 60_000_000_000, close, close, close, close, np.ones(4), 60)
    # returns 0.01, 0.02, 0: deviations from their mean are 0.005 and 0.01, squares summed over n - 1 = 1
    expected = [math.nan, math.nan, math.sqrt(2) * 0.005, math.sqrt(2) * 0.01]
    assert bar_sigma(bars, 2) == pytest.approx(expected, nan_ok=True)


def test_sigma_repeats_its_bits_from_another_first_bar():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 1e-3, 400)))
    bars = Bars("X", np.arange(400) * 60_000_000_000, close, close, close, close, np.ones(400), 60)
    assert bar_sigma(bars, 50)[150:].tobytes() == bar_sigma(bars.slice(100, 400), 50)[50:].tobytes()
