"""What a run keeps of its network's words about itself, on two symbols at once."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the networks need torch")

from markets import bar_file

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.explanation import MOST_ROWS, explain_part, read_explanation
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

COLUMNS = ("return_1", "return_5", "hour_sin", "hour_cos")
SMALL = {"lookback": 6, "max_epochs": 1, "device": "cpu", "warmup_epochs": 0, "windows_per_epoch": 512}
TFT = {**SMALL, "hidden_size": 8, "hidden_continuous_size": 4, "lstm_layers": 1, "attention_head_count": 2}
NBEATS = {**SMALL, "forecast_length": 4, "layer_width": 8, "num_layers": 2, "num_blocks": [1, 1]}


@pytest.fixture(scope="module")
def markets():
    return [random_walk(4000, seed, symbol=symbol) for seed, symbol in enumerate(("SYNTHA", "SYNTHB"))]


@pytest.fixture(scope="module")
def pooled(markets):
    settings = {"horizons": [5], "features": COLUMNS, "embargo_days": "auto", "history_bars": 8, "timeframes": []}
    return TimeSeriesDataContainer.from_built(
        build_dataset([bar_file(each) for each in markets], DatasetConfig.parse(settings)), 5
    )


def settings(folder, model, **hyper):
    values = {"model_name": model, "horizon": 5, "feature_set": "transformer_raw", "output_dir": folder / "runs"}
    return TrainerConfig(**values, model=hyper)


@pytest.fixture(scope="module")
def run(pooled, tmp_path_factory):
    return Trainer(settings(tmp_path_factory.mktemp("tft"), "tft", **TFT)).run(pooled)


def test_weights_are_averaged_over_evenly_spaced_rows_of_the_part(run, pooled):
    stored = read_explanation(run.path)
    rows = pooled.rows("val")
    chosen = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).round().astype(int)]
    said = ModelBundle.from_run(run.path).pipeline.explain(pooled, chosen)
    assert stored.facts["rows"] == MOST_ROWS
    assert stored.facts["items"]["variable_weights"]["axes"]["feature"] == list(COLUMNS)
    assert stored.facts["items"]["known_weights"]["axes"]["known feature"] == ["hour_sin", "hour_cos"]
    for name, each in said.items():
        np.testing.assert_allclose(stored.arrays[name], each.values.mean(axis=0), atol=1e-6)


def test_series_of_three_rows_are_kept_with_mean_and_spread_of_all(pooled, tmp_path):
    pipeline = fit_pipeline(settings(tmp_path, "nbeats", **NBEATS), pooled).pipeline
    kept = explain_part(pipeline, pooled, "val")
    features = len(pipeline.columns)
    assert kept.arrays["trend"].shape == (3, features, 6)
    assert kept.arrays["trend_mean"].shape == (features, 6)
    assert kept.arrays["window_spread"].shape == (features,)
    assert kept.facts["shown"][0]["symbol"] == "SYNTHA"
    assert kept.facts["shown"][-1]["symbol"] == "SYNTHB"


def test_a_model_that_says_nothing_leaves_no_file(container, config):
    silent = Trainer(config()).run(container)
    assert read_explanation(silent.path) is None
    assert not (silent.path / "metrics" / "explanation.npz").exists()


def test_contributions_are_kept_of_three_rows_with_their_mean_size_over_all(finished, container):
    stored = read_explanation(finished.path)
    rows = container.rows("val")
    chosen = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).round().astype(int)]
    said = ModelBundle.from_run(finished.path).pipeline.explain(container, chosen)["contributions"]
    assert stored.facts["items"]["contributions"]["axes"]["contribution"][-1] == "(base)"
    np.testing.assert_allclose(stored.arrays["contributions_size"], np.abs(said.values).mean(axis=0), rtol=1e-5)
    assert stored.arrays["contributions"].tobytes() == said.values[[0, 256, 511]].tobytes()


def test_the_symbol_reaches_the_network_unscaled_and_the_bundle_answers_alike(run, pooled, markets):
    bundle = ModelBundle.from_run(run.path)
    assert bundle.pipeline.model.symbols == ("SYNTHA", "SYNTHB")
    assert bundle.pipeline.columns == COLUMNS
    for code, market in enumerate(markets):
        own = run.predictions.index["symbol_code"] == code
        answers = bundle.predict(market)
        rows = np.searchsorted(answers.index["row"], run.predictions.index["row"][own])
        assert answers.raw[rows].tobytes() == run.predictions.raw[own].tobytes()


def test_a_symbol_that_was_not_there_is_refused_by_name(run, markets):
    with pytest.raises(DataError, match="model 'tft' reads the symbol and has not seen SYNTHC") as refused:
        ModelBundle.from_run(run.path).predict(replace(markets[0], symbol="SYNTHC"))
    assert refused.value.help == "known: SYNTHA, SYNTHB"


def test_a_symbol_without_rows_to_fit_on_is_refused_before_the_fit(pooled, tmp_path):
    late = pooled.with_split(np.where((pooled.index["symbol_code"] == 1) & (pooled.part == 0), -1, pooled.part))
    with pytest.raises(DataError, match="'tft' reads the symbol, and SYNTHB has no rows to fit on"):
        fit_pipeline(settings(tmp_path, "tft", **TFT), late)


def test_one_symbol_alone_is_no_column(markets, tmp_path):
    config = DatasetConfig.parse({"horizons": [5], "features": COLUMNS, "embargo_days": "auto", "history_bars": 8})
    alone = TimeSeriesDataContainer.from_built(build_dataset([bar_file(markets[0])], config), 5)
    pipeline = fit_pipeline(settings(tmp_path, "tft", **TFT), alone).pipeline
    assert pipeline.model.symbols == ()
    assert pipeline.model.feature_names == COLUMNS


def test_both_files_have_a_digest_and_stand_in_the_architecture(run, pytestconfig):
    manifest = json.loads((run.path / "manifest.json").read_text())
    written = {entry["path"] for entry in manifest["files"] if "explanation" in entry["path"]}
    assert written == {"metrics/explanation.json", "metrics/explanation.npz"}
    architecture = (pytestconfig.rootpath / "ARCHITECTURE.md").read_text()
    assert all(path.removeprefix("metrics/") in architecture for path in written)
