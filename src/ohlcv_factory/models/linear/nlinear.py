"""NLinear: each feature relative to its last value, through one linear map over time."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import ChannelLinear, Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import LinearConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class NLinearConfig(LinearConfig):
    """Settings of NLinear."""


class NLinearEncoder(Encoder):
    """A linear map of the differences to the last value (Zeng et al. 2023).

    The code leaves the last value out, so a level added to the whole window changes nothing.
    """

    def __init__(self, config: NLinearConfig, features: int) -> None:
        super().__init__()
        self.linear = ChannelLinear(config.lookback, config.pred_len, features, individual=config.individual)
        self.width = config.pred_len * features

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.linear(x - x[:, -1:]).flatten(1)

    def outlook(self, x: Tensor) -> Tensor:
        """The paper's forecast of every feature, the last value added again: `(batch, pred_len, features)`."""
        return self.linear(x - x[:, -1:]) + x[:, -1:]


@ModelRegistry.register()
class NLinear(TorchModel):
    """A linear map of the differences to the last value (Zeng et al. 2023)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "ohlcv_returns", "standard", lookback=96)
    Config = NLinearConfig

    def build(self, features: int) -> NLinearEncoder:
        """The encoder of `features` columns."""
        return NLinearEncoder(self.config, features)
