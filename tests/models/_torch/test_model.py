from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need torch")

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import NetworkConfig
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import planted_windows, small_settings

NETWORKS = [name for name, entry in ModelRegistry.entries().items() if entry.extra == "neural"]

OWN_FIELDS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_size": 8, "num_layers": 2},
    "lstm": {"hidden_size": 8, "num_layers": 2, "bidirectional": True},
    "gru": {"hidden_size": 8, "num_layers": 2, "bidirectional": True},
    "tcn": {"num_channels": (8, 8, 8), "kernel_size": 2, "dilation_base": 3},
    "nbeats": {
        "forecast_length": 6,
        "stack_types": ("generic", "generic"),
        "num_blocks": (1, 1),
        "num_layers": 2,
        "layer_width": 8,
        "trend_polynomial_degree": 2,
        "seasonality_harmonics": 3,
    },
    "nhits": {
        "forecast_length": 6,
        "num_blocks": (1, 1, 2),
        "pool_sizes": (4, 2, 1),
        "bars_per_knot": (2, 2, 1),
        "num_layers": 2,
        "layer_width": 8,
    },
    "patchtst": {
        "d_model": 8,
        "n_heads": 4,
        "n_layers": 2,
        "d_ff": 8,
        "patch_size": 8,
        "stride": 4,
        "scaling": "none",
        "pre_norm": True,
    },
    "tft": {"hidden_size": 8, "attention_head_count": 4, "lstm_layers": 2, "hidden_continuous_size": 4},
    "itransformer": {"d_model": 8, "n_heads": 4, "e_layers": 2, "d_ff": 8},
    "timesnet": {"d_model": 8, "d_ff": 8, "e_layers": 2, "top_k": 1, "num_kernels": 1},
    "dlinear": {"pred_len": 6, "individual": False, "kernel_size": 5},
    "nlinear": {"pred_len": 6, "individual": False},
    "mamba": {"variant": "mamba2", "d_model": 8, "d_state": 4, "d_conv": 2, "expand": 1, "n_layers": 2},
    "s4": {"d_model": 8, "d_state": 4, "n_layers": 2},
}
"""Another value of every field that a network adds to the shared ones."""


@pytest.fixture(scope="module")
def rows() -> Samples:
    return planted_windows(16, 128)


def fitted(name: str, rows: Samples, **changes: Any) -> BaseModel:
    quick = {**small_settings(name), "max_epochs": 1, "fixed_epochs": 1, "batch_size": 64}
    model = ModelRegistry.create(name, {**quick, **changes}, seed=1, threads=1)
    model.fit(rows)
    return model


def probabilities(model: BaseModel, rows: Samples) -> bytes:
    return model.predict(rows).class_probabilities.tobytes()


