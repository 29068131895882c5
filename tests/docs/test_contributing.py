"""The models and features that CONTRIBUTING shows are written, registered and checked as it says."""

from __future__ import annotations

from ohlcv_factory.models.registry import ModelRegistry


def test_every_block_runs(run_document) -> None:
    run_document("CONTRIBUTING.md")
    assert ModelRegistry.entry("nearest_mean").family == "custom"
