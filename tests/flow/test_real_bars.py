"""Real bars through the command line; skipped where they are not on the machine."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from command_line import succeed, train

from ohlcv_factory.models.registry import ModelRegistry

SCHEMA = json.loads((Path(__file__).parents[1] / "support" / "metrics_schema.json").read_text())
REAL = Path(__file__).parents[3] / "shared" / "data" / "open"
BITCOIN = REAL / "BTCUSDT_5min_2024-01_2024-05.parquet"
SPY = REAL / "SPY_1min_2011-01_2011-02.parquet"
FILES = ("config/training_config.yaml", "config/model_config.yaml", "config/feature_config.yaml",
         "predictions/val_predictions.parquet", "predictions/val_probabilities.npy", "metrics/training_metrics.json",
         "metrics/evaluation_metrics.json", "plots/training_curves.png", "plots/confusion_matrix.png",
         "logs/training.log", "manifest.json", "state.json")  # fmt: skip
MODELS = tuple(
    name for name, entry in ModelRegistry.entries().items() if entry.family not in ("foundation", "ensemble")
)
"""A foundation model needs a checkpoint, which is not here: see test_foundation.py; ensembles: tests/cli/test_ensemble.py."""

needs_real_bars = pytest.mark.skipif(not REAL.is_dir(), reason="the real bars of ../shared/data are not here")


def check_run(run: Path) -> None:
    """Every file of the specification, and metrics that keep its schema."""
    missing = [name for name in FILES if not (run / name).is_file()]
    assert not missing
    assert list((run / "checkpoints").glob("best_model.*"))
    jsonschema.validate(json.loads((run / "metrics" / "evaluation_metrics.json").read_text()), SCHEMA)
    importance = json.loads((run / "manifest.json").read_text())["model"] != "svm"
    assert (run / "metrics" / "feature_importance.json").is_file() == importance


def test_metrics_of_small_runs_keep_the_schema(runs):
    for run in runs.values():
        check_run(run)


def test_a_block_without_its_baselines_does_not_keep_the_schema(runs):
    metrics = json.loads((runs["logistic"] / "metrics" / "evaluation_metrics.json").read_text())
    del metrics["evaluation_metrics"]["baselines"]
    with pytest.raises(jsonschema.ValidationError, match="'baselines' is a required property"):
        jsonschema.validate(metrics, SCHEMA)


@pytest.fixture(scope="module")
def spy(tmp_path_factory):
    """SPY 2011 with its extended session, resampled from 1 to 5 minutes."""
    folder = tmp_path_factory.mktemp("real") / "spy"
    answer = succeed(
        "data", "build", SPY, "--bar-size", "5min", "--embargo", "auto", "--horizons", "20", "--out", folder
    )
    assert "lowered from 5 to" in answer.out
    return folder


@needs_real_bars
@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name == "lightgbm" else pytest.mark.slow) for name in MODELS]
)
def test_spy_resampled_to_five_minutes_trains_at_horizon_20(model, spy, tmp_path):
    check_run(train(spy, tmp_path / "runs", model=model, horizon=20))


@pytest.fixture(scope="module")
def bitcoin(tmp_path_factory):
    """Five months of BTCUSDT, all four horizons."""
    folder = tmp_path_factory.mktemp("real") / "bitcoin"
    succeed("data", "build", BITCOIN, "--out", folder)
    return folder


@needs_real_bars
@pytest.mark.slow
@pytest.mark.parametrize("horizon", [5, 10, 15, 20])
@pytest.mark.parametrize("model", MODELS)
def test_bitcoin_trains_at_every_horizon(model, horizon, bitcoin, tmp_path):
    check_run(train(bitcoin, tmp_path / "runs", model=model, horizon=horizon))


FOLDERS = (REAL, REAL.parent / "demo")
REAL_FILES = sorted(path for folder in FOLDERS if folder.is_dir() for path in folder.glob("*.parquet"))


@needs_real_bars
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem.startswith(("6E", "XAUUSD")) else pytest.mark.slow)
        for path in REAL_FILES
    ],
)
def test_every_real_file_builds_without_being_told_anything(path, tmp_path):
    minutes = ("--bar-size", "5min") if "_1min_" in path.name else ()
    succeed("data", "build", path, "--out", tmp_path / "dataset", "--embargo", "auto", *minutes)
    manifest = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    (symbol,) = manifest["summary"]["symbols"].values()
    assert all(sum(facts["class_counts"]["train"].values()) > 200 for facts in symbol["horizons"].values())
    volume_columns = {"volume_ratio", "obv", "vwap"} & set(manifest["feature_names"])
    assert volume_columns == ({"volume_ratio", "obv", "vwap"} if symbol["has_volume"] else set())
    assert symbol["has_volume"] == (path.name.partition("_")[0] not in ("XAUUSD", "EURUSD", "GBPUSD"))


@needs_real_bars
@pytest.mark.slow
def test_four_crypto_files_make_one_dataset_with_the_same_borders(tmp_path):
    coins = sorted(REAL.glob("*USDT_5min_2024-01_2024-05.parquet"))
    succeed("data", "build", *coins, "--out", tmp_path / "dataset")
    manifest = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    assert [symbol["bars"] for symbol in manifest["symbols"]] == [43_776] * 4
    assert len(manifest["borders_ns"]) == 2
