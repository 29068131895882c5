from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, renamed
from torch import nn

from ohlcv_factory.models.transformer.patchtst import PatchTSTConfig, PatchTSTEncoder

SIZES = {
    "context_length": "lookback",
    "patch_length": "patch_size",
    "patch_stride": "stride",
    "d_model": "d_model",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
    "ffn_dim": "d_ff",
    "pre_norm": "pre_norm",
}
NAMES = {
    "model.encoder.": "",
    "embedder.input_embedding": "embedding",
    "positional_encoder.position_enc": "positions",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.output",
    "norm_sublayer1.batchnorm": "norm_attention",
    "norm_sublayer3.batchnorm": "norm_forward",
    "ff.0": "widen",
    "ff.3": "narrow",
}


@pytest.mark.parametrize("case", ["patchtst_fit", "patchtst_ragged", "patchtst_defaults"])
def test_patchtst_equals_transformers_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    config = {ours: golden.config[theirs] for theirs, ours in SIZES.items()}
    features = golden.config["num_input_channels"]
    encoder = PatchTSTEncoder(PatchTSTConfig(**config, scaling=golden.config["scaling"] or "none"), features).eval()
    state = golden.state()
    head = nn.Linear(features * config["d_model"], golden.config["num_targets"])
    head.load_state_dict({kind: state.pop(f"head.linear.{kind}") for kind in ("weight", "bias")})
    encoder.load_state_dict(renamed({**state, **golden.state("buffer")}, NAMES))

    patches, location, scale = encoder.patches(golden.input())
    assert_equal(patches, golden.output("patches"))
    assert_equal(location, golden.output("loc")[:, 0])
    assert_equal(scale, golden.output("scale")[:, 0])
    assert_equal(encoder.tokens(patches), golden.output("last_hidden_state"))
    assert_equal(head(encoder(golden.input())[:, : head.in_features]), golden.output("logits"))
