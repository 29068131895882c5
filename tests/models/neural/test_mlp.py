from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows

from ohlcv_factory.models.neural.mlp import MLPConfig, MLPEncoder


def test_every_layer_learns_and_windows_stay_apart() -> None:
    check_encoder(MLPEncoder(MLPConfig(lookback=7, hidden_size=9, num_layers=3, dropout=0.0), features=4), 7, 4)


def test_one_layer_is_a_linear_map_of_the_flattened_window_cut_at_zero() -> None:
    encoder = MLPEncoder(MLPConfig(lookback=2, hidden_size=2, num_layers=1), features=2).eval()
    with torch.no_grad():
        encoder.layers[0].weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 0.0, 0.0]]))
        encoder.layers[0].bias.copy_(torch.tensor([0.5, 0.0]))
    window = torch.tensor([[[1.0, 10.0], [100.0, 1000.0]]])  # bars by features
    assert encoder(window).tolist() == [[4321.5, 0.0]]


def test_dropout_acts_while_training_only() -> None:
    encoder = MLPEncoder(MLPConfig(lookback=6, hidden_size=64, dropout=0.5), features=3)
    x = windows(2, 6, 3)
    assert bool((encoder(x) != encoder(x)).any())
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))
