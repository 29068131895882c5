from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcv_factory.bars.checks import check_part, check_series, common_step
from ohlcv_factory.bars.load import BarFile
from ohlcv_factory.bars.placed import Placed
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import START_NS, random_walk
from ohlcv_factory.errors import DataError

MINUTE_NS = 60_000_000_000
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def bars_at(*minutes: float, close: list[float] | None = None, volume: float = 1.0) -> Bars:
    """Five-minute bars at minutes after 2024-01-01 00:00 UTC; the close rises by 1 from bar to bar."""
    time_ns = START_NS + (np.array(minutes) * MINUTE_NS).astype(np.int64)
    price = np.arange(1.0, len(minutes) + 1) if close is None else np.array(close)
    return Bars("X", time_ns, price, price, price, price, np.full(len(minutes), volume), 300)


def check_bars(
    bars: Bars,
    *,
    now: datetime,
    source: str = "bars",
    rows: np.ndarray | None = None,
    sort: bool = False,
    on_duplicate: Literal["error", "last"] = "error",
    max_jump: float | None = None,
) -> tuple[Bars, tuple[str, ...]]:
    """A series of one file, checked as one and as the other; in `rows` its rows, from 1 where they are not given."""
    placed = Placed(bars, source, np.arange(1, len(bars) + 1) if rows is None else rows)
    placed, disorder = check_part(placed, sort=sort, on_duplicate=on_duplicate)
    placed, oddities = check_series(placed, now=now, max_jump=max_jump)
    return placed.bars, (*disorder, *oddities)


def test_good_bars_come_back_unchanged_and_without_a_warning() -> None:
    bars = random_walk(50, seed=1)
    checked, warnings = check_bars(bars, now=LATER)
    assert warnings == ()
    assert checked.close.tolist() == bars.close.tolist()


def test_absent_bars_are_fine() -> None:
    assert check_bars(bars_at(0, 5, 20, 25, 600), now=LATER)[1] == ()


def test_rows_are_named_as_given() -> None:
    with pytest.raises(DataError, match="row 17 goes back 0:05:00 to 2024-01-01T00:00:00Z") as caught:
        check_bars(bars_at(5, 0), now=LATER, source="x.csv", rows=np.array([12, 17]))
    assert caught.value.where == "x.csv:17"


def test_sorting_says_what_it_did() -> None:
    checked, warnings = check_bars(bars_at(5, 0, 10), now=LATER, sort=True)
    assert checked.close.tolist() == [2.0, 1.0, 3.0]
    assert warnings == ("1 rows went back in time: sorted",)


def test_equal_repeats_are_dropped_only_when_asked() -> None:
    repeated = bars_at(0, 5, 5, 10, close=[1, 2, 2, 3])
    with pytest.raises(DataError, match=r"the same values: row 3 \(2024-01-01T00:05:00Z\) \(1 of 4 bars\)"):
        check_bars(repeated, now=LATER)
    checked, warnings = check_bars(repeated, now=LATER, on_duplicate="last")
    assert checked.close.tolist() == [1.0, 2.0, 3.0]
    assert warnings == ("1 repeated rows with equal values dropped",)


def test_repeats_with_other_values_are_always_refused() -> None:
    with pytest.raises(DataError, match="other values: row 3"):
        check_bars(bars_at(0, 5, 5, 10), now=LATER, on_duplicate="last")


@pytest.mark.parametrize(("minutes_open", "kept"), [(0, 2), (4, 2), (5, 3), (6, 3)])
def test_the_last_bar_is_dropped_until_it_is_finished(minutes_open: int, kept: int) -> None:
    now = datetime(2024, 1, 1, 0, 10, tzinfo=UTC) + timedelta(minutes=minutes_open)
    checked, warnings = check_bars(bars_at(0, 5, 10), now=now)
    assert len(checked) == kept
    assert warnings == (() if kept == 3 else ("the last bar (2024-01-01T00:10:00Z) is still open: dropped",))


def test_a_bar_more_than_one_bar_ahead_is_refused() -> None:
    with pytest.raises(DataError, match=r"from the future .now is 2024-01-01T00:04:59Z.: row 3 .2024-01-01T00:10:00Z"):
        check_bars(bars_at(0, 5, 10), now=datetime(2024, 1, 1, 0, 4, 59, tzinfo=UTC))


def test_no_finished_bar_is_an_error() -> None:
    with pytest.raises(DataError, match="holds no finished bar"):
        check_bars(bars_at(0), now=datetime(2024, 1, 1, tzinfo=UTC))


