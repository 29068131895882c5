"""Networks against their definitions, written out in numpy: no golden arrays needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import windows

from ohlcv_factory.models._torch.layers import SelfAttention
from ohlcv_factory.models.linear.dlinear import DLinearConfig, DLinearEncoder
from ohlcv_factory.models.linear.nlinear import NLinearConfig, NLinearEncoder
from ohlcv_factory.models.neural.gru import GRUConfig, GRUEncoder
from ohlcv_factory.models.neural.lstm import LSTMConfig, LSTMEncoder
from ohlcv_factory.models.neural.tcn import CausalConvolutions

TOLERANCE = {"atol": 2e-6, "rtol": 1e-5}


def arrays(module: Any) -> dict[str, np.ndarray]:
    """State in float64."""
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def answer(module: Any, x: Any) -> np.ndarray:
    with torch.no_grad():
        return module.eval()(x).numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_lstm_is_its_recurrence() -> None:
    encoder, x = LSTMEncoder(LSTMConfig(hidden_size=4, num_layers=1), 3), windows(2, 7, 3)
    p, h, c = arrays(encoder.recurrent), np.zeros((2, 4)), np.zeros((2, 4))
    for step in x.double().numpy().transpose(1, 0, 2):
        gates = step @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        entered, forgotten, new, shown = np.split(gates, 4, axis=1)
        c = sigmoid(forgotten) * c + sigmoid(entered) * np.tanh(new)
        h = sigmoid(shown) * np.tanh(c)
    np.testing.assert_allclose(answer(encoder, x), h, **TOLERANCE)


def test_the_gru_is_its_recurrence() -> None:
    encoder, x = GRUEncoder(GRUConfig(hidden_size=4, num_layers=1), 3), windows(2, 7, 3)
    p, h = arrays(encoder.recurrent), np.zeros((2, 4))
    for step in x.double().numpy().transpose(1, 0, 2):
        given = np.split(step @ p["weight_ih_l0"].T + p["bias_ih_l0"], 3, axis=1)
        held = np.split(h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 3, axis=1)
        reset, update = sigmoid(given[0] + held[0]), sigmoid(given[1] + held[1])
        h = (1 - update) * np.tanh(given[2] + reset * held[2]) + update * h
    np.testing.assert_allclose(answer(encoder, x), h, **TOLERANCE)


def test_a_level_of_the_tcn_is_two_causal_convolutions_beside_its_input() -> None:
    body, x = CausalConvolutions(3, [3, 3], 2, 2, 0.0), windows(2, 9, 3).transpose(1, 2)
    p, signal = arrays(body), x.double().numpy()
    for level, distance in ((0, 1), (1, 2)):
        inner = signal
        for part in ("first", "second"):
            inner = np.maximum(causal(inner, p, f"levels.{level}.{part}.convolution", distance), 0)
        signal = np.maximum(inner + signal, 0)
    np.testing.assert_allclose(answer(body, x), signal, **TOLERANCE)


def causal(x: np.ndarray, p: dict[str, np.ndarray], name: str, distance: int) -> np.ndarray:
    """Two steps `distance` apart, weights of norm `original0` in the direction `original1`."""
    norm, direction = (p[f"{name}.parametrizations.weight.original{i}"] for i in (0, 1))
    weight = norm * direction / np.sqrt((direction**2).sum((1, 2), keepdims=True))
    before = np.concatenate([np.zeros_like(x[..., :distance]), x[..., :-distance]], axis=-1)
    both = np.stack([before, x], axis=2)  # (batch, channel, tap, time)
    return np.einsum("bikt,oik->bot", both, weight) + p[f"{name}.bias"][:, None]


def test_dlinear_is_two_linear_maps_of_trend_and_remainder() -> None:
    encoder = DLinearEncoder(DLinearConfig(lookback=9, pred_len=2, kernel_size=3), 2)
    x = windows(2, 9, 2)
    p, values = arrays(encoder), x.double().numpy()
    padded = np.concatenate([values[:, :1], values, values[:, -1:]], axis=1)
    trend = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
    maps = (("seasonal", values - trend), ("trend", trend))
    outlook = sum(np.einsum("btf,fst->bsf", part, p[f"{n}.weight"]) + p[f"{n}.bias"].T for n, part in maps)
    np.testing.assert_allclose(answer(encoder, x), outlook.reshape(2, -1), **TOLERANCE)


def test_nlinear_is_a_linear_map_of_the_distance_to_the_last_bar() -> None:
    encoder, x = NLinearEncoder(NLinearConfig(lookback=9, pred_len=2), 2), windows(2, 9, 2)
    p, values = arrays(encoder), x.double().numpy()
    outlook = np.einsum("btf,fst->bsf", values - values[:, -1:], p["linear.weight"]) + p["linear.bias"].T
    np.testing.assert_allclose(answer(encoder, x), outlook.reshape(2, -1), **TOLERANCE)


def test_attention_mixes_values_by_the_soft_max_of_scaled_products() -> None:
    layer, x = SelfAttention(4, 2, 0.0), windows(1, 5, 4)
    p, tokens, heads = arrays(layer), x[0].double().numpy(), []
    query, key, value = (tokens @ p[f"{n}.weight"].T + p[f"{n}.bias"] for n in ("query", "key", "value"))
    for part in (slice(0, 2), slice(2, 4)):
        weight = np.exp(query[:, part] @ key[:, part].T / np.sqrt(2))
        heads.append(weight / weight.sum(1, keepdims=True) @ value[:, part])
    expected = np.concatenate(heads, axis=1) @ p["output.weight"].T + p["output.bias"]
    np.testing.assert_allclose(answer(layer, x)[0], expected, **TOLERANCE)
