"""`data check` with its report."""

from __future__ import annotations

import pytest
from command_line import call, succeed, write_bars

from ohlcv_factory.storage.formats import read_json


@pytest.fixture
def bars(tmp_path):
    return write_bars(tmp_path / "SYNTH.csv", 600)


def test_a_report_is_a_page_and_figures_in_a_new_folder(bars, tmp_path):
    plain = succeed("data", "check", bars).out
    assert succeed("data", "check", bars, "--report", tmp_path / "report").out == plain
    (found,) = read_json(tmp_path / "report" / "report.json")["files"]
    assert (found["symbol"], found["bars"], found["sessions"]["absent"]) == ("SYNTH", 600, 0)
    assert "Data report: SYNTH" in (tmp_path / "report" / "report.html").read_text()


def test_a_folder_that_holds_something_is_refused_before_anything_is_read(bars, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    answer = call("data", "check", "absent.csv", "--report", tmp_path / "full")
    assert answer.code == 73
    assert "is not empty" in answer.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["kept.txt"]


def test_the_calendar_of_ones_own_table_judges_the_gaps(bars, tmp_path):
    table = tmp_path / "own.yaml"
    table.write_text(
        'calendars:\n  mornings: {time_zone: UTC, opens: "00:00", closes: "06:00", days: [0, 1, 2, 3, 4, 5, 6]}\n'
        "SYNTH: {calendar: mornings}\n"
    )
    succeed("data", "check", bars, "--report", tmp_path / "report", "--instruments", table)
    (found,) = read_json(tmp_path / "report" / "report.json")["files"]
    assert (found["calendar"], found["calendar_is_generic"]) == ("mornings", False)
    # 600 bars of five minutes are two days and two hours; six hours of each day are inside
    assert found["sessions"]["days"]["present"] == [72, 72, 24]
    assert found["sessions"]["outside"] == 600 - 168


def test_a_key_of_the_build_that_cannot_act_on_a_check_is_refused(bars):
    answer = call("data", "check", bars, "--set", "horizons=[5]")
    assert answer.code == 2
    assert "horizons does nothing in data check" in answer.err
    assert call("data", "check", bars, "--set", "read.max_jump=1.001").code == 0
