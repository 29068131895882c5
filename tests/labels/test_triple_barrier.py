from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.finer import FinerBars
from ohlcv_factory.labels.paths import CLEAN, GAPPED, TIMED_OUT
from ohlcv_factory.labels.triple_barrier import barrier_atr, first_touch, triple_barrier

RULE = BarrierRule(k_up=2.0, k_down=1.0, max_bars=3)


def make_bars(rows):
    """Bars of (open, high, low, close), one minute apart."""
    columns = np.array(rows, dtype=np.float64).T
    time_ns = np.arange(len(rows), dtype=np.int64) * 60_000_000_000
    return Bars("X", time_ns, *columns, np.ones(len(rows)), 60)


def label_first(rows, atr=1.0, **options):
    """The label of bar 0 when its ATR is 1: entry 100 at the next open, barriers 102 and 99."""
    bars = make_bars(rows)
    return {name: getattr(triple_barrier(bars, np.full(len(bars), atr), RULE, **options), name)[0] for name in FIELDS}


FIELDS = (
    "label", "labelled", "ambiguous", "resolved", "end_row", "bars_to_hit", "realised_return", "adverse", "favourable",
    "touch",
)  # fmt: skip
QUIET = (100.0, 100.5, 99.5, 100.0)


def test_high_that_reaches_the_upper_barrier_first_is_long():
    found = label_first([QUIET, QUIET, (100, 102.0, 99.5, 101), QUIET])
    assert (found["label"], found["end_row"], found["bars_to_hit"], found["touch"]) == (2, 2, 2, CLEAN)
    assert found["realised_return"] == pytest.approx(0.02)
    assert found["adverse"] == pytest.approx(0.5)  # fell to 99.5, half of the way to the stop at 99
    assert found["favourable"] == pytest.approx(1.0)  # rose to its target at 102


def test_low_that_reaches_the_lower_barrier_first_is_short():
    found = label_first([QUIET, (100, 101.0, 99.0, 99.5), QUIET, QUIET])
    assert (found["label"], found["end_row"], found["touch"]) == (0, 1, CLEAN)
    assert found["realised_return"] == pytest.approx(-0.01)
    assert found["adverse"] == pytest.approx(0.5)  # rose to 101, half of the way to the short's stop at 102


def test_neither_barrier_before_the_vertical_one_is_neutral_at_its_close():
    found = label_first([QUIET, QUIET, QUIET, (100, 100.5, 99.25, 100.2)])
    assert (found["label"], found["end_row"], found["bars_to_hit"], found["touch"]) == (1, 3, 3, TIMED_OUT)
    assert found["realised_return"] == pytest.approx(0.002)
    assert found["adverse"] == pytest.approx(0.75)  # the larger of 0.5 / 2 up and 0.75 / 1 down
    assert found["favourable"] == pytest.approx(0.25)  # the smaller


def test_a_gap_through_a_barrier_exits_at_the_open():
    found = label_first([QUIET, QUIET, (98.0, 98.5, 97.5, 98.0), QUIET])
    assert (found["label"], found["touch"]) == (0, GAPPED)
    assert found["realised_return"] == pytest.approx(-0.02)
    assert found["favourable"] == pytest.approx(2.0)  # fell twice the distance of its target at 99


def test_excursions_end_with_the_path_at_the_open_of_a_gap():
    found = label_first([QUIET, QUIET, (98.0, 101.9, 90.0, 98.0), QUIET])
    assert found["adverse"] == pytest.approx(0.25)  # rose to 100.5 of 102 before; 101.9 came after the exit
    assert found["favourable"] == pytest.approx(2.0)


def test_one_bar_through_both_barriers_is_ambiguous_unless_it_opens_beyond_one():
    assert label_first([QUIET, QUIET, (100, 103, 98, 100), QUIET])["ambiguous"]
    opened_above = label_first([QUIET, QUIET, (102.5, 103, 98, 100), QUIET])
    assert not opened_above["ambiguous"]
    assert opened_above["label"] == 2


BOTH = (100.0, 103.0, 98.0, 100.0)
"""A bar that touches 102 and 99; the cases say what its three finer bars were."""


@pytest.mark.parametrize(
    ("finer_rows", "label", "touch", "exit_price", "adverse"),
    [
        ([(100, 101, 99.5, 101), (101, 103, 101, 102), (102, 102, 98, 100)], 2, CLEAN, 102.0, 0.5),
        ([(100, 101, 99.5, 99.5), (99.5, 99.5, 98, 99), (99, 103, 99, 100)], 0, CLEAN, 99.0, 0.5),
        ([(100, 101, 99.2, 101), (102.5, 103, 98, 99), (99, 100, 99, 100)], 2, GAPPED, 102.5, 0.8),
        ([(100, 101.5, 99.5, 99.5), (98, 103, 98, 99), (99, 100, 99, 100)], 0, GAPPED, 98.0, 0.75),
    ],
)
def test_the_first_finer_bar_that_touches_decides_a_double_touch(finer_rows, label, touch, exit_price, adverse):
    found = label_first([QUIET, QUIET, BOTH, QUIET], finer=under(2, finer_rows))
    assert (found["label"], found["touch"], found["end_row"]) == (label, touch, 2)
    assert (found["ambiguous"], found["resolved"]) == (False, True)
    assert found["realised_return"] == pytest.approx(exit_price / 100 - 1)
    assert found["adverse"] == pytest.approx(adverse)  # what came after the exit does not count


