"""`run`: raw files to a report in one go."""

from __future__ import annotations

import polars as pl
import pytest
from command_line import DATASET, Answer, call, succeed

QUICK = ("--models", "logistic,random_forest")


@pytest.fixture(scope="module")
def out(folder):
    return folder / "everything"


@pytest.fixture(scope="module")
def everything(bar_csv, out) -> Answer:
    return succeed("run", bar_csv, "--out", out, *QUICK, *DATASET, "--json")


def test_run_trains_every_model_at_every_horizon(everything, out):
    trained = {(row["model_name"], row["horizon"]) for row in everything.json["leaderboard"]}
    assert trained == {("logistic", 5), ("logistic", 10), ("random_forest", 5), ("random_forest", 10)}
    assert len(list((out / "runs").glob("*/manifest.json"))) == 4
    assert "logistic" in (out / "report.html").read_text(encoding="utf-8")


def test_run_predicts_the_newest_bar_at_every_horizon(everything, bar_csv):
    newest = everything.json["newest"]
    last = pl.read_csv(bar_csv)["timestamp"][-1]
    assert set(newest) == {"5", "10"}
    for rows in newest.values():
        assert [row["symbol"] for row in rows] == ["SYNTH"]
        assert rows[0]["time"][:16].replace("T", " ") == last[:16].replace("T", " ")
        assert rows[0]["p_short"] + rows[0]["p_neutral"] + rows[0]["p_long"] == pytest.approx(1.0)


def test_run_refuses_a_folder_that_holds_something(everything, bar_csv, out):
    answer = call("run", bar_csv, "--out", out, *QUICK, *DATASET)
    assert answer.code == 73
    assert f"{out} is not empty" in answer.err


def test_run_refuses_an_unknown_model_before_any_work(bar_csv, tmp_path):
    answer = call("run", bar_csv, "--out", tmp_path / "new", "--models", "logistic,lightgbmm", *DATASET)
    assert answer.code == 2
    assert "Unknown model 'lightgbmm'. Did you mean 'lightgbm'?" in answer.err
    assert not (tmp_path / "new").exists()
