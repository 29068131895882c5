"""The same command in fresh processes gives the same bytes, and starting one costs little."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command_line import fresh
from quick_fits import command_of

from ohlcv_factory.bars.load import ReadOptions, read_sources
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.studies.run_folders import verify
from ohlcv_factory.training.bundle import ModelBundle

CI = ("lightgbm", "gru")
MODELS = sorted(ModelRegistry.entries())
HEAVY = ("numpy", "pandas", "polars", "sklearn", "scipy", "numba", "talib", "torch", "xgboost", "lightgbm", "catboost")
PROBABILITIES = ("raw_short", "raw_neutral", "raw_long", "p_short", "p_neutral", "p_long")
TOLERANCE = 1e-6
"""Between one thread and two: sums of float32 may be rounded in another order."""
NEWEST = 24
"""Bars that come one by one."""


@pytest.fixture(scope="module")
def trained(dataset, shelf, tmp_path_factory):
    """`trained(model, hash_seed, threads)`: the run folder of one command in a fresh process, each trained once."""

    @cache
    def run(model: str, hash_seed: int, threads: int) -> Path:
        if not ModelRegistry.entry(model).installed:
            pytest.skip(f"{model} needs {ModelRegistry.entry(model).requires}")
        place = tmp_path_factory.mktemp(f"{model}_{hash_seed}_{threads}") / "runs"
        where = ("--dataset", dataset, "--horizon", "5", "--output-dir", place, "--threads", str(threads))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONHASHSEED", str(hash_seed))
            answer = fresh(*command_of(model), *where, "--json")
        return Path(json.loads(answer.stdout)["output_path"])

    return run


def chosen(quick: tuple[str, ...]):
    return pytest.mark.parametrize(
        "model", [pytest.param(name, marks=[] if name in quick else pytest.mark.slow) for name in MODELS]
    )


@chosen(CI)
def test_the_same_command_twice_gives_the_same_predictions(model, trained):
    first, second = trained(model, 1, 2), trained(model, 4711, 2)
    for name in ("val_probabilities.npy", "val_predictions.parquet", "val_trades.parquet"):
        assert (first / "predictions" / name).read_bytes() == (second / "predictions" / name).read_bytes(), name


@chosen(CI)
def test_predict_on_the_raw_file_gives_the_runs_own_bytes_from_a_copy_elsewhere_too(model, trained, bar_csv, tmp_path):
    run = trained(model, 1, 2)
    copy = shutil.copytree(run, tmp_path / "elsewhere" / "renamed")
    assert verify(copy) > 10
    fresh("predict", copy, bar_csv, "--out", tmp_path / "predicted.parquet")
    predicted = pl.read_parquet(tmp_path / "predicted.parquet")
    stored = pl.read_parquet(run / "predictions" / "val_predictions.parquet")
    same_rows = predicted.filter(pl.col("row").is_in(stored["row"].implode()))
    for name in PROBABILITIES:
        assert same_rows[name].to_numpy().tobytes() == stored[name].to_numpy().tobytes(), name
    assert same_rows["decision"].to_list() == stored["decision"].to_list()
    assert np.isfinite(predicted["p_long"].to_numpy()).all()


@chosen(CI)
def test_a_live_session_gives_the_bytes_of_the_batch_bar_by_bar(model, trained, bar_csv):
    bundle = ModelBundle.from_run(trained(model, 1, 2))
    (source,) = read_sources([bar_csv], ReadOptions())
    bars, batch = source.bars, bundle.predict(source.bars).take(slice(-NEWEST, None))
    session = bundle.live(bars.head(len(bars) - NEWEST))
    found = [session.update(bars.slice(row, row + 1)) for row in range(len(bars) - NEWEST, len(bars))]
    assert np.concatenate([one.raw for one in found]).tobytes() == batch.raw.tobytes()
    assert np.concatenate([one.probabilities for one in found]).tobytes() == batch.probabilities.tobytes()
    assert [int(one.index["row"][0]) for one in found] == batch.index["row"].tolist()


@chosen(("lightgbm",))
def test_one_thread_and_two_agree(model, trained):
    one, two = (np.load(trained(model, 1, threads) / "predictions" / "val_probabilities.npy") for threads in (1, 2))
    assert one.shape == two.shape
    assert np.abs(one - two).max() <= TOLERANCE


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
