from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, first_change, windows
from explained import explained, fitted, named_windows

from ohlcv_factory.models.neural.gru import GRUConfig, GRUEncoder


@pytest.mark.parametrize(("bidirectional", "width"), [(False, 6), (True, 12)])
def test_the_code_is_the_last_state_of_each_direction(bidirectional: bool, width: int) -> None:
    config = GRUConfig(hidden_size=6, num_layers=2, dropout=0.0, bidirectional=bidirectional)
    encoder = GRUEncoder(config, features=3)
    assert encoder.width == width
    check_encoder(encoder, lookback=9, features=3)


def test_one_layer_takes_a_dropout_without_a_warning() -> None:
    assert GRUEncoder(GRUConfig(hidden_size=4, num_layers=1, dropout=0.5), features=2).width == 4


def test_a_forward_gru_sees_no_later_bar() -> None:
    recurrent = GRUEncoder(GRUConfig(hidden_size=6), features=3).eval().recurrent
    assert first_change(lambda x: recurrent(x)[0], windows(2, 12, 3), 7) == 7


def test_defaults_are_those_of_the_specification() -> None:
    config = GRUConfig()
    assert (config.hidden_size, config.num_layers, config.dropout, config.lookback) == (128, 2, 0.3, 60)
    assert (config.batch_size, config.max_epochs, config.learning_rate, config.weight_decay) == (256, 100, 1e-3, 1e-4)


def test_a_network_without_an_explanation_says_nothing(tmp_path: Path) -> None:
    rows = named_windows(("return_1", "clv"), 6)
    assert explained(fitted("gru", {"lookback": 6, "hidden_size": 4, "num_layers": 1}, rows), rows, tmp_path) == {}
