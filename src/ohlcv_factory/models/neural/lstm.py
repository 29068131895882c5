"""LSTM: a recurrent network that decides what to keep, and answers from its last state."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import RecurrentEncoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import RecurrentConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class LSTMConfig(RecurrentConfig):
    """Settings of the LSTM."""

    small: ClassVar[dict[str, Any]] = {"hidden_size": 64}


class LSTMEncoder(RecurrentEncoder):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

    def __init__(self, config: LSTMConfig, features: int) -> None:
        super().__init__(nn.LSTM, config, features)


@ModelRegistry.register()
class LSTM(TorchModel):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=60)
    Config = LSTMConfig
    gains_from_bf16 = True

    def build(self, features: int) -> LSTMEncoder:
        """The encoder of `features` columns."""
        return LSTMEncoder(self.config, features)
