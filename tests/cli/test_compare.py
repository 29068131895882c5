from __future__ import annotations

import csv
import json
import shutil

import pytest
from command_line import call, succeed

from ohlcv_factory.studies.leaderboard import leaderboard


def test_runs_of_several_symbols_and_horizons_stand_in_groups_with_ranks_and_words(board_runs):
    text = succeed("compare", board_runs["one_symbol"][0].parent, "--by", "macro_f1").out
    for words in ("SYNTHA, horizon 5", "SYNTHA, horizon 10", "SYNTHB, horizon 5", "SYNTHA, SYNTHB, horizon 5"):
        assert f"{words}, part val, best macro_f1 first; in brackets the baselines of " in text
    assert text.count("\nby macro_f1\nname") == 4
    assert text.count("Against no trade, best of 2 over ") == 3
    assert (
        text.count("Probability of backtest overfitting 0.") + text.count("Probability of backtest overfitting 1.") == 3
    )
    assert text.count("is alone here") == 1
    assert "  rank  rank 90 %" in text and "  seconds" in text


def test_each_json_row_says_where_its_run_stands_and_what_is_said_of_its_group(board_runs):
    paths = (*board_runs["one_symbol"], *board_runs["other_symbol"])
    rows = succeed("compare", *paths, "--by", "log_loss", "--json").json
    board = leaderboard(*paths, by="log_loss")
    assert [row["run"] for row in rows] == [str(run.path) for run in board.runs]
    assert [row["comparison"]["rank"] for row in rows] == [1, 2, 1, 2]
    losses = [row["classification"]["log_loss"] for row in rows]
    assert rows[1]["comparison"]["difference"] == pytest.approx(losses[1] - losses[0])
    assert rows[0]["comparison"]["difference"] is None
    low, high = rows[1]["comparison"]["difference_interval"]
    assert rows[1]["comparison"]["differs_from_best"] == (low > 0 or high < 0)
    for row in rows:
        found = board.groups[tuple(row["symbols"]), row["horizon"]]
        assert row["group"]["words"] == list(found.words)
        assert row["group"]["superiority"]["consistent"] == found.superiority.consistent
        assert row["average_rank"] == board.average_ranks[row["model_name"]]
        assert row["comparison"]["peak_memory_mb"] > 50 and row["comparison"]["training_time_seconds"] > 0


def test_the_seed_decides_the_resamples(board_runs):
    def answer(*more):
        return succeed("compare", *board_runs["one_symbol"], "--json", *more).out

    assert answer() == answer("--seed", "0") == answer("--seed", "0")
    assert answer("--seed", "1") != answer()


def test_out_writes_what_its_suffix_names_and_refuses_another_before_any_work(board_runs, tmp_path):
    for name in ("board.csv", "board.html", "board.md"):
        answer = succeed("compare", *board_runs["one_symbol"], "--out", tmp_path / name)
        assert answer.out.endswith(f"written: {tmp_path / name}\n")
    with (tmp_path / "board.csv").open() as stream:
        assert [row["rank"] for row in csv.DictReader(stream)] == ["1", "2"]
    refused = call("compare", tmp_path / "nowhere", "--out", tmp_path / "board.txt")
    assert refused.code == 2
    assert "a leaderboard is written as .csv, .html, .md, got 'board.txt'" in refused.err
    assert "--> --out" in refused.err


def test_other_rows_of_one_symbol_and_horizon_are_refused_by_name(board_runs, tmp_path):
    run = board_runs["one_symbol"][0]
    copy = shutil.copytree(run, tmp_path / "logistic_h5_other_rows")
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "row_digest": "other"}))
    refused = call("compare", run, copy)
    assert refused.code == 65
    assert "these runs of SYNTHA, horizon 5 were scored on different rows" in refused.err
    assert run.name in refused.err and copy.name in refused.err


def test_the_test_part_is_compared_only_where_evaluate_has_looked(board_runs, tmp_path):
    runs = [shutil.copytree(path, tmp_path / "runs" / path.name) for path in board_runs["one_symbol"]]
    refused = call("compare", *runs, "--part", "test")
    assert refused.code == 66
    assert "was never evaluated on its test part" in refused.err and "evaluate " in refused.err
    for run in runs:
        succeed("evaluate", run, "--part", "test")
    rows = succeed("compare", *runs, "--part", "test", "--json").json
    assert {row["part"] for row in rows} == {row["group"]["part"] for row in rows} == {"test"}
    assert "looked at 2 times" in rows[0]["group"]["words"][-1]
    assert "part test, best sharpe_ratio first" in succeed("compare", *runs, "--part", "test").out
    assert call("compare", *runs, "--part", "train").code == 2


def test_cross_validations_are_compared_out_of_fold_with_the_overfitting_of_each_path(board_studies):
    rows = succeed("compare", board_studies[0].parent, "--part", "oof", "--json").json
    assert sorted(row["model_name"] for row in rows) == ["logistic", "random_forest"]
    facts = rows[0]["group"]
    assert (facts["part"], facts["paths"], len(facts["overfitting_by_path"])) == ("oof", 2, 2)
    assert facts["overfitting"] == pytest.approx(sum(facts["overfitting_by_path"]) / 2)
    text = succeed("compare", *board_studies, "--part", "oof").out
    assert "SYNTHA, horizon 5, part oof, best sharpe_ratio first" in text and "(mean of 2 paths, " in text
    refused = call("compare", *board_studies)
    assert refused.code == 66 and "is a cross-validation, which has no val scores" in refused.err
