from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.audit.corruption import CORRUPTIONS, cut_points
from ohlcv_factory.bars.schema import COLUMNS


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_nothing_changes_before_the_cut_and_something_does_after_it(bars, how):
    later = CORRUPTIONS[how](bars, 1000)
    changed = np.array([getattr(later, name) != getattr(bars, name) for name in COLUMNS])
    assert not changed[:, :1000].any()
    assert changed[:, 1000:].any()
    assert np.array_equal(later.time_ns, bars.time_ns)


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_cuts_lie_just_before_at_and_after_the_start_of_a_higher_bar(bars, calendar, minutes):
    cuts = cut_points(bars, calendar, 100)
    bucket = bars.time_ns // (minutes * 60_000_000_000)
    assert any({cut - 1, cut, cut + 1} <= set(cuts) and bucket[cut] != bucket[cut - 1] for cut in cuts[:-1])


def test_cuts_lie_just_before_at_and_after_the_start_of_a_session(bars, calendar):
    cuts = cut_points(bars, calendar, 100)
    day = calendar.session_day(bars.time_ns)
    assert any({cut - 1, cut, cut + 1} <= set(cuts) and day[cut] != day[cut - 1] for cut in cuts[:-1])


def test_cuts_are_at_least_eight_after_the_look_back_and_within_the_bars(bars, calendar):
    cuts = cut_points(bars, calendar, 100)
    assert len(cuts) >= 8
    assert cuts == sorted(set(cuts))
    assert min(cuts) > 100
    assert max(cuts) == len(bars)