def test_a_finer_bar_that_touches_both_leaves_the_order_unknown():
    finer_rows = [(100, 101, 99.5, 100), (100, 103, 98, 100), (100, 100, 100, 100)]
    found = label_first([QUIET, QUIET, BOTH, QUIET], finer=under(2, finer_rows))
    assert (found["label"], found["ambiguous"], found["resolved"]) == (0, True, False)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([(100, 101, 99, 100), (100, 103, 99, 101)], (1, 102.0, False, 102.0, 99.0)),
        ([(100, 101, 99, 100), (100, 101, 97, 99)], (-1, 98.0, False, 101.0, 98.0)),
        ([(100, 101, 99, 100), (102, 103, 97, 99)], (1, 102.0, True, 102.0, 99.0)),
        ([(100, 101, 99, 100), (103, 104, 97, 99)], (1, 103.0, True, 103.0, 99.0)),
        ([(100, 101, 99, 100), (97, 104, 96, 99)], (-1, 97.0, True, 101.0, 97.0)),
        ([(100, 101, 99, 100), (100, 102, 98, 99)], (0, 0.0, False, 101.0, 99.0)),
    ],
)
def test_the_first_finer_bar_at_a_barrier_tells_side_price_and_extremes(rows, found):
    open_, high, low, _ = np.array(rows, dtype=np.float64).T.copy()
    assert first_touch(102.0, 98.0, open_, high, low, 0, 2) == found


def under(row, finer_rows):
    """Finer bars under one row of four."""
    columns = np.array(finer_rows, dtype=np.float64).T
    starts = np.where(np.arange(5) <= row, 0, len(finer_rows))
    return FinerBars(*columns[:3], starts)


def test_no_label_beyond_the_limit_of_its_row():
    bars = make_bars([QUIET] * 8)
    labels = triple_barrier(bars, np.ones(8), RULE, limit_row=np.array([3, 3, 3, 3, 7, 7, 7, 7]))
    assert np.flatnonzero(labels.labelled).tolist() == [0, 4]  # three bars after rows 0 and 4, and no more


def test_no_label_where_the_vertical_barrier_lies_beyond_the_data():
    assert label_first([QUIET] * 4)["labelled"]
    assert not label_first([QUIET] * 3)["labelled"]


def test_no_label_without_a_positive_atr():
    assert not label_first([QUIET] * 5, atr=np.nan)["labelled"]
    assert not label_first([QUIET] * 5, atr=0.0)["labelled"]


def test_entry_close_starts_the_path_at_the_close_of_the_signal_bar():
    rows = [(100, 100.5, 99.5, 100.0), (101, 102.0, 100.9, 101.5), (101.5, 102, 100.9, 101), (101, 102, 100.9, 101.5)]
    assert label_first(rows)["label"] == 1  # entry 101 at the next open: barriers 103 and 100
    found = label_first(rows, entry="close")
    assert (found["label"], found["end_row"]) == (2, 1)  # entry 100 at the close: upper barrier 102


@st.composite
def random_bars(draw):
    n = draw(st.integers(5, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 100 + np.cumsum(generator.normal(0, 1, n))
    open_ = np.r_[100.0, close[:-1]] + generator.normal(0, 0.5, n)
    high = np.maximum(open_, close) + generator.exponential(0.5, n)
    low = np.minimum(open_, close) - generator.exponential(0.5, n)
    return make_bars(np.column_stack([open_, high, low, close]))


@settings(max_examples=50, deadline=None)
@given(random_bars(), st.integers(0, 2**32 - 1))
def test_bars_after_the_end_of_a_label_do_not_change_it(bars, seed):
    rule = BarrierRule(k_up=1.0, k_down=1.0, max_bars=4)
    atr = np.full(len(bars), 1.0)
    before = triple_barrier(bars, atr, rule)
    t = int(np.random.default_rng(seed).integers(0, len(bars)))
    end = int(before.end_row[t])
    rows = np.column_stack([bars.open, bars.high, bars.low, bars.close])
    rows[end + 1 :] *= 1.5
    after = triple_barrier(make_bars(rows), atr, rule)
    assert (before.label[t], before.end_row[t]) == (after.label[t], after.end_row[t])


def test_atr_is_wilders_and_unknown_in_the_first_14_bars():
    bars = make_bars([(100, 101, 99, 100)] * 20)
    atr = barrier_atr(bars)
    assert np.isnan(atr[:14]).all()
    assert atr[14:] == pytest.approx(np.full(6, 2.0))
    assert np.isnan(barrier_atr(bars.head(14))).all()


def test_atr_starts_anew_with_each_contract():
    rows = [(100, 101, 99, 100)] * 20 + [(150, 152, 148, 150)] * 20
    bars = replace(make_bars(rows), contract=np.repeat(np.arange(2, dtype=np.int32), 20), contract_names=("A", "B"))
    atr = barrier_atr(bars)
    assert np.isnan(atr[20:34]).all()
    assert atr[34:] == pytest.approx(np.full(6, 4.0))  # the step of 50 across the roll is in no range


def test_no_label_reaches_across_a_roll():
    bars = replace(
        make_bars([QUIET] * 8), contract=np.repeat(np.arange(2, dtype=np.int32), 4), contract_names=("A", "B")
    )
    assert np.flatnonzero(triple_barrier(bars, np.ones(8), RULE).labelled).tolist() == [0, 4]
