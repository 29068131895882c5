from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, channel_state

from ohlcv_factory.models.linear.nlinear import NLinearConfig, NLinearEncoder


@pytest.mark.parametrize("case", ["nlinear_shared", "nlinear_individual"])
def test_nlinear_equals_the_authors_code_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    sizes = {name: golden.config[name] for name in ("pred_len", "individual")}
    encoder = NLinearEncoder(NLinearConfig(lookback=golden.config["L"], **sizes), golden.config["C"])
    encoder.load_state_dict(channel_state(golden.state(), {"Linear": "linear"}))
    x = golden.input()
    assert_equal(encoder.outlook(x), golden.output())
    assert_equal(encoder(x), (golden.output() - x[:, -1:]).flatten(1))


def test_nlinear_of_one_series_equals_neuralforecast() -> None:
    golden = Golden.read("nlinear_univariate")
    config = NLinearConfig(lookback=golden.config["L"], pred_len=golden.config["h"], individual=False)
    encoder = NLinearEncoder(config, features=1)
    encoder.load_state_dict(golden.state())
    assert_equal(encoder.outlook(golden.input().unsqueeze(-1)).squeeze(-1), golden.output())
