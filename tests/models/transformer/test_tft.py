from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_batch_independence, check_copies, check_shape_and_gradients, windows
from explained import explained, fitted, named_windows
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


COLUMNS = ("return_1", "hour_sin", "rsi_14", "hour_cos")
QUICK = {"lookback": 6, "hidden_size": 8, "attention_head_count": 2, "lstm_layers": 1, "hidden_continuous_size": 4}


def test_a_fitted_network_names_its_features_and_its_bars(tmp_path: Path) -> None:
    rows = named_windows(COLUMNS, 6)
    said = explained(fitted("tft", QUICK, rows), rows, tmp_path)
    assert {name: each.axes for name, each in said.items()} == {
        "variable_weights": {"bar": (-5, -4, -3, -2, -1, 0), "feature": COLUMNS},
        "known_weights": {"known feature": ("hour_sin", "hour_cos")},
        "attention": {"head": (1, 2), "bar": (-5, -4, -3, -2, -1, 0, 1)},
    }
    assert said["variable_weights"].values.shape == (40, 6, 4)


def test_the_symbol_of_a_pooled_fit_is_static_and_has_no_weight_at_a_bar(tmp_path: Path) -> None:
    codes = np.arange(40) % 2
    rows = named_windows(COLUMNS, 6).with_symbol(("AAA", "BBB"), codes)
    model = fitted("tft", QUICK, rows)
    assert model.network.encoder.context.codes[0].num_embeddings == 2
    assert explained(model, rows, tmp_path)["variable_weights"].axes["feature"] == COLUMNS
    swapped = named_windows(COLUMNS, 6).with_symbol(("AAA", "BBB"), 1 - codes)
    moved = model.predict(swapped).class_probabilities - model.predict(rows).class_probabilities
    assert float(np.abs(moved).max(axis=1).min()) > 0


def test_a_column_that_is_not_in_the_catalogue_is_observed() -> None:
    model = fitted("tft", QUICK, named_windows(("f0", "f1"), 6))
    assert not model.network.encoder.known
