"""Real bars through the command line; skipped where the development data is not at hand."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import pytest
from command_line import succeed, train

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "open"
SPY = DATA / "SPY_1min_2011-01_2011-02.parquet"
BITCOIN = DATA / "BTCUSDT_5min_2024-01_2024-05.parquet"
MODELS = ("logistic", "random_forest", "svm", "lightgbm", "xgboost", "catboost")
METRICS = Path("metrics") / "evaluation_metrics.json"

pytestmark = pytest.mark.skipif(not SPY.is_file(), reason="needs ../shared/data")


def build_spy(out: Path) -> None:
    succeed("data", "build", SPY, "--out", out, "--bar-size", "5min", "--horizons", "20", "--embargo", "auto")


def test_spy_minutes_become_a_dataset_of_5_minutes_and_a_run(tmp_path, metrics_schema):
    build_spy(tmp_path / "dataset")
    run = train(tmp_path / "dataset", tmp_path / "runs", horizon=20)
    metrics = json.loads((run / METRICS).read_text())
    jsonschema.validate(metrics, metrics_schema)
    assert metrics["evaluation_metrics"]["rows"]["scored"] >= 200


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_six_models_at_all_horizons(tmp_path, metrics_schema):
    succeed("data", "build", BITCOIN, "--out", tmp_path / "bitcoin")
    build_spy(tmp_path / "spy")
    jobs = [("bitcoin", horizon, model) for horizon in (5, 10, 15, 20) for model in MODELS]
    jobs += [("spy", 20, model) for model in MODELS]
    for name, horizon, model in jobs:
        started = time.perf_counter()
        run = train(tmp_path / name, tmp_path / f"{name}_experiments" / "runs", model=model, horizon=horizon)
        metrics = json.loads((run / METRICS).read_text())
        jsonschema.validate(metrics, metrics_schema)
        scores = metrics["evaluation_metrics"]
        print(
            f"{name:8} h{horizon:<3} {model:14} {time.perf_counter() - started:6.1f} s  "
            f"F1 {scores['classification']['macro_f1']:.3f}  Sharpe {scores['trading']['sharpe_ratio']}"
        )
    for name, count in (("bitcoin", 24), ("spy", 6)):
        rows = succeed("compare", tmp_path / f"{name}_experiments" / "runs", "--json").json
        assert len(rows) == count
