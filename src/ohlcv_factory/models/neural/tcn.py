"""TCN: causal convolutions whose steps widen from level to level until they cover the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import CausalConv1d, Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class TCNConfig(NetworkConfig):
    """Settings of the temporal convolutional network."""

    lookback: int = figure("lookback", 120, search=Search(60, 240))
    num_channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = setting(
        (64, 64, 64, 64),
        "width of each level; more levels of the last width follow until the window is covered",
        search=Search(choices=((32,) * 4, (64,) * 4, (128,) * 4)),
        source=SPECIFICATION,
    )
    kernel_size: int = setting(
        3, "steps that a convolution reads", ge=2, le=7, search=Search(2, 7), source=SPECIFICATION
    )
    dilation_base: int = setting(2, "growth of the distance between these steps", ge=2, le=4, source=SPECIFICATION)
    dropout: float = figure("dropout", 0.2, search=Search(0.1, 0.4))


class TCNEncoder(Encoder):
    """The last step of a temporal convolutional network (Bai, Kolter & Koltun 2018) that sees the whole window."""

    def __init__(self, config: TCNConfig, features: int) -> None:
        super().__init__()
        growth = (config.kernel_size, config.dilation_base)
        channels = covering_channels(config.num_channels, *growth, config.lookback)
        self.body = CausalConvolutions(features, channels, *growth, config.dropout)
        self.width = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.sequence(x)[:, -1]

    def sequence(self, x: Tensor) -> Tensor:
        """The code of every bar from it and earlier bars, `(batch, lookback, width)`."""
        return self.body(x.transpose(1, 2)).transpose(1, 2)


def receptive_field(levels: int, kernel: int, base: int) -> int:
    """Bars that the last step sees: each level has two convolutions of `kernel` steps, `base ** level` apart."""
    return 1 + 2 * (kernel - 1) * sum(base**level for level in range(levels))


def covering_channels(channels: Sequence[int], kernel: int, base: int, lookback: int) -> tuple[int, ...]:
    """The levels' widths with the last one repeated until the receptive field covers the window."""
    widths = tuple(channels)
    while receptive_field(len(widths), kernel, base) < lookback:
        widths += widths[-1:]
    return widths


class CausalConvolutions(nn.Module):
    """The levels in turn, `(batch, features, time)` to `(batch, channels[-1], time)`."""

    def __init__(self, features: int, channels: Sequence[int], kernel: int, base: int, dropout: float) -> None:
        super().__init__()
        pairs = zip((features, *channels), channels, strict=False)
        self.levels = nn.ModuleList(_Level(*pair, kernel, base**i, dropout) for i, pair in enumerate(pairs))

    def forward(self, x: Tensor) -> Tensor:
        """Every step's channels, from it and earlier steps."""
        for level in self.levels:
            x = level(x)
        return x


class _Level(nn.Module):
    """Two causal convolutions beside the input itself, which a 1x1 convolution widens where it must."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = CausalConv1d(channels_in, channels_out, kernel, dilation)
        self.second = CausalConv1d(channels_out, channels_out, kernel, dilation)
        self.shortcut = nn.Identity() if channels_in == channels_out else nn.Conv1d(channels_in, channels_out, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.dropout(self.first(x).relu())
        inner = self.dropout(self.second(inner).relu())
        return (inner + self.shortcut(x)).relu()


@ModelRegistry.register()
class TCN(TorchModel):
    """The last step of a temporal convolutional network (Bai, Kolter & Koltun 2018) that sees the whole window."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=120)
    Config = TCNConfig
    gains_from_bf16 = True

    def build(self, features: int) -> TCNEncoder:
        """The encoder of `features` columns."""
        return TCNEncoder(self.config, features)
