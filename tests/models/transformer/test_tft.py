from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_batch_independence, check_copies, check_shape_and_gradients, windows
from torch import Tensor

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.transformer.tft import TFTConfig, TFTEncoder

SMALL = {"lookback": 9, "hidden_size": 8, "attention_head_count": 2, "lstm_layers": 2, "hidden_continuous_size": 6}
ROLES: dict[str, dict[str, Any]] = {
    "all observed": {},
    "calendar": {"known": [3, 4]},
    "symbol": {"static": {2: 3}},
    "calendar and symbol": {"known": [3, 4], "static": {2: 3}},
}


def small(**roles: Any) -> TFTEncoder:
    return TFTEncoder(TFTConfig(**SMALL, dropout=0.0), features=5, **roles)


def five_features() -> Tensor:
    """Walks; feature 2 holds one of three codes for the whole window."""
    x = windows(6, 9, 5)
    x[:, :, 2] = torch.tensor([0.0, 1, 2, 0, 1, 2])[:, None]
    return x


@pytest.mark.parametrize("roles", ROLES)
def test_every_weight_learns_and_windows_stay_apart(roles: str) -> None:
    encoder = small(**ROLES[roles])
    check_shape_and_gradients(encoder, five_features())
    x = five_features()
    if "symbol" not in roles:
        check_batch_independence(encoder.eval(), x)
    encoder.eval()
    torch.testing.assert_close(torch.cat([encoder(window[None]) for window in x]), encoder(x), atol=2e-6, rtol=1e-5)
    check_copies(encoder, x)


def test_weights_of_features_and_attention_of_the_decision_sum_to_one() -> None:
    shown = small(**ROLES["calendar and symbol"]).eval().explain(five_features())
    shapes = {name: tuple(value.shape) for name, value in shown.items()}
    assert shapes == {"variable_weights": (6, 9, 4), "known_weights": (6, 2), "attention": (6, 2, 10)}
    for value in shown.values():
        torch.testing.assert_close(value.sum(-1), torch.ones(value.shape[:-1]))


def test_the_symbol_changes_the_code_and_the_weights() -> None:
    encoder = small(**ROLES["symbol"]).eval()
    x = five_features()[:1].repeat(2, 1, 1)
    x[1, :, 2] = 1.0
    assert float((encoder(x)[0] - encoder(x)[1]).detach().abs().max()) > 1e-3
    weights = encoder.explain(x)["variable_weights"].detach()
    assert float((weights[0] - weights[1]).abs().max()) > 1e-4


def test_the_step_ahead_reads_the_calendar_of_the_last_bar_only() -> None:
    encoder, x = small(**ROLES["calendar"]).eval(), five_features()
    with torch.no_grad():
        before = encoder.explain(x)["known_weights"]
        for bars, columns, moves in ((slice(0, 8), slice(0, 5), False), (8, 0, False), (8, 3, True)):
            changed = x.clone()
            changed[:, bars, columns] += 1.0
            assert torch.equal(encoder.explain(changed)["known_weights"], before) is not moves


@pytest.mark.parametrize("key", ["quantiles", "max_prediction_length", "num_unknown_real_features"])
def test_keys_of_the_forecaster_are_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here"):
        TFTConfig.parse({key: 1})


def test_encoder_length_is_the_lookback() -> None:
    assert TFTConfig.parse({"encoder_length": 30}).lookback == 30
