from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_spans import overlap, spans

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


def parts_by_definition(found, shares, embargo_days):
    """The part of every row, one row at a time; None where a part is left without rows."""
    times = sorted(set(found.time_ns.tolist()))
    quantiles = [quantile for quantile in (shares.train, shares.train + shares.val) if quantile < 1]
    borders = [times[round(quantile * len(times))] for quantile in quantiles]
    codes = []
    for time, end in zip(found.time_ns.tolist(), found.end_ns.tolist(), strict=True):
        part = sum(time >= border for border in borders)
        following = borders[part] if part < len(borders) else None
        kept = following is None or (end < following and time < following - int(embargo_days * DAY))
        codes.append(part if kept else -1)
    whole = set(range(len(borders) + 1)) <= set(codes)
    return (codes, borders) if whole else None


@settings(max_examples=300, deadline=None)
@given(
    spans(),
    st.sampled_from([PartShares(), PartShares(train=0.5, val=0.25), PartShares(train=0.75, val=0.25)]),
    st.sampled_from([0.0, 0.25, 1.0, 2.5]),
)
def test_parts_equal_the_definition_and_no_two_of_them_share_a_moment(found, shares, embargo_days):
    expected = parts_by_definition(found, shares, embargo_days)
    if expected is None:
        with pytest.raises(DataError):
            chronological_parts(found.time_ns, found.end_ns, shares, embargo_days)
        return
    parts = chronological_parts(found.time_ns, found.end_ns, shares, embargo_days)
    assert (parts.code.tolist(), list(parts.borders_ns)) == expected
    rows = [np.flatnonzero(parts.code == part) for part in range(len(parts.borders_ns) + 1)]
    for earlier, later in combinations(rows, 2):
        assert not overlap(found, earlier, later)
        assert found.time_ns[later].min() - found.time_ns[earlier].max() > embargo_days * DAY


def test_purge_embargo_and_ties_in_literal_rows():
    # days 0 to 9 of one symbol, days 5 to 9 of another: borders are day 7 and day 8 (quantiles 0.7 and 0.85 of ten days)
    time = days(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 6, 7, 8, 9)
    end = time + days(0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 9, 0)
    parts = chronological_parts(time, end, SHARES, embargo=0)
    assert parts.borders_ns == (7 * DAY, 8 * DAY)
    # row 2 ends on day 8, row 6 on day 7; row 10 ends on day 6, before the border
    assert parts.rows("train").tolist() == [0, 1, 3, 4, 5, 10, 11]
    assert parts.rows("val").tolist() == [7, 12]
    assert parts.rows("test").tolist() == [8, 9, 13, 14]
    later = chronological_parts(time[:12], end[:12], PartShares(train=0.7, val=0.3), embargo=1.0)
    assert later.rows("train").tolist() == [0, 1, 3, 4, 5, 10]  # row 11, on day 6, is within a day of day 7


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
