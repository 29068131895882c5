from __future__ import annotations

from copy import deepcopy

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, first_change, windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.neural.tcn import TCNConfig, TCNEncoder, covering_channels, receptive_field


def small(**config: object) -> TCNEncoder:
    return TCNEncoder(TCNConfig.parse({"num_channels": [6], "dropout": 0.0, "lookback": 20, **config}), features=3)


def test_every_weight_learns_and_windows_stay_apart() -> None:
    check_encoder(small(), lookback=20, features=3)


def test_no_step_sees_a_later_bar() -> None:
    assert first_change(small().eval().sequence, windows(2, 20, 3), 11) == 11


@pytest.mark.parametrize(
    ("levels", "kernel", "base", "bars"), [(4, 3, 2, 61), (5, 3, 2, 125), (1, 2, 2, 3), (3, 4, 3, 79)]
)
def test_receptive_field_counts_both_convolutions_of_a_level(levels: int, kernel: int, base: int, bars: int) -> None:
    assert receptive_field(levels, kernel, base) == bars


def test_four_levels_of_the_specification_grow_to_five_to_cover_its_window() -> None:
    assert covering_channels((64,) * 4, 3, 2, 120) == (64,) * 5
    assert covering_channels((32, 64), 3, 2, 13) == (32, 64)


@pytest.mark.parametrize(("kernel", "lookback"), [(3, 20), (3, 33), (2, 40)])
def test_the_code_depends_on_the_oldest_bar_of_the_window(kernel: int, lookback: int) -> None:
    encoder = small(kernel_size=kernel, lookback=lookback).double().eval()
    for weight in encoder.parameters():
        weight.data.abs_()  # every ReLU is open: one path alone leads from the oldest bar to here
    x = windows(2, lookback, 3).double().abs().requires_grad_()
    encoder(x).sum().backward()
    assert bool((x.grad[:, 0] != 0).any())


def test_a_trained_network_can_be_copied() -> None:
    encoder = small()
    encoder(windows(2, 20, 3)).sum().backward()
    copy = deepcopy(encoder)
    assert torch.equal(copy.eval()(windows(2, 20, 3)), encoder.eval()(windows(2, 20, 3)))


def test_a_level_without_channels_is_refused() -> None:
    with pytest.raises(UsageError, match="num_channels"):
        TCNConfig.parse({"num_channels": [8, 0]})


def test_the_code_is_the_newest_step_not_a_mean_over_time() -> None:
    encoder, x = small().eval(), windows(2, 20, 3)
    assert torch.equal(encoder(x), encoder.sequence(x)[:, -1])
