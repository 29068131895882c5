from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from ohlcv_factory.models._torch.residual_stacks import Basis, Block, CurveBasis, KnotBasis, ResidualStacks


def test_the_first_coefficients_make_the_backcast() -> None:
    backward, onward = Basis(2, 3)(torch.tensor([[1.0, 2, 3, 4, 5]]))
    assert (backward.tolist(), onward.tolist()) == ([[1.0, 2.0]], [[3.0, 4.0, 5.0]])


def test_curves_are_weighted_by_the_coefficients() -> None:
    basis = CurveBasis(torch.tensor([[1.0, 1, 1], [0, 1, 2]]), torch.tensor([[10.0, 20]]))
    backward, onward = basis(torch.tensor([[5.0, -1.0, 0.5]]))
    assert (backward.tolist(), onward.tolist()) == ([[5.0, 4.0, 3.0]], [[5.0, 10.0]])


def test_knots_are_joined_by_straight_lines() -> None:
    _, onward = KnotBasis(lookback=1, knots=2, horizon=4)(torch.tensor([[0.0, 0.0, 8.0]]))
    assert onward.tolist() == [[0.0, 2.0, 6.0, 8.0]]  # knots stand in the middle of their halves


def test_a_block_reads_the_largest_of_each_pool_from_the_newest_bar_on() -> None:
    block = Block("stack", Basis(5, 1), lookback=5, widths=[3], pool=2)
    seen = []
    block.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].tolist()))
    block(torch.tensor([[1.0, 5, 2, 3, 4]]))
    assert seen == [[[5.0, 3.0, 4.0]]]


def test_no_activation_follows_the_first_map_of_a_block() -> None:
    kinds = [type(layer).__name__ for layer in Block("trend", Basis(4, 2), 4, [3, 3, 3]).layers]
    assert kinds == ["Linear", "Linear", "ReLU", "Linear", "ReLU", "Linear"]


def test_each_block_gets_what_the_ones_before_left() -> None:
    blocks = [Block(f"stack_{i}", Basis(2, 1), 2, [1]) for i in range(2)]
    for block in blocks:
        with torch.no_grad():
            for parameter in block.parameters():
                parameter.zero_()
            block.layers[-1].bias.copy_(torch.tensor([1.0, 2.0, 10.0]))  # backcast newest first, then the forecast
    stacks = ResidualStacks(blocks, lookback=2, features=1, width=1)
    series = torch.tensor([[100.0, 200.0]])
    assert stacks.decompose(series).residual.tolist() == [[198.0, 96.0]]
    assert stacks.outlook(series).tolist() == [[220.0]]
