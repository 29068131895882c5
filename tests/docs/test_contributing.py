"""The models and features that CONTRIBUTING shows are written, registered and checked as it says."""

from __future__ import annotations

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.packages import is_installed


def test_every_block_runs(run_document) -> None:
    run_document("CONTRIBUTING.md")
    assert ModelRegistry.entry("nearest_mean").family == "custom"
    assert ModelRegistry.entry("my_table").family == "classical"
    assert ("my_network" in ModelRegistry.entries()) == is_installed("torch")
