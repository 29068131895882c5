from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")
pytest.importorskip("transformers", reason="needs the extra foundation")

from golden import Golden, assert_equal, folder

from ohlcv_factory.models._foundation.checkpoint import open_checkpoint
from ohlcv_factory.models.registry import ModelRegistry


def test_timesfm_equals_its_library_on_a_loaded_folder() -> None:
    golden = Golden.read("timesfm25_tiny")
    model = ModelRegistry.create("timesfm", threads=1)
    backbone = model.load_backbone(open_checkpoint(str(folder() / "timesfm25_tiny"), model.kinds[0]))
    with torch.inference_mode():
        assert_equal(backbone.quantiles(golden.input("context")), golden.output("full_predictions")[..., 1:])
        hidden = backbone.network.model(past_values=golden.input("backbone_context")).last_hidden_state
        assert_equal(hidden, golden.output("backbone_last_hidden_state"))
        assert_equal(backbone.encode(golden.input("backbone_context")), hidden[:, -1])
