from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ohlcv_factory.bars.instruments import find_instrument
from ohlcv_factory.bars.load import BarFile, ReadAccount
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.reports.data_page import data_page, write_data_report
from ohlcv_factory.reports.data_report import data_report
from ohlcv_factory.storage.formats import read_json


def page(bars: Bars, calendar: str = "always_open", warnings: tuple[str, ...] = ()) -> str:
    account = ReadAccount("<bars>.csv", "0" * 64, len(bars), "first", "last", ("stamp: open",), warnings)
    instrument = find_instrument("MES").model_copy(update={"calendar": calendar, "symbol": bars.symbol})
    return data_page(data_report([BarFile(bars, account)], {bars.symbol: instrument}))


def without(bars: Bars, *rows: int) -> Bars:
    return bars.take(np.setdiff1d(np.arange(len(bars)), rows))


class Balanced(HTMLParser):
    """Every opened element is closed, innermost first."""

    void = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_day_shows_how_many_bars_are_absent_and_how_dark_that_is():
    # 288 five-minute bars a day; two of the first day and all of the second are gone
    html = page(without(random_walk(3 * 288, 1), 10, 11, *range(288, 576)))
    assert '<td style="--share:0.007" title="2024-01-01: 286 of 288 bars">2</td>' in html
    assert '<td style="--share:1.000" title="2024-01-02: 0 of 288 bars">×</td>' in html
    assert '<td style="--share:0.000" title="2024-01-03: 288 of 288 bars">·</td>' in html
    assert html.count('<th scope="row">2024-01</th>') == 1


def test_the_largest_gap_is_listed_with_its_length_and_kind():
    html = page(without(random_walk(3 * 288, 1), *range(288, 576)))
    row = "<td>2024-01-03 00:00</td><td>1 d</td><td>missing inside a session</td><td>288</td>"
    assert '<th scope="row">2024-01-02 00:00</th>' in html and row in html


def test_holidays_and_early_closes_are_marked_in_the_calendar():
    walk = random_walk(400, 1, bar_seconds=3600)
    shift = np.datetime64("2024-11-25", "ns").astype(np.int64) - walk.time_ns[0]
    bars = Bars(walk.symbol, walk.time_ns + shift, walk.open, walk.high, walk.low, walk.close, walk.volume, 3600)
    html = page(bars, "nyse")
    assert "<td>h</td>" in html  # Thanksgiving
    assert re.search(r"2024-11-29: 4 of 4 bars, early close\">·e</td>", html)
    assert '<th scope="row">2024-11-28</th><td>Thursday</td><td>Thanksgiving</td>' in html
    assert "outside of every session: is this the right calendar?" in html


def test_a_market_without_known_hours_has_no_gap_calendar():
    html = page(random_walk(300, 1), "none")
    assert "no bar is called missing" in html
    assert 'class="days"' not in html


def test_dropped_rows_and_warnings_are_told_and_no_text_of_a_file_is_markup():
    html = page(random_walk(300, 1), warnings=("3 repeated rows with equal values dropped", "<script>"))
    assert "<li>3 repeated rows with equal values dropped</li>" in html
    assert "<script>" not in html
    assert "&lt;bars&gt;.csv" in html


def test_bars_without_volume_or_a_break_are_said_in_words():
    bars = random_walk(300, 1)
    bars.volume[:] = 0.0
    html = page(bars)
    assert "Volume is 0 in every bar" in html
    assert "each bar begins where the one before ends" in html
    assert "No jump at a session break looks like a roll" in html


@pytest.mark.parametrize("calendar", ["always_open", "cme_equity", "none"])
def test_every_element_is_closed(calendar):
    parser = Balanced()
    parser.feed(page(without(random_walk(900, 1), *range(300, 420)), calendar))
    assert parser.open == []


def test_the_same_figures_give_the_same_bytes_on_disk(tmp_path):
    bars = random_walk(300, 1)
    account = ReadAccount("bars.csv", "0" * 64, 300, "first", "last", (), ())
    report = data_report([BarFile(bars, account)], {"SYNTH": find_instrument("SYNTH")})
    first = write_data_report(report, tmp_path).read_bytes()
    assert write_data_report(report, tmp_path).read_bytes() == first
    assert read_json(tmp_path / "report.json")["files"][0]["bars"] == 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
