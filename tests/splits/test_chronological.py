from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.chronological import PartShares, chronological_parts, refuse_small_parts

DAY = 86_400_000_000_000
SHARES = PartShares()


def days(*values):
    return np.array(values, dtype=np.int64) * DAY


def test_borders_are_quantiles_and_the_purge_goes_by_scheduled_end():
    time = days(*range(20))
    parts = chronological_parts(time, time + 2 * DAY, SHARES, embargo=0)
    assert parts.borders_ns == (14 * DAY, 17 * DAY)
    assert parts.rows("train").tolist() == list(range(12))  # rows 12 and 13 end on day 14 and 15
    assert parts.rows("val").tolist() == [14]
    assert parts.rows("test").tolist() == [17, 18, 19]
    assert np.flatnonzero(parts.code == -1).tolist() == [12, 13, 15, 16]


def test_the_embargo_counts_calendar_days_before_the_border():
    time = days(*range(20))
    parts = chronological_parts(time, time, SHARES, embargo=2.0)
    assert parts.rows("train").tolist() == list(range(12))
    assert parts.rows("val").tolist() == [14]


def test_auto_lowers_the_embargo_to_a_tenth_of_the_earlier_part_and_says_so():
    time = np.arange(2000, dtype=np.int64) * (DAY // 100)  # 20 days, 14 of them before the first border
    parts = chronological_parts(time, time, SHARES, embargo="auto")
    assert parts.embargo_ns == pytest.approx((1.4 * DAY, 0.3 * DAY))
    assert "lowered from 5 to 1.40 days" in parts.warnings[0]


def test_auto_keeps_five_days_where_they_fit():
    time = np.arange(2000, dtype=np.int64) * (DAY // 4)
    assert chronological_parts(time, time, SHARES, embargo="auto").embargo_ns[0] == 5 * DAY


def test_symbols_share_the_dates_of_the_borders():
    first, second = days(*range(20)), days(*range(10, 20))
    time = np.concatenate([first, second])
    parts = chronological_parts(time, time, SHARES, embargo=0)
    assert parts.borders_ns == (14 * DAY, 17 * DAY)
    assert parts.code[20:].tolist() == [0] * 4 + [1] * 3 + [2] * 3


def test_without_a_test_share_there_are_two_parts():
    time = days(*range(20))
    parts = chronological_parts(time, time, PartShares(train=0.75, val=0.25), embargo=0)
    assert len(parts.borders_ns) == 1
    assert parts.rows("val").tolist() == [15, 16, 17, 18, 19]
    assert not len(parts.rows("test"))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 300), st.floats(0, 3))
def test_no_label_reaches_a_later_part_and_the_embargo_holds(seed, n, embargo):
    generator = np.random.default_rng(seed)
    time = np.sort(generator.choice(5 * n, n, replace=False)).astype(np.int64) * (DAY // 10)
    end = time + generator.integers(0, DAY, n)
    try:
        parts = chronological_parts(time, end, SHARES, embargo)
    except DataError:
        return
    for earlier, border in enumerate(parts.borders_ns):
        rows = parts.code == earlier
        assert (end[rows] < border).all()
        assert (time[rows] < border - int(embargo * DAY)).all()
        assert (time[parts.code == earlier + 1] >= border).all()


def test_a_gap_that_eats_a_part_is_refused_with_the_arithmetic():
    time = days(*range(20))
    with pytest.raises(DataError, match="the gap eats part 'val' whole: 3 rows before") as caught:
        chronological_parts(time, time, SHARES, embargo=5.0)
    assert caught.value.exit_code == 65
    assert "--embargo auto" in caught.value.help


def test_shares_above_one_are_refused():
    with pytest.raises(UsageError, match="must be at most 1"):
        chronological_parts(days(*range(20)), days(*range(20)), PartShares(train=0.8, val=0.3), 0)


def test_a_part_under_200_scored_rows_is_refused_with_the_count():
    time = np.arange(1000, dtype=np.int64) * DAY
    parts = chronological_parts(time, time, SHARES, embargo=0)
    with pytest.raises(DataError, match="part 'val' has 150 scored rows at horizon 20, at least 200 are needed"):
        refuse_small_parts(parts, np.ones(1000, dtype=bool), 20)
