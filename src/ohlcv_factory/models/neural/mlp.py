"""MLP: fully connected layers over the flattened window, the plain network beside the others."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

PAPER = "Gorishniy et al. 2021"


class MLPConfig(NetworkConfig):
    """Settings of the MLP."""

    hidden_size: int = setting(384, "units of each layer", ge=1, search=Search(64, 512, log=True), source=PAPER)
    num_layers: int = setting(2, "hidden layers", ge=1, le=16, search=Search(1, 4), source=PAPER)
    dropout: float = figure("dropout", 0.1, source=PAPER)


class MLPEncoder(Encoder):
    """Linear, ReLU and dropout, repeated (the MLP of Gorishniy et al. 2021, without its last layer)."""

    def __init__(self, config: MLPConfig, features: int) -> None:
        super().__init__()
        self.width = config.hidden_size
        widths = [config.lookback * features] + [self.width] * config.num_layers
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        code = x.flatten(1)
        for layer in self.layers:
            code = self.dropout(layer(code).relu())
        return code


@ModelRegistry.register()
class MLP(TorchModel):
    """Linear, ReLU and dropout, repeated (the MLP of Gorishniy et al. 2021, without its last layer)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=60)
    Config = MLPConfig

    def build(self, features: int) -> MLPEncoder:
        """The encoder of `features` columns."""
        return MLPEncoder(self.config, features)
