"""GRU: a recurrent network with two gates, lighter than the LSTM."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import RecurrentEncoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import RecurrentConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class GRUConfig(RecurrentConfig):
    """Settings of the GRU."""

    small: ClassVar[dict[str, Any]] = {"hidden_size": 64}


class GRUEncoder(RecurrentEncoder):
    """Gated recurrent units (Cho et al. 2014)."""

    def __init__(self, config: GRUConfig, features: int) -> None:
        super().__init__(nn.GRU, config, features)


@ModelRegistry.register()
class GRU(TorchModel):
    """Gated recurrent units (Cho et al. 2014)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=60)
    Config = GRUConfig
    gains_from_bf16 = True

    def build(self, features: int) -> GRUEncoder:
        """The encoder of `features` columns."""
        return GRUEncoder(self.config, features)
