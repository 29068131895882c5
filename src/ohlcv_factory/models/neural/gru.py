"""GRU: a recurrent network with two gates, lighter than the LSTM."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import RecurrentEncoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class GRUConfig(NetworkConfig):
    """Settings of the GRU."""

    hidden_size: int = setting(
        128, "width of each layer's state", ge=1, search=Search(32, 256, log=True), source=SPECIFICATION
    )
    num_layers: int = setting(2, "recurrent layers", ge=1, le=8, search=Search(1, 3), source=SPECIFICATION)
    bidirectional: bool = setting(
        False, "also read each window from its last bar back", source="specification of the LSTM"
    )


class GRUEncoder(RecurrentEncoder):
    """Gated recurrent units (Cho et al. 2014)."""

    def __init__(self, config: GRUConfig, features: int) -> None:
        super().__init__(
            nn.GRU(
                features,
                config.hidden_size,
                config.num_layers,
                batch_first=True,
                dropout=config.dropout if config.num_layers > 1 else 0.0,  # torch drops between layers only
                bidirectional=config.bidirectional,
            )
        )


@ModelRegistry.register()
class GRU(TorchModel):
    """Gated recurrent units (Cho et al. 2014): the last state of the top layer, classified."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=60)
    Config = GRUConfig
    gains_from_bf16 = True

    def build(self, features: int) -> GRUEncoder:
        """The encoder."""
        return GRUEncoder(self.config, features)
