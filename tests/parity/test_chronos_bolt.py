from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")
pytest.importorskip("chronos", reason="needs the extra foundation")

from golden import Golden, assert_equal, folder

from ohlcv_factory.models._foundation.checkpoint import open_checkpoint
from ohlcv_factory.models.registry import ModelRegistry


def test_chronos_bolt_equals_its_library_on_a_loaded_folder() -> None:
    golden = Golden.read("chronos_bolt_tiny")
    model = ModelRegistry.create("chronos_bolt", threads=1)
    backbone = model.load_backbone(open_checkpoint(str(folder() / "chronos_bolt_tiny"), model.kinds[0]))
    context = golden.input("context")[:, -backbone.shape.context_bars :]
    with torch.inference_mode():
        assert_equal(backbone.quantiles(context), golden.output("quantiles").transpose(1, 2))
        assert_equal(backbone.encode(context), golden.output("embedding")[:, -1])
        assert_equal(context.nanmean(1), golden.output("loc"))
