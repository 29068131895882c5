"""The leaderboard as CSV, HTML and Markdown: the same runs, the same order, the same numbers."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.reports.leaderboard_files import (
    leaderboard_csv,
    leaderboard_markdown,
    leaderboard_page,
    write_leaderboard,
)
from ohlcv_factory.studies.finished_runs import Group
from ohlcv_factory.studies.leaderboard import Leaderboard, leaderboard


@pytest.fixture(scope="module")
def board(board_runs):
    return leaderboard(*board_runs["one_symbol"], *board_runs["other_symbol"], by="macro_f1")


@pytest.fixture(scope="module")
def odd(board):
    """The board with a model and a symbol that look like markup."""
    (found, *_) = board.groups.values()
    runs = tuple(replace(run, manifest={**run.manifest, "model": "<b>a|b"}) for run in found.runs[:1])
    group = Group(("<i>x|y",), 5)
    return Leaderboard({group: replace(found, group=group, runs=runs, standings=found.standings[:1])}, board.by)


def test_a_csv_file_holds_one_line_per_run_with_its_numbers_in_full(board):
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(board))))
    assert [row["run"] for row in rows] == [str(run.path) for run in board.runs]
    for row, run in zip(rows, board.runs, strict=True):
        found = board.groups[run.group]
        standing = found.standings[found.runs.index(run)]
        assert (row["symbols"], int(row["horizon"]), row["part"]) == (" ".join(run.group.symbols), 5, "val")
        assert float(row["value"]) == float(row["macro_f1"]) == run.evaluation["classification"]["macro_f1"]
        assert (int(row["rank"]), int(row["rank_low"]), int(row["rank_high"])) == (
            standing.rank,
            *standing.rank_interval,
        )
        assert float(row["group_spa_p"]) == found.superiority.consistent
        assert float(row["group_overfitting"]) == found.overfitting_probability
        assert float(row["average_rank"]) == board.average_ranks[run.manifest["model"]]
        if standing.rank == 1:
            assert row["difference"] == row["difference_low"] == ""
        else:
            ends = standing.difference.interval
            assert (float(row["difference_low"]), float(row["difference_high"])) == ends


def test_markdown_has_a_table_per_group_with_its_sentences(board):
    text = leaderboard_markdown(board)
    assert text.startswith("# Leaderboard by macro_f1\n\n## SYNTHA, horizon 5, part val\n\n| name | rank | rank 90 % |")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 3  # two groups and the average ranks
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)
    for found in board.groups.values():
        assert all(words in text for words in found.words)
    assert "## Over all groups" in text and "| (buy_and_hold) | – |" in text


def test_a_page_has_a_section_per_group_and_loads_nothing(board):
    html = leaderboard_page(board)
    assert re.findall(r'<section id="([\w-]+)">', html) == ["group-1", "group-2", "groups", "meaning"]
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", html)
    assert not re.search(r">[^<]*\b(nan|NaN|None|inf)\b", html.split("</style>")[1])
    assert all(f"<p>{words}</p>" in html for found in board.groups.values() for words in found.words)
    assert html.replace("<wbr>", "").count('<th scope="row">random_forest</th>') == 3
    assert '<th scope="row">random_<wbr>forest</th>' in html  # where a narrow column may break it


def test_names_are_inert_in_every_format(odd):
    html, text = leaderboard_page(odd), leaderboard_markdown(odd)
    assert "<b>a" not in html and "<i>x" not in html and "&lt;b&gt;a|b" in html
    assert "<b>a" not in text and "<i>x" not in text and r"&lt;b>a\|b" in text
    assert next(csv.DictReader(io.StringIO(leaderboard_csv(odd))))["model"] == "<b>a|b"


@pytest.mark.parametrize("suffix", [".csv", ".html", ".md"])
def test_the_same_runs_give_the_same_bytes(board, board_runs, tmp_path, suffix):
    again = leaderboard(*board_runs["other_symbol"], *board_runs["one_symbol"], by="macro_f1")
    first = write_leaderboard(board, tmp_path / f"first{suffix}")
    assert first.read_bytes() == write_leaderboard(again, tmp_path / f"again{suffix}").read_bytes()


def test_a_suffix_without_a_format_is_refused(board, tmp_path):
    with pytest.raises(UsageError, match=r"written as \.csv, \.html, \.md, got 'board.xlsx'"):
        write_leaderboard(board, tmp_path / "board.xlsx")
    assert not list(tmp_path.iterdir())
