from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.bars.resample import higher_bars, resample
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import CalendarHours, SessionCalendar, session_calendar
from ohlcv_factory.bars.synthetic import START_NS, random_walk
from ohlcv_factory.errors import DataError, UsageError

MINUTE_NS = 60_000_000_000


def minute_bars(*minutes: int) -> Bars:
    """One-minute bars; bar at minute m has open m, high m + 0.75, low m - 0.25, close m + 0.5, volume m."""
    m = np.array(minutes, dtype=np.float64)
    return Bars("X", START_NS + np.array(minutes) * MINUTE_NS, m, m + 0.75, m - 0.25, m + 0.5, m, 60)


def minutes_of(bars: Bars) -> list[int]:
    return ((bars.time_ns - START_NS) // MINUTE_NS).tolist()


def test_a_bucket_takes_first_highest_lowest_last_and_sum() -> None:
    higher = resample(minute_bars(1, 2, 4, 5, 6, 7, 8, 9), 300)
    assert minutes_of(higher) == [0, 5]
    assert higher.open.tolist() == [1.0, 5.0]
    assert higher.high.tolist() == [4.75, 9.75]
    assert higher.low.tolist() == [0.75, 4.75]
    assert higher.close.tolist() == [4.5, 9.5]
    assert higher.volume.tolist() == [7.0, 35.0]
    assert higher.bar_seconds == 300


def test_empty_buckets_are_absent() -> None:
    assert minutes_of(resample(minute_bars(4, 19), 300)) == [0, 15]


def test_the_last_bucket_is_kept_only_when_its_end_is_reached() -> None:
    assert minutes_of(resample(minute_bars(0, 1, 5, 8), 300)) == [0]
    assert minutes_of(resample(minute_bars(0, 1, 5, 9), 300)) == [0, 5]


def test_daily_bars_begin_at_midnight_utc() -> None:
    hours = [60 * hour for hour in range(22, 50)]
    assert minutes_of(resample(minute_bars(*hours, 2 * 1440 + 1439), 86_400)) == [0, 1440, 2880]


def test_the_same_size_changes_nothing() -> None:
    bars = random_walk(100, seed=2)
    assert resample(bars, 300).high.tolist() == bars.high.tolist()


@pytest.mark.parametrize("size", [0, -300, 90, 1])
def test_only_multiples_are_offered(size: int) -> None:
    with pytest.raises(UsageError, match="is no multiple of the source bars' 60 s"):
        resample(minute_bars(0, 1), size)


def test_no_bars_give_no_bars() -> None:
    nothing = minute_bars(0).head(0)
    assert len(resample(nothing, 300)) == 0
    higher, last_complete = higher_bars(nothing, 300)
    assert (len(higher), last_complete.tolist()) == (0, [])


def test_a_higher_bar_is_complete_from_the_close_of_its_last_minute_on() -> None:
    higher, last_complete = higher_bars(minute_bars(3, 4, 5, 8, 11, 14, 15), 300)
    assert minutes_of(higher) == [0, 5, 10, 15]
    assert last_complete.tolist() == [-1, 0, 0, 0, 1, 2, 2]
    assert last_complete.dtype == np.int64


@pytest.mark.parametrize("size", [900, 3600])
def test_later_bars_change_no_complete_higher_bar(size: int) -> None:
    whole = random_walk(200, seed=3)
    present = np.random.default_rng(0).random(200) < 0.7
    bars = Bars(
        "SYNTH", *(getattr(whole, name)[present] for name in ("time_ns", "open", "high", "low", "close", "volume")), 300
    )
    higher, last_complete = higher_bars(bars, size)
    for count in range(1, len(bars) + 1):
        part, part_complete = higher_bars(bars.head(count), size)
        assert part_complete.tolist() == last_complete[:count].tolist()
        complete = part_complete[-1] + 1
        for name in ("time_ns", "open", "high", "low", "close", "volume"):
            assert getattr(part, name)[:complete].tobytes() == getattr(higher, name)[:complete].tobytes()


def test_overlapping_bars_that_would_leak_are_refused() -> None:
    bars = minute_bars(0, 4, 5)
    bars.time_ns[2] -= MINUTE_NS // 2
    with pytest.raises(DataError, match="the bar at 2024-01-01T00:04:00Z overlaps the next one"):
        higher_bars(bars, 300)


COLUMNS = ("time_ns", "open", "high", "low", "close", "volume")
FUTURES = session_calendar("cme_equity")
WEEKS = {"spring": ("2024-03-07", "2024-03-14"), "autumn": ("2024-10-31", "2024-11-07")}
"""Days from Thursday to Thursday around each change of the clock in Chicago."""


def futures_bars(week: str, bar_minutes: int = 15, present: float = 0.9) -> Bars:
    """A random walk in the sessions of Chicago futures, daily hour and weekend absent; a share of bars is present."""
    first, last = (int(np.datetime64(day, "ns").astype(np.int64)) for day in WEEKS[week])
    time_ns = np.arange(first, last, bar_minutes * MINUTE_NS)
    walk = random_walk(len(time_ns), seed=4)
    bars = Bars("MES", time_ns, *(getattr(walk, name) for name in COLUMNS[1:]), bar_minutes * 60)
    schedule = FUTURES.schedule_between(first, last)
    begun, ended = (np.searchsorted(ends, time_ns, side="right") for ends in (schedule.open_ns, schedule.close_ns))
    traded = begun > ended
    return bars.take(traded & (np.random.default_rng(1).random(len(bars)) < present))


def stamps(bars: Bars) -> list[str]:
    return bars.time_ns.astype("datetime64[ns]").astype("datetime64[m]").astype(str).tolist()


def test_four_hours_hang_on_the_sessions_start_and_end_with_it() -> None:
    # 17:00 Chicago is 23:00 UTC before the second Sunday of March, 22:00 after it; the last bucket has three hours
    found = stamps(resample(futures_bars("spring"), 14_400, FUTURES))
    friday, monday = found.index("2024-03-07T23:00"), found.index("2024-03-10T22:00")
    assert found[friday:monday] == [
        "2024-03-07T23:00", "2024-03-08T03:00", "2024-03-08T07:00", "2024-03-08T11:00", "2024-03-08T15:00",
        "2024-03-08T19:00",
    ]  # fmt: skip
    assert found[monday : monday + 2] == ["2024-03-10T22:00", "2024-03-11T02:00"]


def test_a_day_is_a_session_on_both_sides_of_daylight_saving() -> None:
    spring = stamps(resample(futures_bars("spring"), 86_400, FUTURES))
    assert spring[1:5] == ["2024-03-07T23:00", "2024-03-10T22:00", "2024-03-11T22:00", "2024-03-12T22:00"]
    autumn = stamps(resample(futures_bars("autumn"), 86_400, FUTURES))
    assert autumn[1:5] == ["2024-10-31T22:00", "2024-11-03T23:00", "2024-11-04T23:00", "2024-11-05T23:00"]


def test_a_day_is_finished_at_the_sessions_close_not_a_day_later() -> None:
    bars = futures_bars("spring", present=1.0)
    close_ns = int(np.datetime64("2024-03-08T22:00", "ns").astype(np.int64))
    through = bars.head(int(np.searchsorted(bars.close_time_ns, close_ns, side="right")))
    assert through.close_time_ns[-1] == close_ns
    assert stamps(resample(through, 86_400, FUTURES))[-1] == "2024-03-07T23:00"
    assert stamps(resample(through.head(len(through) - 1), 86_400, FUTURES))[-1] == "2024-03-06T23:00"


@pytest.mark.parametrize("size", [900, 3600])
def test_sizes_that_divide_an_hour_keep_their_grid_whatever_the_calendar(size: int) -> None:
    bars = futures_bars("autumn", 5)
    with_calendar, without = resample(bars, size, FUTURES), resample(bars, size)
    assert all(getattr(with_calendar, name).tobytes() == getattr(without, name).tobytes() for name in COLUMNS)


def test_no_bucket_crosses_a_session_border() -> None:
    # the first bar opens two hours into Monday's session; of its 24 hours, the fourth bucket of seven has three
    time_ns = START_NS + np.arange(72) * 60 * MINUTE_NS
    bars = Bars("EURUSD", time_ns, *(np.ones(72) for _ in range(4)), np.ones(72), 3600)
    higher = resample(bars, 7 * 3600, session_calendar("fx_week"))
    assert higher.volume.tolist() == [5.0, 7.0, 7.0, 3.0, 7.0, 7.0, 7.0, 3.0, 7.0, 7.0, 7.0, 3.0]
    assert higher.volume.sum() + 2 == 72  # an unfinished bucket of two bars is left out


def test_bars_outside_of_the_hours_do_not_mix_with_those_inside() -> None:
    moments = np.array(
        ["2024-01-08T14:00", "2024-01-08T14:30", "2024-01-08T20:30", "2024-01-08T21:00"], "datetime64[ns]"
    )
    bars = Bars("SPY", moments.astype(np.int64), *(np.ones(4) for _ in range(4)), np.arange(1.0, 5.0), 1800)
    higher = resample(bars, 14_400, session_calendar("nyse"))
    assert stamps(higher) == ["2024-01-08T10:30", "2024-01-08T14:30", "2024-01-08T18:30"]
    assert higher.volume.tolist() == [1.0, 2.0, 3.0]


def with_rolls_at(bars: Bars, *rows: int) -> Bars:
    contract = np.searchsorted(rows, np.arange(len(bars)), side="right").astype(np.int32)
    return replace(bars, contract=contract, contract_names=tuple("HMUZ"[: len(rows) + 1]))


def test_a_roll_ends_a_bucket_and_the_contract_is_carried() -> None:
    bars = with_rolls_at(minute_bars(*range(12)), 3, 10)
    higher = resample(bars, 300)
    assert minutes_of(higher) == [0, 3, 5]
    assert higher.volume.tolist() == [3.0, 7.0, 35.0]
    assert higher.contract is not None
    assert higher.contract.tolist() == [0, 1, 1]
    assert higher.contract_names == ("H", "M", "U")
    assert minutes_of(resample(bars, 86_400)) == [0, 3]


def test_a_bucket_that_a_roll_cuts_is_complete_when_the_next_contract_trades() -> None:
    higher, last_complete = higher_bars(with_rolls_at(minute_bars(*range(12)), 3), 300)
    assert minutes_of(higher) == [0, 3, 5, 10]
    assert last_complete.tolist() == [-1, -1, -1, 0, 1, 1, 1, 1, 1, 2, 2, 2]


CASES = [
    ("spring", 14_400, FUTURES),
    ("autumn", 14_400, FUTURES),
    ("spring", 18_000, FUTURES),
    ("autumn", 86_400, FUTURES),
    ("spring", 86_400, FUTURES),
    ("spring", 172_800, FUTURES),
    ("spring", 3600, FUTURES),
    ("autumn", 14_400, session_calendar("nyse")),
    ("spring", 86_400, session_calendar("nyse")),
    ("autumn", 25_200, session_calendar("fx_week")),
    ("spring", 86_400, CalendarHours(time_zone="Europe/Berlin", opens="00:00", closes="00:00").calendar("own")),
    ("autumn", 43_200, CalendarHours(time_zone="America/Chicago", opens="00:00", closes="00:00").calendar("own")),
]


@pytest.mark.parametrize(("week", "size", "calendar"), CASES)
def test_no_later_bar_changes_a_complete_higher_bar_in_any_calendar(
    week: str, size: int, calendar: SessionCalendar
) -> None:
    bars = with_rolls_at(futures_bars(week, 60), 25, 71)
    higher, last_complete = higher_bars(bars, size, calendar)
    finished = resample(bars, size, calendar)
    assert (np.diff(higher.time_ns) > 0).all()
    for count in range(1, len(bars) + 1):
        part, part_complete = higher_bars(bars.head(count), size, calendar)
        assert part_complete.tolist() == last_complete[:count].tolist()
        shorter = resample(bars.head(count), size, calendar)
        for name in (*COLUMNS, "contract"):
            complete = part_complete[-1] + 1
            assert getattr(part, name)[:complete].tobytes() == getattr(higher, name)[:complete].tobytes()
            assert getattr(shorter, name).tobytes() == getattr(finished, name)[: len(shorter)].tobytes()


@pytest.mark.parametrize("week", WEEKS)
@pytest.mark.parametrize("size", [14_400, 86_400])
def test_what_a_bar_may_look_at_had_traded_by_its_close(week: str, size: int) -> None:
    bars = futures_bars(week)
    higher, last_complete = higher_bars(bars, size, FUTURES)
    border = np.append(higher.time_ns[1:], bars.time_ns[-1] + 1)
    for row in range(len(bars)):
        known = last_complete[row]
        if known >= 0:
            inside = (bars.time_ns >= higher.time_ns[known]) & (bars.time_ns < border[known])
            assert bars.close_time_ns[inside].max() <= bars.close_time_ns[row]
            assert higher.close[known] == bars.close[inside][-1]
            assert higher.high[known] == bars.high[inside].max()


def test_more_than_a_day_is_whole_days() -> None:
    hours = [60 * hour for hour in range(0, 24 * 6)]
    bars = replace(minute_bars(*hours), bar_seconds=3600)
    assert minutes_of(resample(bars, 2 * 86_400)) == [-1440, 1440, 3 * 1440]  # two-day spans counted from 1970
    with pytest.raises(UsageError, match="36h is longer than a day and not whole days"):
        resample(bars, 36 * 3600)


def test_a_session_that_begins_in_a_skipped_hour_leaves_no_bar_behind() -> None:
    # Chicago has no 02:00 on 2024-03-10: 08:00 UTC is 03:00
    calendar = CalendarHours(time_zone="America/Chicago", opens="02:00", closes="01:30").calendar("nights")
    first = int(np.datetime64("2024-03-10T00:00", "ns").astype(np.int64))
    walk = random_walk(96, seed=6)
    bars = Bars("X", first + np.arange(96) * 15 * MINUTE_NS, *(getattr(walk, name) for name in COLUMNS[1:]), 900)
    higher, last_complete = higher_bars(bars, 5400, calendar)
    assert higher.volume.sum() == pytest.approx(bars.volume.sum())
    for count in range(1, 97):
        assert higher_bars(bars.head(count), 5400, calendar)[1].tolist() == last_complete[:count].tolist()
