from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from torch import nn

from ohlcv_factory.models._torch.layers import (
    AttentionLayer,
    CausalConv1d,
    ChannelLinear,
    SelfAttention,
    TokenBatchNorm,
    moving_average,
    sinusoids,
)


@pytest.mark.parametrize(
    ("kernel", "expected"), [(3, [4.0, 6.0, 9.0, 11.0]), (2, [4.5, 7.5, 10.5, 12.0]), (1, [3.0, 6.0, 9.0, 12.0])]
)
def test_the_moving_average_repeats_the_ends(kernel: int, expected: list[float]) -> None:
    x = torch.tensor([3.0, 6.0, 9.0, 12.0]).view(1, 4, 1)
    torch.testing.assert_close(moving_average(x, kernel).flatten(), torch.tensor(expected))


@pytest.mark.parametrize("kernel", [24, 25])
def test_the_moving_average_of_a_constant_is_the_constant(kernel: int) -> None:
    torch.testing.assert_close(moving_average(torch.full((2, 30, 3), 5.0), kernel), torch.full((2, 30, 3), 5.0))


def test_a_causal_convolution_sees_dilated_past_steps_only() -> None:
    layer = CausalConv1d(1, 1, kernel=2, dilation=2)
    with torch.no_grad():
        layer.convolution.weight = torch.tensor([[[10.0, 1.0]]])
        layer.convolution.bias.zero_()
        answers = layer(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]))
    torch.testing.assert_close(answers, torch.tensor([[[1.0, 2.0, 13.0, 24.0]]]))


@pytest.mark.parametrize(("individual", "parameters"), [(True, 5 * (2 * 7 + 2)), (False, 2 * 7 + 2)])
def test_a_map_over_time_equals_torchs_linear_of_each_feature(individual: bool, parameters: int) -> None:
    layer, x = ChannelLinear(7, 2, 5, individual=individual), torch.randn(3, 7, 5)
    assert sum(parameter.numel() for parameter in layer.parameters()) == parameters
    weight, bias = layer.weight.expand(5, -1, -1), layer.bias.expand(5, -1)
    each = [nn.functional.linear(x[..., j], weight[j], bias[j]) for j in range(5)]
    torch.testing.assert_close(layer(x), torch.stack(each, -1))


def test_self_attention_equals_torchs_own() -> None:
    ours, theirs = SelfAttention(8, 2, 0.0).eval(), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    parts = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    x = torch.randn(3, 5, 8)
    mixed, attention = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(ours(x), mixed)
    torch.testing.assert_close(ours.attention(x), attention)


def test_the_position_table_starts_with_zeros_and_ones_and_turns_by_its_rates() -> None:
    table = sinusoids(3, 4)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    expected = [math.sin(2.0), math.cos(2.0), math.sin(0.02), math.cos(0.02)]
    torch.testing.assert_close(table[2], torch.tensor(expected))
    assert sinusoids(3, 5).shape == (3, 5)


def test_token_batch_norm_learns_one_mean_per_unit() -> None:
    norm, x = TokenBatchNorm(4), torch.randn(6, 5, 4) + torch.arange(4.0)
    normal = norm(x)
    torch.testing.assert_close(normal.mean((0, 1)), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean((0, 1)))


@pytest.mark.parametrize("pre_norm", [True, False])
def test_an_attention_layer_normalises_before_its_parts_or_after_the_sums(pre_norm: bool) -> None:
    layer, x = AttentionLayer(8, 2, 12, 0.0, norm=nn.LayerNorm, pre_norm=pre_norm), torch.randn(3, 5, 8)

    def forward(tokens: torch.Tensor) -> torch.Tensor:
        return layer.narrow(nn.functional.gelu(layer.widen(tokens)))

    first, second = layer.norm_attention, layer.norm_forward
    if pre_norm:
        after = x + layer.attention(first(x))
        expected = after + forward(second(after))
    else:
        after = first(x + layer.attention(x))
        expected = second(after + forward(after))
    torch.testing.assert_close(layer(x), expected)
