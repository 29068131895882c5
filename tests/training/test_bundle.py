from __future__ import annotations

import json

import numpy as np
import pytest

from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.errors import DataError, InputMissingError, VerificationError
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.drift import DriftWarning
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer


@pytest.fixture(scope="module")
def bundle(finished):
    return ModelBundle.from_run(finished.path)


def test_raw_bars_give_the_runs_own_val_predictions_byte_for_byte(bundle, finished, market):
    predicted = bundle.predict(market)
    rows = np.searchsorted(predicted.index["row"], finished.predictions.index["row"])
    assert predicted.raw[rows].tobytes() == finished.predictions.raw.tobytes()
    assert predicted.probabilities[rows].tobytes() == finished.predictions.probabilities.tobytes()
    assert np.array_equal(predicted.decision[rows], finished.predictions.decision)


def test_every_eligible_bar_is_predicted_the_newest_included(bundle, market):
    predicted = bundle.predict(market)
    assert predicted.index["row"].tolist() == list(range(bundle.first_eligible, len(market)))
    assert not predicted.labelled.any()


def test_a_live_session_gives_the_same_bytes_bar_by_bar(bundle, market):
    start = len(market) - 12
    session = bundle.live(market.head(start))
    live = [session.update(market.slice(row, row + 1)) for row in range(start, len(market))]
    batch = bundle.predict(market).take(slice(-12, None))
    assert np.concatenate([one.raw for one in live]).tobytes() == batch.raw.tobytes()
    assert np.concatenate([one.probabilities for one in live]).tobytes() == batch.probabilities.tobytes()


def test_a_later_first_bar_changes_little_after_the_warm_up(bundle, market):
    late = bundle.predict(market.slice(500, len(market)))
    whole = bundle.predict(market).take(slice(500, None))
    assert np.array_equal(late.index["time_ns"], whole.index["time_ns"])
    changed = np.abs(late.probabilities - whole.probabilities).max(axis=1)
    assert np.quantile(changed, 0.99) <= 1e-4  # a tree may flip a split at the last digit of a float32


def test_later_bars_change_no_earlier_prediction(bundle, market):
    cut = len(market) - 200
    assert bundle.predict(market.head(cut)).raw.tobytes() == bundle.predict(market).take(slice(0, -200)).raw.tobytes()


def test_finer_bars_are_resampled_and_coarser_ones_refused(bundle, market):
    minutes = random_walk(12_000, 3, bar_seconds=60)
    with pytest.warns(DriftWarning, match="atr_pct_14"):  # five such minutes move more than the market's five
        assert len(bundle.predict(minutes)) == 2400 - bundle.first_eligible
    with pytest.raises(DataError, match="the run was trained on 5min bars, got 1h bars"):
        bundle.predict(random_walk(2000, 3, bar_seconds=3600))
    with pytest.raises(DataError, match="the run was trained on 5min bars, got 2min bars"):
        bundle.predict(random_walk(2000, 3, bar_seconds=120))


def test_too_few_bars_are_refused_with_the_number_needed(bundle, market):
    with pytest.raises(DataError, match=f"have 100 bars, need more than {bundle.first_eligible}"):
        bundle.predict(market.head(100))


@pytest.mark.parametrize("change", ["symbol", "time", "two"])
def test_a_live_session_refuses_a_bar_that_does_not_follow(bundle, market, change):
    session = bundle.live(market.head(len(market) - 2))
    last = market.slice(len(market) - 2, len(market) - 1)
    bad = {
        "symbol": type(last)(**{**vars(last), "symbol": "OTHER"}),
        "time": market.slice(5, 6),
        "two": market.slice(len(market) - 2, len(market)),
    }[change]
    with pytest.raises(DataError):
        session.update(bad)


def test_a_changed_file_is_refused_before_it_is_parsed(finished, tmp_path):
    import shutil

    copy = tmp_path / finished.run_id
    shutil.copytree(finished.path, copy)
    assert ModelBundle.from_run(copy).horizon == 5  # a copied folder still loads
    text = (copy / "checkpoints" / "best_model.txt").read_text()
    (copy / "checkpoints" / "best_model.txt").write_text(text.replace("leaf_value=", "leaf_value= ", 1))
    with pytest.raises(VerificationError, match=r"best_model\.txt is not the file that was written"):
        ModelBundle.from_run(copy)


def test_an_unfinished_run_is_refused(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps({"state": "RUNNING"}))
    with pytest.raises(InputMissingError, match="is not a finished run"):
        ModelBundle.from_run(tmp_path)


def test_a_bundle_computes_the_columns_that_were_kept(container, config, market):
    own = {"all": SetRules(include=container.feature_names)}
    settings = config(feature_set="all", feature_sets=own, feature_selection="importance")
    result = Trainer(settings).run(container)
    bundle = ModelBundle.from_run(result.path)
    stored = json.loads((result.path / "checkpoints" / "selection.json").read_text())
    assert list(bundle.pipeline.columns) == stored["kept"]
    assert set(stored["kept"]) | set(stored["dropped"]) == set(container.feature_names)
    assert len(stored["kept"]) < len(container.feature_names)
    predicted = bundle.predict(market)
    rows = np.searchsorted(predicted.index["row"], result.predictions.index["row"])
    assert predicted.raw[rows].tobytes() == result.predictions.raw.tobytes()


@pytest.fixture(scope="module")
def network_run(container, tmp_path_factory):
    """A finished run of a small GRU."""
    pytest.importorskip("torch", reason="networks need torch")
    small = {"lookback": 16, "hidden_size": 8, "num_layers": 1, "max_epochs": 1, "windows_per_epoch": 1000}
    folder = tmp_path_factory.mktemp("networks") / "runs"
    return Trainer(TrainerConfig(model_name="gru", horizon=5, output_dir=folder, model=small)).run(container)


@pytest.fixture(scope="module")
def network_bundle(network_run):
    return ModelBundle.from_run(network_run.path)


def test_a_network_gives_the_runs_own_val_predictions_byte_for_byte(network_bundle, network_run, market):
    predicted = network_bundle.predict(market)
    rows = np.searchsorted(predicted.index["row"], network_run.predictions.index["row"])
    assert predicted.raw[rows].tobytes() == network_run.predictions.raw.tobytes()
    assert predicted.probabilities[rows].tobytes() == network_run.predictions.probabilities.tobytes()


def test_a_live_session_of_a_network_gives_the_same_bytes_bar_by_bar(network_bundle, market):
    start = len(market) - 12
    session = network_bundle.live(market.head(start))
    live = [session.update(market.slice(row, row + 1)) for row in range(start, len(market))]
    batch = network_bundle.predict(market).take(slice(-12, None))
    assert np.concatenate([one.raw for one in live]).tobytes() == batch.raw.tobytes()
    assert np.concatenate([one.probabilities for one in live]).tobytes() == batch.probabilities.tobytes()


def test_later_bars_change_no_earlier_prediction_of_a_network(network_bundle, market):
    head, whole = network_bundle.predict(market.head(len(market) - 200)), network_bundle.predict(market)
    assert head.raw.tobytes() == whole.take(slice(0, -200)).raw.tobytes()
