from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, renamed
from torch.nn import functional

from ohlcv_factory.models.transformer.itransformer import ITransformerConfig, ITransformerEncoder

NAMES = {
    "enc_embedding.value_embedding": "embedding",
    "encoder.attn_layers.": "layers.",
    "encoder.norm": "norm",
    "query_projection": "query",
    "key_projection": "key",
    "value_projection": "value",
    "out_projection": "output",
    "norm1": "norm_attention",
    "norm2": "norm_forward",
    "conv1": "widen",
    "conv2": "narrow",
}


def test_itransformer_equals_the_time_series_library_with_copied_weights() -> None:
    golden = Golden.read("itransformer")
    sizes = {name: golden.config[name] for name in ("d_model", "d_ff", "n_heads", "e_layers")}
    encoder = ITransformerEncoder(ITransformerConfig(lookback=golden.config["L"], **sizes), golden.config["C"]).eval()
    state = golden.state()
    weight, bias = state.pop("projection.weight"), state.pop("projection.bias")
    linear = {key: value.squeeze(-1) if "conv" in key and value.dim() == 3 else value for key, value in state.items()}
    unnamed = {"names": torch.zeros_like(encoder.names)}  # the library's tokens have no names
    encoder.load_state_dict({**renamed(linear, NAMES), **unnamed})

    tokens = encoder.tokens(golden.input())
    assert_equal(tokens, golden.output("encoder"))
    assert_equal(encoder(golden.input()), golden.output("encoder").mean(1))
    assert_equal(functional.linear(functional.gelu(tokens).flatten(1), weight, bias), golden.output("logits"))
