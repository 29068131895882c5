from __future__ import annotations

import json
import math
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="foundation models need torch")
pytest.importorskip("chronos", reason="needs the extra foundation")

import checkpoints
from safetensors import safe_open

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.errors import DataError, FactoryWarning, InputMissingError, UsageError, VerificationError
from ohlcv_factory.models._foundation.backbone import BackboneShape
from ohlcv_factory.models._foundation.first_touch import (
    barrier_returns,
    first_touch_probabilities,
    terminal_probabilities,
)
from ohlcv_factory.models._torch import loop
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.testing.planted_bars import planted_bars

NAMES = ("chronos_bolt", "timesfm")
MODES = ("zero_shot", "frozen", "finetune")
QUICK = {"max_epochs": 2, "fixed_epochs": 2, "batch_size": 32, "head_learning_rate": 0.01}
LOOKBACK = 96


@pytest.fixture(autouse=True)
def _on_a_shelf_without_a_network(shelf, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def rows() -> Samples:
    """160 windows to fit on, of them the first ones padded, and 40 more."""
    return planted_bars(ModelRegistry.model_class("chronos_bolt").input_spec, LOOKBACK)[0].take(slice(0, 200))


def create(name: str, mode: str, seed: int = 1, **settings: Any):
    trained = QUICK if mode != "zero_shot" else {}
    tuned = {"freeze_epochs": 1, "learning_rate": 1e-4} if mode == "finetune" else {}
    config = {"mode": mode, "lookback": LOOKBACK, **trained, **tuned, **settings}
    return ModelRegistry.create(name, config, seed=seed, threads=1)


def fitted(name: str, mode: str, rows: Samples, **settings: Any):
    model = create(name, mode, **settings)
    model.fit(rows.take(slice(0, 160)), rows.take(slice(160, 200)))
    return model


def probabilities(model, rows: Samples) -> np.ndarray:
    return model.predict(rows).class_probabilities


@pytest.mark.parametrize("name", NAMES)
def test_zero_shot_is_the_forecast_through_each_rows_own_rule(name, rows):
    model = fitted(name, "zero_shot", rows)
    some = rows.take(slice(100, 110))
    backbone, market = model.ready_backbone(), some.market
    quantiles = backbone.forecast(torch.from_numpy(some.X[:]), 16).double().numpy()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    seed = component_seed(1, name, "paths")
    levels = np.array(checkpoints.DECILES)
    expected = first_touch_probabilities(
        quantiles, levels, *barrier_returns(market), market.max_bars, paths=2000, seed=seed, watch="high_low"
    )
    np.testing.assert_allclose(
        probabilities(model, some), expected, atol=2e-3
    )  # a path on the border may fall either way


def test_zero_shot_reads_a_fixed_horizon_at_its_last_bar(rows):
    model = fitted("chronos_bolt", "zero_shot", rows)
    none, some = np.full(10, np.nan), rows.take(slice(100, 110))
    market = replace(some.market, k_up=none, k_down=none, threshold=np.full(10, 0.01), max_bars=np.full(10, 5))
    quantiles = model.ready_backbone().forecast(torch.from_numpy(some.X[:]), 5).double().numpy()
    expected = terminal_probabilities(quantiles[:, 4], np.array(checkpoints.DECILES), market.threshold)
    np.testing.assert_allclose(probabilities(model, replace(some, market=market)), expected, atol=1e-5)


def test_zero_shot_trains_nothing_and_knows_all_classes(rows):
    model = create("chronos_bolt", "zero_shot")
    metrics = model.fit(rows.take(np.flatnonzero(rows.y == 1)))
    assert (metrics.epochs_trained, metrics.best_epoch, model.classes) == (0, None, (0, 1, 2))
    assert math.isnan(metrics.train_loss)
    assert model.refit_schedule(metrics) == {}
    assert not model.trains


def test_labels_beyond_the_native_steps_are_rolled_out_with_a_warning(rows):
    far = replace(rows, market=replace(rows.market, max_bars=np.full(len(rows), 30)))
    model = create("chronos_bolt", "zero_shot")
    with pytest.warns(FactoryWarning, match="look 30 bars ahead, the checkpoint forecasts 24 at once"):
        model.fit(far)
    assert np.isfinite(probabilities(model, far.take(slice(0, 4)))).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_comes_back_with_the_same_bytes_without_a_network(name, mode, rows, tmp_path):
    model = fitted(name, mode, rows)
    before = probabilities(model, rows)
    assert before.tobytes() == probabilities(fitted(name, mode, rows), rows).tobytes()
    model.save(tmp_path / "model")
    again = ModelRegistry.create(name, threads=1)
    again.load(tmp_path / "model")
    assert probabilities(again, rows).tobytes() == before.tobytes()
    assert (again.trains, again.pretraining) == (mode != "zero_shot", model.pretraining)
    again.save(tmp_path / "again")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def tensors_of(path: Path) -> set[str]:
    with safe_open(path, framework="pt") as file:
        return set(file.keys())


def test_what_is_kept_is_a_reference_and_a_head_or_all_weights(rows, tmp_path):
    kept = {}
    for mode in MODES:
        fitted("chronos_bolt", mode, rows).save(tmp_path / mode)
        kept[mode] = tensors_of(tmp_path / f"{mode}.safetensors")
    assert kept["zero_shot"] == set()
    head = {"linear.weight", "linear.bias"} | {
        f"encoder.norm.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert kept["frozen"] == head
    assert head < kept["finetune"]
    assert "encoder.backbone.network.encoder.block.0.layer.0.SelfAttention.q.weight" in kept["finetune"]
    with safe_open(tmp_path / "frozen.safetensors", framework="pt") as file:
        (reference,) = json.loads(file.metadata()["foundation"])["checkpoints"]
    assert (reference["name"], reference["licence"]) == ("amazon/chronos-bolt-small", "Apache-2.0")


def test_a_tuned_model_needs_its_checkpoint_no_more_the_others_find_it_again_or_say_so(rows, tmp_path, monkeypatch):
    own = checkpoints.chronos_bolt(tmp_path / "own", seed=5)
    before = {}
    for mode in MODES:
        model = fitted("chronos_bolt", mode, rows, checkpoint=str(own))
        model.save(tmp_path / mode)
        before[mode] = probabilities(model, rows)
    moved = tmp_path / "moved" / "own"
    moved.parent.mkdir()
    own.rename(moved)

    def loaded(mode: str):
        model = ModelRegistry.create("chronos_bolt", threads=1)
        model.load(tmp_path / mode)
        return model

    assert probabilities(loaded("finetune"), rows).tobytes() == before["finetune"].tobytes()
    for mode in ("zero_shot", "frozen"):
        with pytest.raises(InputMissingError, match="the checkpoint own that the model was made with is not here"):
            loaded(mode)
    monkeypatch.setenv("FACTORY_CHECKPOINTS", str(moved.parent))
    for mode in MODES:
        assert probabilities(loaded(mode), rows).tobytes() == before[mode].tobytes()
    shutil.rmtree(moved)
    checkpoints.chronos_bolt(moved, seed=6)
    with pytest.raises(VerificationError, match="its digest differs"):
        loaded("frozen")


def test_a_file_of_another_kind_is_no_foundation_model(rows, tmp_path):
    from safetensors.torch import save_file

    fitted("chronos_bolt", "zero_shot", rows).save(tmp_path / "model")
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=r"model\.safetensors is not a saved foundation model"):
        ModelRegistry.create("chronos_bolt", threads=1).load(tmp_path / "model")


class Watching:
    """A sink that keeps the weights after each epoch."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []

    def on_epoch(self, *_: Any) -> None:
        pass

    def on_checkpoint(self, epoch: int, metric: float, save: Any) -> None:
        network = save.__self__.network
        self.states.append({name: value.clone() for name, value in network.state_dict().items()})


def moved(before: dict[str, Any], after: dict[str, Any], part: str) -> set[str]:
    return {name for name in before if part in name and not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("name", NAMES)
def test_the_head_learns_at_once_and_the_backbone_after_its_rest(name, rows):
    model, sink = create(name, "finetune", freeze_epochs=2, max_epochs=4), Watching()
    model.fit(rows.take(slice(0, 160)), rows.take(slice(160, 200)), sink=sink)
    first, second, third, fourth = sink.states
    pretrained = {f"encoder.backbone.{key}": value for key, value in model.ready_backbone().state_dict().items()}
    assert moved(pretrained, second, "backbone") == set()
    assert moved(first, second, "linear") == {"linear.weight", "linear.bias"}
    woken = moved(second, third, "backbone")
    assert any("layer" in each for each in woken)
    assert moved(third, fourth, "backbone") >= woken
    furthest = max(float((third[each] - second[each]).abs().max()) for each in woken)
    assert furthest < 10 * 1e-4  # five steps of at most the learning rate


def test_the_backbone_steps_at_its_own_rate_and_the_head_at_the_heads(rows):
    model = create("chronos_bolt", "finetune")
    model.check_ready()
    network, plan = model._built(1), model._plan(True)
    rates = {group["lr"]: len(group["params"]) for group in loop.parameter_groups(network, plan)}
    assert rates == {1e-4: sum(1 for _ in network.encoder.backbone.parameters()), 0.01: 4}
    assert plan.scoring_batch == model.block_rows


def test_a_second_fit_begins_with_the_pretrained_weights_again(rows):
    model = fitted("chronos_bolt", "finetune", rows)
    before = probabilities(model, rows)
    model.fit(rows.take(slice(0, 160)), rows.take(slice(160, 200)))
    assert probabilities(model, rows).tobytes() == before.tobytes()


def test_a_fit_that_was_cut_off_ends_with_the_bytes_of_a_whole_one(rows, tmp_path):
    class Keeping(Watching):
        def on_checkpoint(self, epoch: int, metric: float, save: Any) -> None:
            folder = tmp_path / str(epoch)
            folder.mkdir()
            save(folder)

    parts = rows.take(slice(0, 160)), rows.take(slice(160, 200))
    whole = create("chronos_bolt", "finetune", max_epochs=3)
    whole.fit(*parts, sink=Keeping())
    for epoch in (1, 2):
        resumed = create("chronos_bolt", "finetune", max_epochs=3)
        resumed.fit(*parts, resume=tmp_path / str(epoch))
        assert probabilities(resumed, rows).tobytes() == probabilities(whole, rows).tobytes()


def test_codes_are_computed_once_for_all_fits_and_predictions(rows, monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path))
    model = fitted("chronos_bolt", "frozen", rows)
    before = probabilities(model, rows)
    model.save(tmp_path / "model")
    assert len(list(tmp_path.rglob("codes/*/*.npz"))) == 1
    again = create("chronos_bolt", "frozen", seed=2)
    monkeypatch.setattr(again, "load_backbone", lambda *_: pytest.fail("the backbone was loaded"))
    again.fit(rows.take(slice(40, 200)), rows.take(slice(0, 40)))
    assert probabilities(again, rows).shape == before.shape
    loaded = ModelRegistry.create("chronos_bolt", threads=1)
    loaded.load(tmp_path / "model")
    monkeypatch.setattr(loaded, "load_backbone", lambda *_: pytest.fail("the backbone was loaded"))
    assert probabilities(loaded, rows).tobytes() == before.tobytes()


def test_other_blocks_contexts_and_checkpoints_have_other_codes(rows, monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path))
    other = checkpoints.chronos_bolt(tmp_path / "other", seed=9)
    for settings in ({}, {"block_rows": 8}, {"checkpoint": str(other)}):
        model = create("chronos_bolt", "frozen", **settings)
        model.check_ready()
        model.codes(rows.X.take(slice(0, 10)))
        model.cache.flush()
    assert len(list((tmp_path / "codes").iterdir())) == 3


def test_the_settings_say_what_was_chosen_before_anything_is_trained():
    model = create("chronos_bolt", "finetune", lookback=None, batch_size=None)
    assert model.config.lookback is None
    model.check_ready()
    assert (model.config.lookback, model.config.block_rows, model.config.batch_size) == (128, 256, 32)
    assert model.lookback == 128
    facts = model.footprint(1)
    assert facts.parameters == 24_048
    scoring = model.block_rows * model.shape.forecast_bytes(128)
    assert facts.least_windows == pytest.approx(scoring / facts.window_bytes, abs=1)
    assert facts.batch_bytes(1000) > facts.batch_bytes(1) >= scoring + 5 * 4 * 24_048


def test_a_real_size_is_not_refused_for_scoring_windows_that_it_never_scores_at_once():
    shape = BackboneShape((0.1, 0.9), 2048, 64, 512, layers=6, hidden=2048, heads=8, patch_bars=16)
    model = create("chronos_bolt", "finetune", lookback=2048, batch_size=None, windows_per_epoch=500)
    model.check_ready = lambda: setattr(model, "config", model.config.for_checkpoint(shape))
    model.shape = shape
    assert model.config.for_checkpoint(shape).batch_size == 32
    assert model.footprint(1).batch_bytes(32) < 3e9


def test_without_its_checkpoint_a_model_is_made_but_not_ready(monkeypatch, tmp_path):
    monkeypatch.delenv("FACTORY_CHECKPOINTS")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = ModelRegistry.create("chronos_bolt")
    with pytest.raises(InputMissingError, match="'amazon/chronos-bolt-small' is not on this machine"):
        model.check_ready()


def test_another_checkpoint_for_one_fit_is_opened(rows, tmp_path):
    model = fitted("chronos_bolt", "frozen", rows)
    digest = model.pretraining[0].digest
    other = checkpoints.chronos_bolt(tmp_path / "other", seed=7)
    model.fit(rows, config={"checkpoint": str(other)})
    assert model.pretraining[0].digest != digest
    with pytest.raises(UsageError, match="lookback 96 is longer than the 64 bars"):
        model.fit(rows, config={"checkpoint": str(checkpoints.chronos_bolt(tmp_path / "short", context=64))})


@pytest.mark.parametrize("mode", MODES)
def test_the_notes_name_the_checkpoint_and_the_latency(mode, rows, monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path))  # else codes may be known already, and nothing is to be timed
    model = fitted("timesfm", mode, rows, block_rows=16)
    pretrained, latency = model.notes()
    assert pretrained.startswith("pre-trained: google/timesfm-2.5-200m-transformers (sha256 ")
    assert "Apache-2.0, data until 2025-09-15 (by its name: released 15 September 2025" in pretrained
    assert latency == f"latency: {1000 * model.row_seconds:.2g} ms per row in the fastest block of 16"


@pytest.mark.parametrize("mode", MODES)
def test_the_close_is_read_wherever_it_stands_among_the_columns(mode, rows):
    bars = ModelRegistry.model_class("chronos_bolt").input_spec
    more = planted_bars(replace(bars, feature_set="ohlcv_raw"), LOOKBACK)[0].take(slice(0, 200))
    assert more.feature_names.index("close") == 3
    alone, among = (probabilities(fitted("chronos_bolt", mode, each), each) for each in (rows, more))
    assert alone.tobytes() == among.tobytes()


def test_columns_without_a_close_are_refused(rows):
    renamed = replace(rows, feature_names=("open",))
    for mode in MODES:
        with pytest.raises(UsageError, match="forecasts the close, which is not among the columns open"):
            create("chronos_bolt", mode).fit(renamed)


def test_a_saved_file_that_would_load_code_is_refused(rows, tmp_path):
    from safetensors.torch import load_file, save_file

    fitted("chronos_bolt", "finetune", rows).save(tmp_path / "model")
    path = tmp_path / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["foundation"])
    giant = {**facts["configs"][0], "d_ff": 65536}
    for config, words in (({**giant, "auto_map": {}}, "would load code"), (giant, "describes a network of")):
        save_file(load_file(path), path, {"foundation": json.dumps({**facts, "configs": [config]})})
        with pytest.raises(DataError, match=words):
            ModelRegistry.create("chronos_bolt", threads=1).load(tmp_path / "model")


def test_the_seed_draws_paths_and_head(rows):
    for mode in MODES:
        first, second = (fitted("chronos_bolt", mode, rows, seed=seed) for seed in (1, 2))
        assert probabilities(first, rows).tobytes() != probabilities(second, rows).tobytes()
