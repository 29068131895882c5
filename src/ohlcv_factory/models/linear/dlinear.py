"""DLinear: trend and remainder of each feature, each through one linear map over time."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import ChannelLinear, Encoder, moving_average
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, LinearConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class DLinearConfig(LinearConfig):
    """Settings of DLinear."""

    kernel_size: int = setting(
        25, "bars of the centred mean that is the trend", ge=1, search=Search(13, 25), source=SPECIFICATION
    )


class DLinearEncoder(Encoder):
    """Decomposition and linear maps (Zeng et al. 2023); the code is every feature's linear outlook, flattened."""

    def __init__(self, config: DLinearConfig, features: int) -> None:
        super().__init__()
        self.kernel = config.kernel_size
        self.seasonal, self.trend = (
            ChannelLinear(config.lookback, config.pred_len, features, individual=config.individual) for _ in range(2)
        )
        self.width = config.pred_len * features

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.outlook(x).flatten(1)

    def outlook(self, x: Tensor) -> Tensor:
        """The paper's forecast of every feature, `(batch, pred_len, features)`."""
        trend = moving_average(x, self.kernel)
        return self.seasonal(x - trend) + self.trend(trend)


@ModelRegistry.register()
class DLinear(TorchModel):
    """Decomposition and linear maps (Zeng et al. 2023); the code is every feature's linear outlook, flattened."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "ohlcv_returns", "standard", lookback=96)
    Config = DLinearConfig

    def build(self, features: int) -> DLinearEncoder:
        """The encoder of `features` columns."""
        return DLinearEncoder(self.config, features)
