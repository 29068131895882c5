from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call, succeed, write_bars
from own_features import own_features
from planted_names import LEAKS

PLANTED = Path(__file__).parent.parent / "support" / "planted.py"
FEW = "return_1,rsi_14"


@pytest.fixture(scope="module")
def bars(folder):
    return write_bars(folder / "AUDIT_5min.csv", 3000)


def test_clean_columns_pass_with_a_summary(bars):
    answer = succeed("audit", "features", "--bars", bars, "--features", FEW)
    assert "AUDIT: 2 columns on 3000 bars: nothing found" in answer.out
    assert "truncation ok, corrupted future ok" in answer.out


def test_planted_leaks_fail_with_a_table_of_test_column_bar_and_size(bars):
    with own_features():
        names = f"bar_body,{','.join(LEAKS)}"
        answer = call("audit", "features", "--bars", bars, "--plugin", PLANTED, "--features", names)
    assert answer.code == 1
    lines = [line.split() for line in answer.out.splitlines() if line.startswith("truncation ")]
    assert {line[1] for line in lines} == set(LEAKS)
    for line in lines:
        assert 0 <= int(line[2]) < 3000
        assert float(line[4]) > 0
    assert "bar_body" not in answer.out


def test_json_holds_the_same(bars):
    with own_features():
        names = ("--features", "global_z_score")
        answer = call("audit", "features", "--bars", bars, "--plugin", PLANTED, *names, "--json")
    assert answer.code == 1
    (audit,) = answer.json
    assert audit["passed"] is False
    assert audit["tests"]["truncation"] == 1
    assert {violation["feature"] for violation in audit["violations"]} == {"global_z_score"}


def test_bars_are_resampled_and_several_files_are_audited_each(bars, folder):
    other = write_bars(folder / "OTHER_5min.csv", 3000, seed=8)
    files = ("--bars", bars, "--bars", other)
    answer = succeed("audit", "features", *files, "--bar-size", "10min", "--features", FEW, "--json")
    assert [(audit["symbol"], audit["bars"]) for audit in answer.json] == [("AUDIT", 1500), ("OTHER", 1500)]


def test_only_the_newest_bars_are_looked_at(bars):
    answer = succeed("audit", "features", "--bars", bars, "--features", FEW, "--last", "1000", "--json")
    assert answer.json[0]["bars"] == 1000


def test_an_unknown_column_is_refused(bars):
    answer = call("audit", "features", "--bars", bars, "--features", "rsi_15")
    assert answer.code == 2
    assert "Did you mean 'rsi_14'" in answer.err
