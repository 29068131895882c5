from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows
from explained import explained, fitted, named_windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.neural.nbeats import NBEATSConfig, NBEATSEncoder, seasonal_curves, trend_curves

SMALL = {"lookback": 12, "forecast_length": 6, "layer_width": 16, "num_layers": 3, "seasonality_harmonics": 2}


def small(**config: Any) -> NBEATSEncoder:
    return NBEATSEncoder(NBEATSConfig(**{**SMALL, **config}), features=3)


@pytest.mark.parametrize("stacks", [("trend", "seasonality"), ("generic", "generic")])
def test_every_weight_learns_and_windows_stay_apart(stacks: tuple[str, str]) -> None:
    check_encoder(small(stack_types=stacks), lookback=12, features=3)


def test_trend_seasonality_and_rest_add_up_to_the_window() -> None:
    encoder, x = small().eval(), windows(2, 12, 3)
    parts = encoder.explain(x)
    assert parts["trend"].shape == (2, 3, 12)
    assert parts["seasonality_ahead"].shape == (2, 3, 6)
    torch.testing.assert_close(parts["trend"] + parts["seasonality"] + parts["rest"], x.transpose(1, 2))


def test_the_trend_of_degree_two_is_a_level_a_line_and_a_parabola_over_each_stretch() -> None:
    backward, onward = trend_curves(lookback=3, horizon=2, degree=2)
    assert backward.tolist() == [[1.0, 1.0, 1.0], [-1.0, 0.0, 1.0], [1.0, -0.5, 1.0]]
    assert onward.tolist() == [[1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]]


def test_seasonal_curves_are_a_constant_and_waves_of_the_horizon() -> None:
    backward, onward = seasonal_curves(lookback=2, horizon=4, harmonics=1)  # frequencies 0 and 1 per 4 bars
    expected = torch.tensor([[1.0, 1, 1, 1], [1, 0, -1, 0], [0, 0, 0, 0], [0, 1, 0, -1]])
    torch.testing.assert_close(onward, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(backward, torch.tensor([[1.0, 1], [1, 0], [0, 0], [0, -1]]), atol=1e-6, rtol=0)


def test_two_features_that_change_places_change_the_code() -> None:
    encoder, x = small().eval(), windows(2, 12, 3)
    assert float((encoder(x[..., [1, 0, 2]]) - encoder(x)).detach().abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"num_blocks": [2]}, "one entry of num_blocks per stack"),
        ({"loss": "mse"}, "cross-entropy"),
        ({"backcast_length": 40, "lookback": 40}, "both are given"),
    ],
)
def test_settings_that_cannot_act_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        NBEATSConfig.parse(config)


def test_a_fitted_network_hands_out_trend_seasonality_and_rest_by_feature(tmp_path: Path) -> None:
    rows = named_windows(("log_return_1", "log_volume_change"), 12)
    said = explained(fitted("nbeats", SMALL, rows), rows, tmp_path)
    assert sorted(said) == ["rest", "seasonality", "seasonality_ahead", "trend", "trend_ahead", "window"]
    assert said["trend"].axes == {"feature": ("log_return_1", "log_volume_change"), "bar": tuple(range(-11, 1))}
    assert said["trend_ahead"].axes["step ahead"] == (1, 2, 3, 4, 5, 6)
    whole = sum(said[name].values for name in ("trend", "seasonality", "rest"))
    np.testing.assert_allclose(whole, said["window"].values, atol=1e-5)
    assert np.array_equal(said["window"].values, rows.X[:].transpose(0, 2, 1))
