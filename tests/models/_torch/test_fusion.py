from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from ohlcv_factory.models._torch.fusion import GatedLinear, GatedResidual, InterpretableAttention, VariableSelection


def test_a_gate_scales_the_first_half_by_the_sigmoid_of_the_second() -> None:
    layer = GatedLinear(1, 1)
    with torch.no_grad():
        layer.lin.weight.copy_(torch.tensor([[6.0], [0.0]]))
        layer.lin.bias.copy_(torch.tensor([0.0, math.log(3.0)]))
    torch.testing.assert_close(layer(torch.tensor([[2.0]])), torch.tensor([[9.0]]))  # 12 x 3/4


def test_a_step_does_not_attend_to_later_ones() -> None:
    attention = InterpretableAttention(heads=2, width=8, dropout=0.0)(torch.randn(3, 6, 8), asking=6)[1]
    assert torch.equal(attention, attention.tril())


def test_the_last_step_alone_reads_what_it_reads_among_all() -> None:
    layer, x = InterpretableAttention(heads=2, width=8, dropout=0.0), torch.randn(3, 6, 8)
    torch.testing.assert_close(layer(x, asking=1)[0], layer(x, asking=6)[0][:, -1:])


def test_a_closed_gate_leaves_the_input() -> None:
    layer = GatedResidual(4, 4)
    with torch.no_grad():
        layer.glu.lin.bias[4:] = -1000.0
    x = torch.randn(2, 4)
    torch.testing.assert_close(layer(x), layer.norm(x))


def test_one_feature_gets_the_whole_weight() -> None:
    weights = VariableSelection(1, 4, 8, 0.0, context=False)(torch.randn(2, 3, 1, 4))[1]
    assert torch.equal(weights, torch.ones(2, 3, 1))
