from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, renamed

from ohlcv_factory.models._torch.fusion import (
    GatedResidual,
    InterpretableAttention,
    TemporalDecoder,
    VariableSelection,
)

NAMES = {"layer_norm.ln": "norm"}


@pytest.mark.parametrize("case", ["tft_grn", "tft_grn_context", "tft_grn_output"])
def test_a_gated_residual_network_equals_neuralforecast_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    sizes = [golden.config[name] for name in ("input_size", "hidden_size", "output_size")]
    has_context = golden.config["context_hidden_size"] is not None
    layer = GatedResidual(*sizes, context=has_context)
    layer.load_state_dict(renamed(golden.state(), NAMES))
    context = golden.input("c") if has_context else None
    assert_equal(layer(golden.input("a"), context), golden.output())


def test_variable_selection_equals_neuralforecast_with_copied_weights() -> None:
    golden = Golden.read("tft_vsn")
    hidden = golden.config["hidden_size"]
    layer = VariableSelection(golden.config["num_inputs"], hidden, hidden, 0.0, context=True)
    layer.load_state_dict(renamed(golden.state(), NAMES))
    for context, ending in ((golden.input("context"), ""), (None, "_no_context")):
        chosen, weights = layer(golden.input(), context)
        assert_equal(chosen, golden.output(f"y{ending}"))
        assert_equal(weights, golden.output(f"weights{ending}"))


def test_attention_equals_neuralforecast_with_copied_weights() -> None:
    golden = Golden.read("tft_attention")
    layer = InterpretableAttention(golden.config["n_head"], golden.config["hidden_size"], 0.0)
    layer.load_state_dict(golden.state())
    read, attention = layer(golden.input(), asking=golden.config["L"])
    assert_equal(read, golden.output())
    assert_equal(attention, golden.output("prob"))


@pytest.mark.parametrize(("asks_all", "output"), [(True, "y"), (False, "y_last")])
def test_the_decoder_equals_neuralforecast_with_copied_weights(asks_all: bool, output: str) -> None:
    golden = Golden.read("tft_decoder")
    layer = TemporalDecoder(golden.config["n_head"], golden.config["hidden_size"], 0.0, context=True)
    layer.load_state_dict(renamed(golden.state(), NAMES))
    asking = golden.config["L"] if asks_all else 1
    decided, attention = layer(golden.input("temporal_features"), golden.input("ce"), asking)
    assert_equal(decided, golden.output(output))
    assert_equal(attention, golden.output("prob")[:, :, -asking:])
