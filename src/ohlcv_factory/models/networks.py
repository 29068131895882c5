"""What an author of a network needs, under one roof: the model and encoder to derive from, settings, shared layers.

`from ohlcv_factory.models.networks import Encoder, NetworkConfig, TorchModel, figure`. Importing the module loads no
torch; the first name that is asked for does. Raises MissingExtraError (69) where torch is not installed.
"""

from __future__ import annotations

import importlib
from typing import Any

from ohlcv_factory.runtime.packages import import_extra

_PUBLIC = {
    "AttentionLayer": "ohlcv_factory.models._torch.layers",
    "CausalConv1d": "ohlcv_factory.models._torch.layers",
    "ChannelLinear": "ohlcv_factory.models._torch.layers",
    "Encoder": "ohlcv_factory.models._torch.layers",
    "Explanation": "ohlcv_factory.models.explanation",
    "Meaning": "ohlcv_factory.models.explanation",
    "NetworkConfig": "ohlcv_factory.models._torch.settings",
    "TorchModel": "ohlcv_factory.models._torch.model",
    "causal_convolution": "ohlcv_factory.models._torch.scan",
    "figure": "ohlcv_factory.models._torch.settings",
    "moving_average": "ohlcv_factory.models._torch.layers",
    "selective_scan": "ohlcv_factory.models._torch.scan",
    "sinusoids": "ohlcv_factory.models._torch.layers",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605  (the names are the keys of one table)


def __getattr__(name: str) -> Any:
    """A name is imported when it is first asked for."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_extra("torch", "neural")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
