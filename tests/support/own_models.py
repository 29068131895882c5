"""Models that a test registers, and a fixture that forgets them."""

from __future__ import annotations

import pytest

from ohlcv_factory.models.registry import ModelRegistry


@pytest.fixture
def own_registry(monkeypatch):
    """Models that a test registers are gone after it; built-in ones that it imported stay, as their modules do."""
    monkeypatch.setattr(ModelRegistry, "_entries", dict(ModelRegistry._entries))
    before = set(ModelRegistry._entries)
    yield
    for name in set(ModelRegistry._entries) - before:
        ModelRegistry._classes.pop(name, None)
