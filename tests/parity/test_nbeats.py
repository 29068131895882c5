from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_decomposition, assert_equal, block_widths

from ohlcv_factory.models._torch.residual_stacks import CurveBasis, ResidualStacks
from ohlcv_factory.models.neural.nbeats import Bases, stacked_blocks

KINDS = {"identity": "generic", "trend": "trend", "seasonality": "seasonality"}


@pytest.mark.parametrize("case", ["nbeats_generic", "nbeats_interpretable"])
def test_nbeats_equals_neuralforecast_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    config = golden.config
    bases = Bases(config["L"], config["h"], config.get("n_basis", 0), config.get("n_harmonics", 1))
    kinds = [KINDS[name] for name in config["stack_types"]]
    blocks = stacked_blocks(kinds, config["n_blocks"], bases, block_widths(config))
    encoder = ResidualStacks(blocks, config["L"], features=1, width=1).eval()
    state = {name: value for name, value in golden.state().items() if ".basis." not in name}
    encoder.blocks.load_state_dict({name.removeprefix("blocks."): value for name, value in state.items()})

    for i, block in enumerate(blocks):
        if isinstance(block.basis, CurveBasis):
            assert_equal(block.basis.backward, golden.state()[f"blocks.{i}.basis.backcast_basis"])
            assert_equal(block.basis.onward, golden.state()[f"blocks.{i}.basis.forecast_basis"])
    assert_decomposition(encoder, golden)
