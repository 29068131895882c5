from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows
from explained import explained, fitted, named_windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.transformer.itransformer import ITransformerConfig, ITransformerEncoder

SMALL = {"lookback": 10, "d_model": 8, "n_heads": 2, "e_layers": 2, "d_ff": 12}


def small() -> ITransformerEncoder:
    return ITransformerEncoder(ITransformerConfig(**SMALL, dropout=0.0), features=4)


def test_every_weight_learns_and_windows_stay_apart() -> None:
    check_encoder(small(), lookback=10, features=4)


def test_two_features_that_change_places_change_the_code() -> None:
    encoder, x = small().eval(), windows(2, 10, 4)
    assert float((encoder(x[..., [1, 0, 2, 3]]) - encoder(x)).detach().abs().max()) > 1e-2


@pytest.mark.parametrize("features", [2, 50])
def test_the_head_does_not_grow_with_the_features(features: int) -> None:
    encoder = ITransformerEncoder(ITransformerConfig(**SMALL), features)
    assert encoder.width == 8
    assert encoder.names.shape == (features, 8)


def test_attention_over_the_features_is_shown_for_each_layer() -> None:
    attention = small().eval().explain(windows(3, 10, 4))["attention"]
    assert attention.shape == (3, 2, 4, 4)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 2, 4))


@pytest.mark.parametrize("key", ["label_len", "embed_type", "freq", "pred_len"])
def test_keys_of_the_forecaster_are_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here"):
        ITransformerConfig.parse({key: 1})


def test_a_fitted_network_names_who_looks_at_whom(tmp_path: Path) -> None:
    rows = named_windows(("return_1", "rsi_14", "clv"), 10)
    attention = explained(fitted("itransformer", SMALL, rows), rows, tmp_path)["attention"]
    assert attention.axes == {
        "layer": (1, 2),
        "feature": ("return_1", "rsi_14", "clv"),
        "seen feature": ("return_1", "rsi_14", "clv"),
    }
    assert attention.kind == "weights"
    np.testing.assert_allclose(attention.values.sum(-1), 1.0, atol=1e-5)
