"""Raw CSV to dataset, run, evaluation, prediction, comparison and report, each step by its command."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
from command_line import BASELINES, DATASET, call, succeed, train, write_bars

from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.training.bundle import read_run_manifest

PROBABILITIES = ["p_short", "p_neutral", "p_long"]


def test_a_run_folder_holds_what_the_specification_names(runs):
    run = runs["lightgbm"]
    assert sorted(path.name for path in run.iterdir() if path.is_dir()) == [
        "checkpoints", "config", "logs", "metrics", "plots", "predictions",
    ]  # fmt: skip
    assert (run / "manifest.json").is_file()
    assert (run / "state.json").is_file()


def test_the_ledger_counts_each_fit_and_each_look_at_the_test_part(folder, dataset, tmp_path):
    run = train(dataset, tmp_path / "runs")
    assert "look 1 at this test part" in succeed("evaluate", run, "--part", "test").out
    assert "look 2 at this test part" in succeed("evaluate", run, "--part", "test").out
    assert succeed("evaluate", run, "--part", "val", "--json").json["test_looks"] == 0
    kinds = [entry["kind"] for entry in Ledger.in_folder(tmp_path).entries()]
    assert kinds == ["fit", "test_look", "test_look"]
    ledger, data = Ledger.in_folder(tmp_path), Ledger.in_folder(tmp_path).entries()[0]["data_digest"]
    assert (ledger.trials(data), ledger.looked_at(data)) == (1, 1)
    train(dataset, tmp_path / "runs", model="random_forest")
    found = {part: succeed("evaluate", run, "--part", part, "--json").json for part in ("val", "test")}
    assert {part: each["evaluation_metrics"]["trials"]["count"] for part, each in found.items()} == {
        "val": 2,
        "test": 1,
    }
    assert sorted(path.name for path in (run / "addenda").iterdir()) == ["001", "002", "003", "004", "005"]


def test_a_run_that_left_its_ledger_behind_is_judged_by_the_trials_that_it_knew_of(runs, tmp_path):
    run = runs["lightgbm"]
    known = read_json(run / "metrics" / "evaluation_metrics.json")["evaluation_metrics"]["trials"]
    copied = shutil.copytree(run, tmp_path / run.name)
    found = succeed("evaluate", copied, "--json").json["evaluation_metrics"]["trials"]
    assert found["count"] == known["count"] > 1
    assert not (tmp_path / "ledger.sqlite").exists()


def test_evaluating_val_again_gives_the_scores_of_the_run(runs):
    trained = succeed("compare", runs["logistic"], "--json").json[0]
    again = succeed("evaluate", runs["logistic"], "--json").json["evaluation_metrics"]
    assert again["classification"] == trained["classification"]
    assert again["trading"] == trained["trading"]


def test_predict_gives_the_bytes_of_the_runs_val_predictions(runs, bar_csv, tmp_path):
    for run in runs.values():
        answer = succeed("predict", run, bar_csv, "--out", tmp_path / "all.parquet", "--json").json
        predicted = pl.read_parquet(tmp_path / "all.parquet")
        assert answer["rows"] == len(predicted)
        stored = pl.read_parquet(run / "predictions" / "val_predictions.parquet")
        same_rows = predicted.filter(pl.col("time").is_in(stored["time"].implode()))
        assert same_rows.select(PROBABILITIES).to_numpy().tobytes() == stored.select(PROBABILITIES).to_numpy().tobytes()
        assert same_rows["decision"].to_list() == stored["decision"].to_list()
        array = np.load(run / "predictions" / "val_probabilities.npy", allow_pickle=False)
        assert stored.select(PROBABILITIES).to_numpy().tobytes() == array.tobytes()


def test_predict_writes_csv_and_shows_the_newest_bars(runs, bar_csv, tmp_path):
    answer = succeed("predict", runs["logistic"], bar_csv, "--out", tmp_path / "all.csv", "--last", "2", "--json").json
    table = pl.read_csv(tmp_path / "all.csv")
    assert len(table) == answer["rows"]
    assert [row["p_long"] for row in answer["newest"]] == table["p_long"].tail(2).to_list()
    assert table.columns[:2] == ["symbol", "time"]


def test_predict_reads_a_folder_of_parts_as_the_whole_file(runs, bar_csv, tmp_path):
    lines = bar_csv.read_text().splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "SYNTH_1.csv").write_text("".join(lines[:3000]))
    (tmp_path / "parts" / "SYNTH_2.csv").write_text("".join([lines[0], *lines[3000:]]))
    for source, name in ((bar_csv, "whole.csv"), (tmp_path / "parts", "joined.csv")):
        succeed("predict", runs["logistic"], source, "--out", tmp_path / name)
    assert (tmp_path / "joined.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_predict_resamples_finer_bars_to_the_size_of_the_run(runs, tmp_path):
    minutes = write_bars(tmp_path / "SYNTH_1min.csv", 5 * 1000, bar_seconds=60)
    newest = succeed("predict", runs["logistic"], minutes, "--json").json["newest"][0]
    assert newest["time"].startswith("2024-01-04 11:15")  # the last of 1000 bars of 5 minutes from 2024-01-01 on


def test_compare_ranks_runs_by_a_score_beside_the_baselines(runs, folder):
    rows = succeed("compare", folder / "experiments" / "runs", "--by", "macro_f1", "--json").json
    scores = [row["classification"]["macro_f1"] for row in rows]
    assert len(rows) == 2
    assert scores == sorted(scores, reverse=True)
    assert set(rows[0]["baselines"]) == BASELINES
    text = succeed("compare", *runs.values()).out
    assert all(f"({name})" in text for name in BASELINES)
    assert "  seed  F1 > 0.35  Sharpe > 0.3  run\n" in text  # the specification's thresholds
    assert f"verdicts of 2 runs: {rows[0]['verdict']['code']} in " in text


def test_compare_and_report_say_how_many_trials_stand_behind_a_verdict(runs, tmp_path):
    assert "trials on this data: 2, of which 2 have a known Sharpe ratio" in succeed("compare", *runs.values()).out
    succeed("report", *runs.values(), "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (
        "Trials on this data: 2." in page
    )  # three val sessions are too few to say what the best of two shows by chance


def test_compare_refuses_runs_on_different_rows(runs, bar_csv, tmp_path):
    succeed("data", "build", bar_csv, "--out", tmp_path / "other", *DATASET, "--set", "history_bars=300")
    other = train(tmp_path / "other", tmp_path / "runs")
    answer = call("compare", runs["logistic"], other)
    assert answer.code == 65
    assert "scored on different rows" in answer.err
    assert runs["logistic"].name in answer.err and other.name in answer.err
    assert "  help: " in answer.err


def test_report_is_one_page_that_loads_nothing_from_elsewhere(runs, tmp_path):
    page = tmp_path / "report.html"
    assert succeed("report", *runs.values(), "--out", page, "--json").json == {"report": str(page)}
    html = page.read_text(encoding="utf-8")
    assert all(name in html for name in runs)
    assert 'src="http' not in html and 'href="http' not in html and "<script src" not in html


def test_a_changed_file_of_a_run_is_refused(runs, bar_csv, tmp_path):
    run = shutil.copytree(runs["logistic"], tmp_path / "run")
    scaler = run / "checkpoints" / "scaler.json"
    scaler.write_text(scaler.read_text().replace("1", "2", 1))
    answer = call("predict", run, bar_csv, "--json")
    assert answer.code == 76
    assert "checkpoints/scaler.json is not the file that was written" in answer.json["what"]


def test_a_run_repeats_from_its_own_training_config(runs, tmp_path):
    first = runs["lightgbm"]
    recipe = first / "config" / "training_config.yaml"
    again = succeed("train", "--config", recipe, "--output-dir", tmp_path / "runs", "--json").json["output_path"]
    stored = "predictions/val_probabilities.npy"
    assert (tmp_path / "runs" / again / stored).read_bytes() == (first / stored).read_bytes()
    assert read_run_manifest(tmp_path / "runs" / again)["run_id"] != read_run_manifest(first)["run_id"]
