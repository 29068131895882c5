"""GRU: a recurrent network with two gates, lighter than the LSTM."""

from __future__ import annotations

from torch import nn

from ohlcv_factory.models._torch.layers import RecurrentEncoder
from ohlcv_factory.models._torch.settings import RecurrentConfig


class GRUConfig(RecurrentConfig):
    """Settings of the GRU."""


class GRUEncoder(RecurrentEncoder):
    """Gated recurrent units (Cho et al. 2014)."""

    def __init__(self, config: GRUConfig, features: int) -> None:
        super().__init__(nn.GRU, config, features)
