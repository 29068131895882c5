from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows
from torch import Tensor
from torch.nn import functional

from ohlcv_factory.models.transformer.timesnet import (
    SquareConvolutions,
    TimesNetConfig,
    TimesNetEncoder,
    strongest_periods,
)


def small() -> TimesNetEncoder:
    sizes = {"lookback": 24, "d_model": 6, "d_ff": 5, "e_layers": 2, "top_k": 2, "num_kernels": 2}
    return TimesNetEncoder(TimesNetConfig(**sizes, dropout=0.0), features=3)


def waves(*periods: int) -> Tensor:
    """One window of 24 bars per period, all three features a wave of that period."""
    bars = torch.arange(24.0)
    return torch.stack([torch.sin(2 * math.pi * bars / period) for period in periods])[..., None].expand(-1, -1, 3)


def test_every_weight_learns_and_windows_stay_apart() -> None:
    check_encoder(small(), lookback=24, features=3)


def test_windows_of_other_periods_in_the_batch_change_nothing() -> None:
    encoder = small().eval()
    alone = encoder(waves(4))
    for others in ((4, 12), (12, 4, 3, 8), (6, 6, 4)):
        together = encoder(waves(*others))[others.index(4)]
        torch.testing.assert_close(together, alone[0], atol=2e-6, rtol=1e-5)


def test_each_window_has_the_periods_of_its_own_waves() -> None:
    mixed = waves(4, 12) + 0.5 * waves(8, 6)
    periods, weights = strongest_periods(mixed, 2)
    assert periods.tolist() == [[4, 8], [12, 6]]
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert bool((weights[:, 0] > weights[:, 1]).all())


def test_a_constant_window_has_periods_too() -> None:
    assert int(strongest_periods(torch.full((1, 24, 3), 5.0), 2)[0].min()) >= 1


@pytest.mark.parametrize("shape", [(2, 4, 6, 4), (2, 4, 1, 24), (2, 4, 24, 1)])
def test_the_merged_convolution_is_the_mean_of_the_single_ones(shape: tuple[int, ...]) -> None:
    layer, x = SquareConvolutions(4, 5, 3), torch.randn(shape)
    with torch.no_grad():
        layer.biases.normal_()
    single = [
        functional.conv2d(x, w, b, padding=i) for i, (w, b) in enumerate(zip(layer.weights, layer.biases, strict=True))
    ]
    torch.testing.assert_close(layer(x), torch.stack(single).mean(0), atol=1e-5, rtol=1e-5)


def test_the_last_bar_moves_the_code() -> None:
    encoder, x = small().eval(), windows(1, 24, 3)
    changed = x.clone()
    changed[:, -1] += 1.0
    assert float((encoder(changed) - encoder(x)).detach().abs().max()) > 1e-3
