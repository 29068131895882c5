"""Contract kits for authors of models and features: `from ohlcv_factory.testing import check_model`."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "check_feature": "ohlcv_factory.testing.features",
    "check_model": "ohlcv_factory.testing.models",
    "direction_z": "ohlcv_factory.testing.power",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605  (the names are the keys of one table)


def __getattr__(name: str) -> Any:
    """A kit is imported when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
