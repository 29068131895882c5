"""The same command in fresh processes gives the same bytes, and starting one costs little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import fresh
from quick_fits import SETTINGS, settings_of

from ohlcv_factory.models.registry import ModelRegistry

QUICK = ("logistic", "lightgbm", "gru")
NETWORKS = sorted(name for name, entry in ModelRegistry.entries().items() if entry.extra == "neural")
MODELS = (*SETTINGS, *NETWORKS)
HEAVY = ("numpy", "pandas", "polars", "sklearn", "scipy", "numba", "talib", "torch", "xgboost", "lightgbm", "catboost")


def trained(model: str, dataset: Path, output_dir: Path) -> Path:
    """The run folder of one `train` command in a fresh process."""
    where = ("--dataset", dataset, "--horizon", "5", "--output-dir", output_dir)
    if not ModelRegistry.entry(model).installed:
        pytest.skip(f"{model} needs {ModelRegistry.entry(model).requires}")
    answer = fresh("train", "--model", model, *where, *settings_of(model), "--json")
    return Path(json.loads(answer.stdout)["output_path"])


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in MODELS]
)
def test_the_same_command_twice_gives_the_same_predictions(model, dataset, tmp_path):
    first, second = (trained(model, dataset, tmp_path / name / "runs") for name in ("first", "second"))
    for name in ("val_probabilities.npy", "val_predictions.parquet", "val_trades.parquet"):
        assert (first / "predictions" / name).read_bytes() == (second / "predictions" / name).read_bytes(), name


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name in ("lightgbm", "gru") else pytest.mark.slow) for name in MODELS]
)
def test_predict_on_the_raw_file_gives_the_runs_own_bytes(model, dataset, bar_csv, tmp_path):
    run = trained(model, dataset, tmp_path / "runs")
    fresh("predict", run, bar_csv, "--out", tmp_path / "predicted.parquet")
    predicted = pl.read_parquet(tmp_path / "predicted.parquet")
    stored = pl.read_parquet(run / "predictions" / "val_predictions.parquet")
    same_rows = predicted.filter(pl.col("row").is_in(stored["row"].implode()))
    for name in ("raw_short", "raw_neutral", "raw_long", "p_short", "p_neutral", "p_long"):
        assert same_rows[name].to_numpy().tobytes() == stored[name].to_numpy().tobytes(), name
    assert same_rows["decision"].to_list() == stored["decision"].to_list()
    assert np.isfinite(predicted["p_long"].to_numpy()).all()


def test_threads_wait_passively_before_train_imports_a_native_library(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "os.environ.pop('OMP_WAIT_POLICY', None)\n"
        "class Spy(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name in {HEAVY!r}:\n"
        "            print('IMPORT', name, os.environ.get('OMP_WAIT_POLICY'), file=sys.stderr)\n"
        "sys.meta_path.insert(0, Spy())\n"
    )
    said = fresh("train", "--model", "lightgbm", "--dataset", tmp_path / "none", path=tmp_path, check=False).stderr
    seen = {line.split()[1]: line.split()[2] for line in said.splitlines() if line.startswith("IMPORT")}
    assert {"numpy", "numba", "polars"} <= set(seen)
    assert set(seen.values()) == {"PASSIVE"}


@pytest.mark.parametrize("arguments", [("--help",), ("models", "list"), ("--version",)])
def test_quick_commands_import_nothing_heavy(arguments, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        f"atexit.register(lambda: print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr))\n"
    )
    assert "HEAVY []" in fresh(*arguments, path=tmp_path).stderr
