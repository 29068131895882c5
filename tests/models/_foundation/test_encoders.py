from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="encoders need torch")

from torch import nn

from ohlcv_factory.models._foundation.backbone import STATES, BackboneShape, SeriesBackbone, market_state
from ohlcv_factory.models._foundation.encoders import BackboneEncoder, CodeEncoder, RowNorm, codes


class Toy(SeriesBackbone):
    """A code of two numbers, a dropout that would show."""

    shape = BackboneShape((0.1, 0.9), 16, 1, 2, layers=1, hidden=1, heads=1, patch_bars=1)

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(4, 2), nn.Dropout(0.5)

    def quantiles(self, series):
        raise NotImplementedError

    def encode(self, series):
        return self.dropout(self.linear(series[:, -4:]))


def bars(rows: int) -> torch.Tensor:
    moves = torch.randn(rows, 16, 1, generator=torch.Generator().manual_seed(3))
    return 100 * torch.exp(0.01 * moves.cumsum(1))


def test_rows_are_normalised_by_all_batches_so_far():
    norm, x = RowNorm(2), torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    torch.testing.assert_close(norm.train()(x), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4, rtol=0)
    norm(x + 2)
    assert norm.running_mean.tolist() == [3.0, 21.0]
    assert norm.eval()(torch.tensor([[3.0, 21.0]])).abs().max() < 1e-6


def test_a_single_row_of_a_last_batch_is_normalised_as_in_a_prediction():
    norm, x = RowNorm(2).train(), torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    norm(x)
    lone = norm(x[:1])
    assert norm.running_mean.tolist() == [2.0, 20.0]
    torch.testing.assert_close(lone, norm.eval()(x[:1]))


def test_codes_hold_the_backbones_and_the_market_state():
    toy, windows = Toy().eval(), bars(5)
    together = codes(toy, windows)
    assert together.shape == (5, 2 + STATES)
    assert torch.equal(together[:, :2], toy.embed(windows))
    series = torch.log(windows[..., 0] / windows[:, -1:, 0])
    assert torch.equal(together[:, 2:], market_state(series))


def test_a_code_encoder_normalises_what_it_is_given():
    encoder, x = CodeEncoder(3).eval(), torch.randn(4, 1, 3)
    assert encoder.width == 3
    torch.testing.assert_close(encoder(x), x[:, 0], atol=1e-4, rtol=1e-4)


def test_the_backbone_keeps_its_dropout_off_and_gets_gradients():
    encoder = BackboneEncoder(Toy(), 1e-5, 2).train()
    assert encoder.norm.training and not encoder.backbone.training
    assert torch.equal(codes(encoder.backbone, bars(6)), codes(encoder.backbone, bars(6)))
    encoder(bars(6)).square().sum().backward()
    assert encoder.width == 2 + STATES
    assert encoder.norm.weight.grad.abs().max() > 0
    encoder.zero_grad()
    encoder(bars(6))[:, :2].pow(3).sum().backward()
    assert encoder.backbone.linear.weight.grad.abs().max() > 0


def test_the_backbone_is_a_group_of_its_own_that_rests():
    encoder = BackboneEncoder(Toy(), 1e-5, 2)
    (group,) = encoder.parameter_groups(1e-3, 0.01)
    assert (group["lr"], group["weight_decay"], group["rests_epochs"]) == (1e-5, 0.01, 2)
    assert {id(each) for each in group["params"]} == {id(each) for each in encoder.backbone.parameters()}