def test_a_hundredth_of_the_steps_may_be_off_the_grid() -> None:
    minutes = [5.0 * place for place in range(101)]
    one_off = [*minutes[:50], *(minute + 2 for minute in minutes[50:])]
    assert check_bars(bars_at(*one_off), now=LATER)[1] == (
        "1 steps are no multiple of 5min: 5min 99 times, 7min 1 times",
    )
    two_off = [*one_off[:70], *(minute + 2 for minute in one_off[70:])]
    with pytest.raises(DataError, match="steps do not fit bars of 5min: 5min 98 times, 7min 2 times"):
        check_bars(bars_at(*two_off), now=LATER)


def test_volume_that_is_often_absent_is_a_warning() -> None:
    assert check_bars(bars_at(0, 5, volume=0.0), now=LATER)[1] == (
        "volume is 0 in every bar: volume features are left out",
    )
    some = bars_at(0, 5, 10, 15)
    some.volume[1] = 0.0
    assert check_bars(some, now=LATER)[1] == ("volume is 0 in 25.0% of the bars",)


def test_jumps_are_listed_in_both_directions() -> None:
    jumpy = bars_at(0, 5, 10, 15, close=[1.0, 100.0, 100.5, 1.0])
    assert check_bars(jumpy, now=LATER)[1] == ()
    assert check_bars(jumpy, now=LATER, max_jump=50.0)[1] == (
        "2 closes jump by a factor of 50 or more: "
        "row 2 (2024-01-01T00:05:00Z) x100, row 4 (2024-01-01T00:15:00Z) x0.00995",
    )


def test_a_factor_of_100_is_listed_unless_told_otherwise(read: Callable[..., BarFile], good: str) -> None:
    jumpy = good.replace("1.75,2.5,1.5,2.0,30", "175,250,150,175,30")
    (warning,) = read(jumpy).account.warnings
    assert warning == "1 closes jump by a factor of 100 or more: row 4 (2024-01-02T00:10:00Z) x100"
    assert read(jumpy, max_jump=101.0).account.warnings == ()


def test_a_gap_far_beyond_the_usual_break_is_listed() -> None:
    """Four weeks of 30 hourly bars on Mondays and Tuesdays; one week is absent, and one hour."""
    hours = [week * 168 + hour for week in (0, 1, 2, 10, 11) for hour in range(30) if hour != 7]
    warnings = check_bars(hourly(hours), now=LATER)[1]
    assert warnings == (
        "1 gaps beyond 5 times the usual break: 2024-01-16T05:00:00Z to 2024-03-11T00:00:00Z (54 days, 19:00:00)",
    )


def test_only_the_five_largest_gaps_are_listed() -> None:
    """Bars every hour, the first eighty with a gap of two to fourteen days after every tenth of them."""
    hours = np.arange(80) + np.repeat(np.arange(8) * 24 * np.arange(1, 9), 10)
    (warning,) = check_bars(hourly(list(np.concatenate([hours, hours[-1] + 1 + np.arange(3000)]))), now=LATER)[1]
    assert warning.startswith("7 gaps beyond 5 times")
    assert warning.count(" to ") == 5


def test_months_in_which_nothing_moves_are_named() -> None:
    hours = list(range(24 * 91))
    close = [1.0 + (hour % 5) * (not 31 * 24 <= hour < 60 * 24) for hour in hours]
    assert check_bars(hourly(hours, close), now=LATER)[1] == ("close never moves (std = 0) in 2024-02",)


def test_two_contracts_at_one_time_are_refused() -> None:
    bars = replace(bars_at(0, 5, 5), contract=np.array([0, 0, 1], dtype=np.int32), contract_names=("H4", "M4"))
    with pytest.raises(DataError, match="two contracts at one time: H4 row 2") as caught:
        check_bars(bars, now=LATER)
    assert caught.value.where == "bars:3"


def hourly(hours: list[int], close: list[float] | None = None) -> Bars:
    """Bars of an hour at hours after 2024-01-01 00:00 UTC, a Monday; the close alternates."""
    time_ns = START_NS + np.array(hours, dtype=np.int64) * 60 * MINUTE_NS
    price = np.array(close) if close else 1.0 + np.arange(len(hours)) % 2
    return Bars("X", time_ns, price, price, price, price, np.ones(len(hours)), 3600)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@given(place=st.integers(0, 9))
def test_one_bad_value_anywhere_is_found(column: str, value: float, place: int) -> None:
    bars = random_walk(10, seed=0)
    getattr(bars, column)[place] = value
    with pytest.raises(DataError, match=rf"{column} is (not finite|not above 0|negative): row {place + 1} ") as caught:
        check_bars(bars, now=LATER)
    assert caught.value.where == f"bars:{place + 1}"
    assert caught.value.help


def test_the_most_common_step_ignores_order_and_repeats() -> None:
    assert common_step(bars_at(10, 0, 5, 5, 5, 5, 600).time_ns, "x") == 300


def test_steps_below_a_second_are_refused() -> None:
    with pytest.raises(DataError, match=r"the most common step is 0\.5 s"):
        common_step(np.array([0, 500_000_000]), "x")
