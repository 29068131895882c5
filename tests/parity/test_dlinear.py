from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, channel_state

from ohlcv_factory.models._torch.layers import moving_average
from ohlcv_factory.models.linear.dlinear import DLinearConfig, DLinearEncoder

AUTHORS = {"Linear_Seasonal": "seasonal", "Linear_Trend": "trend"}
NEURALFORECAST = {"linear_season": "seasonal", "linear_trend": "trend"}


@pytest.mark.parametrize("case", ["dlinear_shared", "dlinear_individual"])
def test_dlinear_equals_the_authors_code_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    sizes = {name: golden.config[name] for name in ("pred_len", "individual", "kernel_size")}
    encoder = DLinearEncoder(DLinearConfig(lookback=golden.config["L"], **sizes), golden.config["C"])
    encoder.load_state_dict(channel_state(golden.state(), AUTHORS))
    x = golden.input()
    assert_equal(encoder.outlook(x), golden.output())
    assert_equal(encoder(x), golden.output().flatten(1))
    assert_equal(moving_average(x, golden.config["kernel_size"]), golden.output("trend_part"))


def test_dlinear_of_one_series_equals_neuralforecast() -> None:
    golden = Golden.read("dlinear_univariate")
    sizes = {"pred_len": golden.config["h"], "kernel_size": golden.config["moving_avg_window"], "individual": False}
    encoder = DLinearEncoder(DLinearConfig(lookback=golden.config["L"], **sizes), features=1)
    encoder.load_state_dict(channel_state(golden.state(), NEURALFORECAST))
    assert_equal(encoder(golden.input().unsqueeze(-1)), golden.output())
