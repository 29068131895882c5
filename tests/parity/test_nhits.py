from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_decomposition, block_widths

from ohlcv_factory.models._torch.residual_stacks import ResidualStacks
from ohlcv_factory.models.neural.nhits import knot_block


def test_nhits_equals_neuralforecast_with_copied_weights() -> None:
    golden = Golden.read("nhits")
    config = golden.config
    stacks = zip(config["n_blocks"], config["n_pool_kernel_size"], config["n_freq_downsample"], strict=True)
    blocks = [
        knot_block("stack", config["L"], config["h"], pool, spacing, block_widths(config))
        for count, pool, spacing in stacks
        for _ in range(count)
    ]
    encoder = ResidualStacks(blocks, config["L"], features=1, width=1).eval()
    encoder.blocks.load_state_dict({name.removeprefix("blocks."): value for name, value in golden.state().items()})
    assert_decomposition(encoder, golden)
