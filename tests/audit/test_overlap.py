"""Spans of labels as sets, against a comparison of all pairs; a missing purge and shuffled folds are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ohlcv_factory.audit.overlap import gap_days, meeting_rows, overlapping, overlapping_parts, twice_in
from ohlcv_factory.dataset.container import RowLabels

spans = arrays.arrays(np.int64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 30))


@given(spans, spans)
def test_a_span_meets_what_a_comparison_of_all_pairs_says(own, held):
    own, held = np.sort(own, axis=1), np.sort(held, axis=1)
    expected = [any(a <= held_end and held_begin <= b for held_begin, held_end in held) for a, b in own]
    assert meeting_rows(own[:, 0], own[:, 1], held[:, 0], held[:, 1]).tolist() == expected


def test_both_sides_count():
    own = np.array([0, 5, 20, 26]), np.array([3, 10, 24, 30])
    assert meeting_rows(*own, np.array([10, 15]), np.array([12, 25])).tolist() == [False, True, True, False]


def test_the_parts_of_a_dataset_do_not_meet(container):
    assert list(overlapping_parts(container)) == []
    assert gap_days(container) > 0


def test_a_missing_purge_is_caught_with_the_number_of_rows(container):
    part = container.part.copy()
    part[(part == -1) & (np.arange(len(part)) < np.argmax(part == 1))] = 0  # the gap before val is given to train
    (violation, *others) = overlapping_parts(container.with_split(part))
    assert others == []
    assert violation.feature == "train against val"
    assert violation.size == container.markets[0].rule.max_bars


def test_a_purge_by_realised_ends_is_caught(container):
    """Realised ends keep the early hits near the border, which are no random choice of labels."""
    border = container.index["time_ns"][np.argmax(container.part == 1)]
    part = container.part.copy()
    part[(part == -1) & (container.index["time_ns"] < border) & (container.labels.end_ns < border)] = 0
    found = list(overlapping_parts(container.with_split(part)))
    assert [violation.feature for violation in found] == ["train against val"]


def test_shuffled_parts_are_caught(container):
    part = np.random.default_rng(0).permutation(container.part)
    names = {violation.feature for violation in overlapping_parts(container.with_split(part))}
    assert {"train against val", "train against test", "val against test"} <= names


def test_an_end_beyond_the_schedule_is_caught(container):
    labels: RowLabels = container.labels
    late = replace(container, labels=replace(labels, scheduled_end_ns=labels.scheduled_end_ns - 4 * 300 * 10**9))
    assert "labels" in {violation.feature for violation in overlapping_parts(late)}


def test_rows_of_other_blocks_are_compared_by_name(container):
    rows = np.arange(100)
    (violation,) = overlapping(container, rows, rows[-1:] + 1, "fold 1")
    assert violation.feature == "fold 1"
    assert violation.size == container.markets[0].rule.max_bars


@pytest.mark.parametrize(("blocks", "twice"), [([[1, 2], [3]], 0), ([[1, 2], [2, 3], [3]], 2), ([], 0)])
def test_rows_in_two_blocks_are_counted(blocks, twice):
    assert twice_in([np.array(block) for block in blocks]) == twice
