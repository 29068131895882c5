from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal
from torch import Tensor
from torch.nn import functional

from ohlcv_factory.models.transformer.timesnet import TimesNetConfig, TimesNetEncoder, strongest_periods


def our_state(state: dict[str, Tensor], blocks: int, kernels: int) -> dict[str, Tensor]:
    """The reference's parameters by our names; a convolution's biases are one array here."""
    ours = {
        "embedding.weight": state["enc_embedding.value_embedding.tokenConv.weight"],
        "norm.weight": state["layer_norm.weight"],
        "norm.bias": state["layer_norm.bias"],
    }
    for block in range(blocks):
        for theirs, name in (("conv.0", "widen"), ("conv.2", "narrow")):
            source = f"model.{block}.{theirs}.kernels"
            ours |= {f"blocks.{block}.{name}.weights.{j}": state[f"{source}.{j}.weight"] for j in range(kernels)}
            ours[f"blocks.{block}.{name}.biases"] = torch.stack([state[f"{source}.{j}.bias"] for j in range(kernels)])
    return ours


def test_timesnet_equals_the_time_series_library_at_batch_size_one_with_copied_weights() -> None:
    golden = Golden.read("timesnet")
    sizes = {name: golden.config[name] for name in ("d_model", "d_ff", "e_layers", "top_k", "num_kernels")}
    encoder = TimesNetEncoder(TimesNetConfig(lookback=golden.config["L"], **sizes), golden.config["C"]).eval()
    encoder.load_state_dict(our_state(golden.state(), sizes["e_layers"], sizes["num_kernels"]))
    assert_equal(encoder.positions, golden.state("buffer")["enc_embedding.position_embedding.pe"][0])

    found: list[Tensor] = []
    for block in encoder.blocks:
        block.register_forward_pre_hook(lambda block, inputs: found.append(strongest_periods(*inputs, block.top_k)[0]))
    tokens = encoder.tokens(golden.input())
    assert_equal(torch.stack(found, 1), golden.output("periods"))
    assert_equal(tokens, golden.output("encoder"))
    head = (golden.state()["projection.weight"], golden.state()["projection.bias"])
    assert_equal(functional.linear(encoder(golden.input()), *head), golden.output("logits"))