def test_every_own_field_of_every_network_has_another_value():
    own = {
        name: set(ModelRegistry.model_class(name).Config.model_fields) - set(NetworkConfig.model_fields)
        for name in NETWORKS
    }
    assert own == {name: set(fields) for name, fields in OWN_FIELDS.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_own_field_of_a_network_acts(name, rows):
    before = probabilities(fitted(name, rows), rows)
    idle = [
        field
        for field, value in OWN_FIELDS[name].items()
        if probabilities(fitted(name, rows, **{field: value}), rows) == before
    ]
    assert idle == []


@pytest.mark.parametrize("name", NETWORKS)
def test_the_small_preset_changes_fields_that_exist_and_can_be_read_back(name):
    model = ModelRegistry.create(name, {"preset": "small"})
    plain = model.config.plain()
    assert set(plain) == set(model.Config.model_fields)
    assert model.Config.parse(plain).plain() == plain
    assert {field: plain[field] for field in model.Config.small} == dict(model.Config.small)


def test_compile_hands_the_network_to_torch(rows, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    fitted("gru", rows)
    assert compiled == []
    fitted("gru", rows, compile=True)
    assert len(compiled) == 1


def test_a_fit_leaves_torchs_random_state_alone(rows):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    fitted("gru", rows)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_spec_preset_keeps_the_figures_and_the_small_one_those_set_by_hand():
    spec, small = (ModelRegistry.create("gru", {"preset": preset, "num_layers": 3}) for preset in ("spec", "small"))
    assert (spec.config.hidden_size, spec.config.max_epochs, spec.config.windows_per_epoch) == (128, 100, None)
    assert (small.config.hidden_size, small.config.max_epochs, small.config.windows_per_epoch) == (64, 20, 8192)
    assert (spec.config.num_layers, small.config.num_layers) == (3, 3)


def test_a_network_keeps_to_its_fixed_epochs_without_stop_rows(rows):
    model = ModelRegistry.create("gru", {**small_settings("gru"), "max_epochs": 5, "fixed_epochs": 2})
    metrics = model.fit(rows)
    assert (metrics.epochs_trained, metrics.best_epoch, metrics.early_stopped) == (2, None, False)
    assert model.refit_schedule(metrics) == {"fixed_epochs": 2}


def test_a_checkpoint_of_another_network_is_refused(rows, tmp_path):
    fitted("gru", rows).save(tmp_path / "model")
    with pytest.raises(DataError, match="holds a 'gru', not a 'lstm'"):
        ModelRegistry.create("lstm", small_settings("lstm")).load(tmp_path / "model")


def test_a_file_holds_tensors_and_their_names_only(rows, tmp_path):
    fitted("gru", rows).save(tmp_path / "model")
    content = (tmp_path / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert {"linear.weight", "linear.bias", "encoder.recurrent.weight_hh_l0"} <= set(header)
    assert all(entry["dtype"] == "F32" for name, entry in header.items() if name != "__metadata__")


@pytest.mark.parametrize("bars", [15, 17])
def test_windows_of_another_length_are_refused_before_the_fit(bars):
    model = ModelRegistry.create("gru", small_settings("gru"))
    with pytest.raises(DataError, match=rf"have shape \(64, {bars}, 5\), model 'gru' reads windows of 16 bars"):
        model.fit(planted_windows(bars, 64))
    stop = planted_windows(bars, 64)
    with pytest.raises(DataError, match="the validation rows have shape"):
        model.fit(planted_windows(16, 64), stop)


def test_windows_are_refused_by_a_model_of_single_rows():
    with pytest.raises(DataError, match="reads one row per sample"):
        ModelRegistry.create("logistic").fit(planted_windows(4, 64))


def test_an_encoder_prepares_itself_on_training_windows_only(rows, monkeypatch):
    seen = []
    built = TorchModel._built

    def preparing(self: TorchModel, features: int) -> Any:
        network = built(self, features)
        network.encoder.prepare = seen.append
        return network

    monkeypatch.setattr(TorchModel, "_built", preparing)
    fitted("gru", rows.take(slice(0, 64)))
    assert len(seen) == 1
    assert np.array_equal(seen[0].numpy(), np.asarray(rows.X)[:64])


def test_predictions_are_the_same_for_a_table_in_another_memory_order(rows):
    model = fitted("gru", rows)
    turned = WindowSource(np.asfortranarray(rows.X.table), rows.X.ends, rows.X.lookback)
    assert model.predict(turned).class_probabilities.tobytes() == probabilities(model, rows)


def test_a_network_that_is_not_fitted_predicts_nothing():
    with pytest.raises(UsageError, match="is not fitted"):
        ModelRegistry.create("gru", small_settings("gru")).predict(planted_windows(16, 4))


def test_settings_of_one_fit_are_known_by_all_their_names_and_a_late_preset_is_refused(rows):
    model = ModelRegistry.create("gru", small_settings("gru"))
    model.fit(rows.X[:][:, -8:], rows.y, config={"sequence_length": 8, "fixed_epochs": 1})
    assert model.lookback == 8
    with pytest.raises(UsageError, match="preset 'spec' was carried out"):
        model.fit(rows, config={"preset": "small"})
