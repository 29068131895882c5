"""The same command in fresh processes leaves the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from command_line import fresh

PROBABILITIES = ["p_short", "p_neutral", "p_long"]
STORED = Path("predictions") / "val_probabilities.npy"
QUICK = {
    "logistic": (),
    "lightgbm": ("--set", "model.n_estimators=40"),
    "random_forest": ("--set", "model.n_estimators=40"),
    "svm": ("--set", "model.max_rows=1500"),
    "xgboost": ("--set", "model.n_estimators=40"),
    "catboost": ("--set", "model.iterations=40"),
}
SLOW = {"random_forest", "svm", "xgboost", "catboost"}


@pytest.mark.parametrize("model", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in QUICK])
def test_training_twice_in_fresh_processes_gives_the_same_bytes(model, dataset, tmp_path):
    train = ("train", "--model", model, "--dataset", dataset, "--horizon", "5", *QUICK[model], "--json")
    runs = [
        Path(json.loads(fresh(*train, "--output-dir", tmp_path / name / "runs").stdout)["output_path"])
        for name in ("first", "second")
    ]
    assert runs[0] != runs[1]
    assert (runs[0] / STORED).read_bytes() == (runs[1] / STORED).read_bytes()


def test_predict_in_a_fresh_process_gives_the_bytes_of_the_run(runs, bar_csv, tmp_path):
    run = runs["lightgbm"]
    fresh("predict", run, bar_csv, "--out", tmp_path / "all.parquet")
    predicted = pl.read_parquet(tmp_path / "all.parquet")
    stored = pl.read_parquet(run / "predictions" / "val_predictions.parquet")
    same_rows = predicted.filter(pl.col("time").is_in(stored["time"].implode()))
    assert len(same_rows) == len(stored) > 0
    assert same_rows.select(PROBABILITIES).to_numpy().tobytes() == stored.select(PROBABILITIES).to_numpy().tobytes()
