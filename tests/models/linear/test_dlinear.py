from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows

from ohlcv_factory.models.linear.dlinear import DLinearConfig, DLinearEncoder


@pytest.mark.parametrize("individual", [True, False])
@pytest.mark.parametrize("kernel", [5, 6])
def test_every_weight_learns_and_windows_stay_apart(individual: bool, kernel: int) -> None:
    config = DLinearConfig(lookback=12, pred_len=3, individual=individual, kernel_size=kernel)
    encoder = DLinearEncoder(config, features=4)
    assert encoder.width == 12
    check_encoder(encoder, lookback=12, features=4)


@pytest.mark.parametrize("kernel", [24, 25])
def test_a_constant_window_is_all_trend(kernel: int) -> None:
    encoder = DLinearEncoder(DLinearConfig(lookback=30, pred_len=2, kernel_size=kernel), features=3).eval()
    with torch.no_grad():
        encoder.trend.weight.zero_()
        encoder.trend.bias.zero_()
        encoder.seasonal.bias.zero_()
    assert float(encoder(torch.full((2, 30, 3), 5.0)).detach().abs().max()) < 1e-5


def test_a_map_for_each_feature_equals_the_same_map_for_all() -> None:
    shared = DLinearEncoder(DLinearConfig(lookback=12, pred_len=3, individual=False), features=4).eval()
    each = DLinearEncoder(DLinearConfig(lookback=12, pred_len=3, individual=True), features=4).eval()
    with torch.no_grad():
        for name, parameter in each.named_parameters():
            parameter.copy_(shared.get_parameter(name))
    x = windows(3, 12, 4)
    torch.testing.assert_close(each(x), shared(x))


def test_defaults_are_those_of_the_specification() -> None:
    config = DLinearConfig()
    assert (config.lookback, config.pred_len, config.individual, config.kernel_size) == (96, 20, True, 25)
    assert (config.batch_size, config.max_epochs, config.learning_rate, config.weight_decay) == (32, 20, 0.005, 0.0)
