from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from encoders import check_encoder, windows

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.neural.nhits import NHITSConfig, NHITSEncoder


def small() -> NHITSEncoder:
    sizes = {"lookback": 13, "forecast_length": 6, "layer_width": 16, "num_layers": 3}
    return NHITSEncoder(NHITSConfig(**sizes, num_blocks=(1, 2), pool_sizes=(4, 1), bars_per_knot=(3, 1)), features=3)


def test_every_weight_learns_and_windows_stay_apart() -> None:
    check_encoder(small(), lookback=13, features=3)


def test_pooling_shortens_what_a_block_reads_and_knots_what_it_says() -> None:
    first, second = small().blocks[0].layers, small().blocks[1].layers
    assert (first[0].in_features, first[-1].out_features) == (4, 13 + 2)
    assert (second[0].in_features, second[-1].out_features) == (13, 13 + 6)


def test_the_stacks_parts_and_the_rest_add_up_to_the_window() -> None:
    x = windows(2, 13, 3)
    parts = small().eval().explain(x)
    torch.testing.assert_close(parts["stack_0"] + parts["stack_1"] + parts["rest"], x.transpose(1, 2))
    assert parts["stack_0_ahead"].shape == (2, 3, 6)


def test_stacks_of_unequal_number_are_refused_under_the_papers_names_too() -> None:
    with pytest.raises(UsageError, match="one entry per stack"):
        NHITSConfig.parse({"n_pool_kernel_size": [2, 1]})
