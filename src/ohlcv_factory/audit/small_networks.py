"""Small hyper-parameters of a network, for fits that are to say something about its code and not about a market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ohlcv_factory.models.registry import ModelRegistry

SMALL_LOOP: Mapping[str, Any] = {
    "preset": "spec",
    "lookback": 16,
    "batch_size": 32,
    "max_epochs": 4,
    "fixed_epochs": 3,
    "learning_rate": 0.01,
    "scheduler": "none",
    "warmup_epochs": 0,
    "dropout": 0.1,
}
"""How a network is trained where no figures are given; only fields that its config has."""
SMALL_SIZES: Mapping[str, Any] = {
    "hidden_size": 16,
    "d_model": 16,
    "layer_width": 16,
    "d_ff": 16,
    "hidden_continuous_size": 8,
    "num_channels": (16, 16, 16),
    "d_state": 8,
    "num_layers": 1,
    "n_layers": 1,
    "e_layers": 1,
    "lstm_layers": 1,
    "n_heads": 2,
    "attention_head_count": 2,
    "patch_size": 4,
    "stride": 2,
    "pred_len": 4,
    "forecast_length": 4,
    "top_k": 2,
    "num_kernels": 2,
}
"""Sizes of a network where none are given: width 16 and one layer, under the names that networks give them."""

SMALL_CONTEXT = 128
"""Window of a model that pads where none is given: longer than the past of the first rows of the planted bars."""


def small_settings(name: str) -> dict[str, Any]:
    """Small hyper-parameters of a sequence model, by the fields that its config has; none for a tabular one."""
    model_class = ModelRegistry.model_class(name)
    if not model_class.input_spec.is_sequence:
        return {}
    trained = {**SMALL_LOOP, **SMALL_SIZES} if model_class().trains else {}
    values = trained | ({"lookback": SMALL_CONTEXT} if model_class.input_spec.padded else {})
    return {key: value for key, value in values.items() if key in model_class.Config.model_fields}
