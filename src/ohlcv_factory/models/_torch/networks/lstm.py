"""LSTM: a recurrent network that decides what to keep, and answers from its last state."""

from __future__ import annotations

from torch import nn

from ohlcv_factory.models._torch.layers import RecurrentEncoder
from ohlcv_factory.models._torch.settings import RecurrentConfig


class LSTMConfig(RecurrentConfig):
    """Settings of the LSTM."""


class LSTMEncoder(RecurrentEncoder):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

    def __init__(self, config: LSTMConfig, features: int) -> None:
        super().__init__(nn.LSTM, config, features)
