from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.reports.charts import (
    Axis,
    Line,
    Span,
    interval_chart,
    line_chart,
    nice_axis,
    reliability_chart,
    share_bar,
    thinned,
)
from ohlcv_factory.reports.words import number


def test_thinning_keeps_highest_and_lowest_and_the_order():
    y = np.zeros(100_000)
    y[12_345], y[77_777] = 5.0, -3.0
    x, kept = thinned(np.arange(100_000), y)
    assert len(x) <= 600
    assert (kept.max(), kept.min()) == (5.0, -3.0)
    assert (x[kept.argmax()], x[kept.argmin()]) == (12_345, 77_777)
    assert (np.diff(x) > 0).all()


def test_a_short_curve_is_left_alone():
    x, y = thinned(np.arange(600), np.arange(600.0))
    assert len(x) == len(y) == 600


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (-52.0, 7.0, (-60.0, -40.0, -20.0, 0.0, 20.0)),
        (0.37, 0.62, (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)),
        (-1e-17, 1e-17, (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6)),
    ],
)
def test_axes_have_round_ticks_around_the_data(low, high, ticks):
    assert nice_axis(low, high).ticks == ticks


def test_a_line_chart_shows_zero_though_no_value_is_near():
    chart = line_chart([Line("a", np.array([0, 1]), np.array([8.0, 10.0]), "s0")], "label", number, ("1", "2"))
    assert 'd="M0 200L1000 0"' in chart
    assert ">0.00</text>" in chart


def test_an_undefined_span_says_so():
    assert "undefined" in interval_chart([Span("flat", None, None, "plain")], "label")


def test_a_span_lies_at_its_values():
    chart = interval_chart([Span("a", 0.5, (0.0, 1.0), "s0")], "label")
    assert 'x1="0.00%" x2="100.00%" y1="50.00%"' in chart
    assert 'cx="50.00%"' in chart


def test_a_perfect_bin_lies_on_the_diagonal():
    chart = reliability_chart([(0.25, 0.25, 40)], Axis(0.0, 1.0, (0.0, 1.0)), "label", "s0")
    assert 'cx="25.00%" cy="75.00%" r="10.0"' in chart


def test_shares_stand_behind_one_another():
    bar = share_bar([("short", 0.25), ("neutral", 0.0), ("long", 0.75)], "label")
    assert '<rect class="long" x="25.00%" width="75.00%"' in bar


def test_names_in_charts_are_inert():
    spans = [Span("<script>", 1.0, (0.0, 2.0), "s0")]
    lines = [Line("<script>", np.array([0, 1]), np.array([0.0, 1.0]), "s0")]
    assert "<script>" not in interval_chart(spans, "<script>") + line_chart(lines, "<script>", number, ("<script>", ""))
