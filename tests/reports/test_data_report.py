from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ohlcv_factory.bars.instruments import find_instrument
from ohlcv_factory.bars.load import BarFile, ReadAccount, read_bars
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.reports.data_report import data_report, file_facts

REAL = Path("/work/shared/data")
MINUTE_NS = 60_000_000_000


def at(moment: str) -> int:
    return int(np.datetime64(moment, "ns").astype(np.int64))


def file_of(bars: Bars, warnings: tuple[str, ...] = ()) -> BarFile:
    return BarFile(bars, ReadAccount("bars.csv", "0" * 64, len(bars), "first", "last", ("stamp: open",), warnings))


def bars_at(time_ns: np.ndarray, symbol: str = "MES", bar_seconds: int = 3600) -> Bars:
    """Bars whose price rises by one each; every bar trades one contract."""
    close = 100.0 + np.arange(len(time_ns))
    return Bars(symbol, time_ns, close, close + 1, close - 1, close, np.ones(len(close)), bar_seconds)


def thanksgiving() -> Bars:
    """Hours of MES from Wednesday 2024-11-27 17:00 Chicago to the Monday after, one hour of Friday missing."""
    schedule = find_instrument("MES").sessions.schedule(
        *(at(day) // (1440 * MINUTE_NS) for day in ("2024-11-28", "2024-12-02"))
    )
    time_ns = np.concatenate(
        [np.arange(a, b, 60 * MINUTE_NS) for a, b in zip(schedule.open_ns, schedule.close_ns, strict=True)]
    )
    return bars_at(time_ns[time_ns != at("2024-11-29T10:00")])


def facts(bars: Bars, symbol: str | None = None):
    return file_facts(file_of(bars), find_instrument(symbol or bars.symbol))


def test_a_session_expects_a_bar_in_each_hour_up_to_its_early_close():
    sessions = facts(thanksgiving())["sessions"]
    # Thursday closes at 12:00 Chicago: 19 hours; Friday at 12:15: 20 begun hours; Monday has 23
    assert sessions["days"] == {
        "day": ["2024-11-28", "2024-11-29", "2024-12-02"],
        "expected": [19, 20, 23],
        "present": [19, 19, 23],
        "absent": [0, 1, 0],
    }
    assert (sessions["count"], sessions["expected"], sessions["present"], sessions["absent"]) == (3, 62, 61, 1)
    assert sessions["outside"] == 0
    assert sessions["early_closes"] == [
        {"day": "2024-11-28", "close": "2024-11-28T18:00:00Z", "bars_after": 0},
        {"day": "2024-11-29", "close": "2024-11-29T18:15:00Z", "bars_after": 0},
    ]


def test_gaps_are_named_and_only_open_time_counts_as_missing():
    gaps = facts(thanksgiving())["gaps"]
    assert gaps["kinds"] == {
        "early close": {"gaps": 2, "missing_bars": 0},
        "missing inside a session": {"gaps": 1, "missing_bars": 1},
    }
    assert gaps["most_missing"] == [
        {
            "begin": "2024-11-29T10:00:00Z",
            "end": "2024-11-29T11:00:00Z",
            "seconds": 3600,
            "kind": "missing inside a session",
            "missing_bars": 1,
        }
    ]
    assert gaps["longest"][0]["begin"] == "2024-11-29T19:00:00Z"
    assert gaps["longest"][0]["end"] == "2024-12-01T23:00:00Z"


def test_a_holiday_is_listed_with_the_bars_that_came_all_the_same():
    # New York is closed on Good Friday, 2024-03-29
    hours = [at(f"2024-03-{day}T{hour}:00") for day in (28, 29) for hour in (15, 16)] + [at("2024-04-01T15:00")]
    sessions = facts(bars_at(np.array(hours), "SPY"))["sessions"]
    assert sessions["holidays"] == [{"day": "2024-03-29", "name": "Good Friday", "bars": 2}]
    assert sessions["outside"] == 2


@pytest.mark.parametrize("symbol", ["MES", "SPY", "EURUSD"])
def test_a_daily_bar_belongs_to_one_session_though_it_reaches_into_two(symbol):
    days = np.array([at(f"2024-01-{day:02d}") for day in (8, 9, 10, 11, 12, 16)])  # the 15th is Martin Luther King's
    sessions = facts(bars_at(days + 5 * 60 * MINUTE_NS, symbol, 86_400))["sessions"]
    assert sessions["present"] == 6
    assert sessions["outside"] == 0
    assert sessions["days"]["present"][:5] == [1, 1, 1, 1, 1]


def test_nothing_is_judged_where_the_hours_are_unknown():
    instrument = find_instrument("MES").model_copy(update={"calendar": "none"})
    found = file_facts(file_of(thanksgiving()), instrument)
    assert (found["sessions"]["judged"], found["sessions"]["absent"], found["rolls"]["candidates"]) == (False, 0, 0)
    assert found["gaps"]["kinds"] == {"not judged": {"gaps": 3, "missing_bars": 0}}


def test_holes_in_the_volume_are_counted_by_session():
    bars = thanksgiving()
    bars.volume[[0, 1, 2, 19]] = 0.0
    volume = facts(bars)["volume"]
    assert (volume["zero_bars"], volume["has_volume"]) == (4, True)
    assert volume["longest"] == [{"first": "2024-11-27T23:00:00Z", "last": "2024-11-28T01:00:00Z", "bars": 3}]
    assert volume["sessions"] == [
        {"day": "2024-11-28", "zero_share": 0.1579, "bars": 19},  # 3 of 19
        {"day": "2024-11-29", "zero_share": 0.0526, "bars": 19},  # 1 of 19
    ]


def test_the_largest_jump_comes_first_with_the_gap_before_it():
    bars = random_walk(500, 3)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[200:] *= 1.1
    jumps = facts(bars)["jumps"]
    assert jumps["largest"][0]["time"] == "2024-01-01T16:40:00Z"
    assert jumps["largest"][0]["log_return"] == pytest.approx(np.log(1.1), abs=0.002)
    assert jumps["largest"][0]["sigmas"] > 100
    assert jumps["largest"][0]["after_gap_seconds"] == 0
    assert jumps["robust_sigma"] == pytest.approx(3e-4, rel=0.4)


def test_a_stretch_at_one_price_is_found_with_all_its_bars():
    bars = random_walk(100, 3)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[40:47] = 55.0
    constant = facts(bars)["constant"]
    assert constant["flat_bars"] == 7
    assert constant["longest"] == [{"first": "2024-01-01T03:20:00Z", "last": "2024-01-01T03:50:00Z", "bars": 7}]


def test_four_bars_at_one_price_are_no_stretch():
    bars = random_walk(100, 3)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[40:44] = 55.0
    assert facts(bars)["constant"] == {"flat_bars": 4, "longest": []}


def test_rolls_that_the_file_names_are_listed_with_their_ratio():
    bars = thanksgiving()
    rolled = replace(bars, contract=(np.arange(len(bars)) >= 19).astype(np.int32), contract_names=("ESZ4", "ESH5"))
    # the price rises by one a bar: the old contract closed at 118, the new one opens at 119
    assert facts(rolled)["rolls"]["known"] == [
        "roll at 2024-11-28T23:00:00Z from ESZ4 to ESH5: ratio 0.991597, last close before over first open after: no move "
        "assumed"
    ]


def test_one_bar_can_be_reported():
    found = facts(random_walk(1, 3))
    assert (found["gaps"]["count"], found["jumps"]["largest"], found["sessions"]["present"]) == (0, [], 1)


def test_the_report_is_json_and_says_which_calendar_is_a_guess():
    files = [file_of(random_walk(50, 1)), file_of(thanksgiving(), ("2 repeated rows",))]
    report = data_report(files, {file.bars.symbol: find_instrument(file.bars.symbol) for file in files})
    assert json.loads(json.dumps(report)) == report
    assert [file["calendar_is_generic"] for file in report["files"]] == [True, False]
    assert report["files"][1]["account"]["warnings"] == ["2 repeated rows"]


def real(name: str):
    bar_file = read_bars(REAL / f"{name}.parquet")
    return file_facts(bar_file, find_instrument(bar_file.bars.symbol))


@pytest.mark.skipif(not REAL.exists(), reason="the real market files are not on this machine")
class TestRealFiles:
    """Against what the files' own page says, and counts made by hand."""

    def test_hourly_bitcoin_has_25_outages_and_three_bars_without_volume(self):
        found = real("open/BTCUSDT_60min_2017-08_2021-06")
        assert found["gaps"]["kinds"] == {"missing inside a session": {"gaps": 25, "missing_bars": 121}}
        longest = found["gaps"]["longest"][0]
        # 34 hours from bar to bar
        assert (longest["begin"], longest["end"]) == ("2018-02-08T01:00:00Z", "2018-02-09T10:00:00Z")
        assert longest["missing_bars"] == 33
        assert found["volume"]["zero_bars"] == 3
        assert found["sessions"]["expected"] - found["sessions"]["present"] == 121

    @pytest.mark.parametrize("name", ["demo/BTCUSDT_5min_2024-01", "open/ETHUSDT_5min_2024-01_2024-05"])
    def test_five_minute_crypto_is_a_full_grid(self, name):
        found = real(name)
        assert found["gaps"] == {"count": 0, "kinds": {}, "most_missing": [], "longest": []}
        assert (found["sessions"]["absent"], found["sessions"]["outside"], found["volume"]["zero_bars"]) == (0, 0, 0)

    def test_the_euro_future_pauses_each_day_and_lacks_minutes_without_a_trade(self):
        found = real("demo/6E_1min_2024-01")
        kinds = found["gaps"]["kinds"]
        assert (kinds["break between sessions"]["gaps"], kinds["weekend"]["gaps"]) == (18, 4)
        assert kinds["missing inside a session"] == {"gaps": 353, "missing_bars": 423}
        assert found["sessions"]["outside"] == 0
        assert found["constant"]["flat_bars"] / found["bars"] == pytest.approx(0.11, abs=0.005)

    def test_the_extended_session_of_spy_lacks_minutes_and_changes_its_clock(self):
        found = real("demo/SPY_1min_2011-03")
        assert found["sessions"]["count"] == 23
        assert found["sessions"]["outside"] == 1
        assert found["sessions"]["absent"] == 4503
        assert found["gaps"]["kinds"]["weekend"]["gaps"] == 4
        january = real("open/SPY_1min_2011-01_2011-02")
        assert january["sessions"]["holidays"] == [
            {"day": "2011-01-17", "name": "Dr. Martin Luther King Jr. Day", "bars": 0}
        ]

    @pytest.mark.parametrize(
        ("name", "outside"), [("XAUUSD_60min_2006-03_2013-11", 53), ("EURUSD_60min_2007-01_2014-03", 0)]
    )
    def test_quotes_without_volume_say_so_and_lack_weekends(self, name, outside):
        found = real(f"open/{name}")
        assert not found["volume"]["has_volume"]
        assert found["volume"]["sessions"] == []
        assert found["gaps"]["kinds"]["weekend"]["gaps"] > 350
        # gold has 53 bars at 21:00 UTC on summer Fridays, an hour after the week's end in New York
        assert found["sessions"]["outside"] == outside
