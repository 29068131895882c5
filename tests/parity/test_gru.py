from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal

from ohlcv_factory.models.neural.gru import GRUConfig, GRUEncoder


@pytest.mark.parametrize("case", ["gru", "gru_bidirectional"])
def test_gru_equals_torch_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    sizes = {name: golden.config[name] for name in ("hidden_size", "num_layers", "bidirectional")}
    encoder = GRUEncoder(GRUConfig(**sizes), golden.config["C"]).eval()
    encoder.recurrent.load_state_dict(golden.state())
    assert_equal(encoder.recurrent(golden.input())[0], golden.output("sequence"))
    assert_equal(encoder(golden.input()), golden.output("last_hidden"))
