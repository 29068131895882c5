from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, renamed

from ohlcv_factory.models.neural.tcn import CausalConvolutions

NAMES = {
    "network.": "levels.",
    "conv1.": "first.convolution.",
    "conv2.": "second.convolution.",
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
    "downsample.": "shortcut.",
}


def test_tcn_equals_the_authors_code_with_copied_weights() -> None:
    golden = Golden.read("tcn")
    sizes = golden.config
    body = CausalConvolutions(sizes["num_inputs"], sizes["num_channels"], sizes["kernel_size"], 2, 0.0).eval()
    body.load_state_dict(renamed(golden.state(), NAMES))
    assert_equal(body(golden.input()), golden.output())
    assert_equal(body(golden.input())[..., -1], golden.output("y_last"))
