"""TimesNet: folds each window by its own strongest periods and convolves it in two dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import Encoder, sinusoids
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

PAPER = "Wu et al. 2023, classification"
PIECE = 16
"""Windows per convolution in evaluation: torch chooses its kernel by their number, which must not be the neighbours'."""


class TimesNetConfig(NetworkConfig):
    """Settings of TimesNet."""

    small: ClassVar[dict[str, Any]] = {"d_model": 16, "d_ff": 16}

    lookback: int = figure("lookback", 128, source="specification of the transformers", search=Search(64, 256))
    batch_size: int = figure("batch_size", 16, source=PAPER)
    max_epochs: int = figure("max_epochs", 30, source=PAPER)
    learning_rate: float = figure("learning_rate", 1e-3, source=PAPER)
    early_stopping_patience: int = figure("early_stopping_patience", 10, source="specification of PatchTST")
    d_model: int = setting(
        32, "width of a bar's code", ge=1, search=Search(choices=(16, 32, 64)), source=f"{PAPER}: for up to 32 features"
    )
    d_ff: int = setting(32, "channels inside a block", ge=1, search=Search(choices=(16, 32, 64)), source=PAPER)
    e_layers: int = setting(2, "blocks", ge=1, search=Search(1, 3), source=PAPER)
    top_k: int = setting(3, "periods per window and block", ge=1, search=Search(1, 5), source=PAPER)
    num_kernels: int = setting(
        6, "square kernels of a convolution: 1, 3, 5, ...", ge=1, le=8, source="Time-Series-Library's default"
    )
    dropout: float = figure("dropout", 0.1, source="Time-Series-Library's default")


class TimesNetEncoder(Encoder):
    """Every bar's code after the blocks, flattened (Wu et al. 2023).

    The reference takes its periods from the mean over the batch, so that a prediction depends on its neighbours; here
    each window has its own.
    """

    def __init__(self, config: TimesNetConfig, features: int) -> None:
        super().__init__()
        self.embedding = nn.Conv1d(features, config.d_model, 3, padding=1, padding_mode="circular", bias=False)
        nn.init.kaiming_normal_(self.embedding.weight, mode="fan_in", nonlinearity="leaky_relu")
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(config.lookback, config.d_model), persistent=False)
        self.blocks = nn.ModuleList(TimesBlock(config) for _ in range(config.e_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.width = config.lookback * config.d_model

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return functional.gelu(self.tokens(x)).flatten(1)

    def tokens(self, x: Tensor) -> Tensor:
        """Every bar's code after the last block, `(batch, lookback, d_model)`."""
        code = self.dropout(self.embedding(x.transpose(1, 2)).transpose(1, 2) + self.positions)
        for block in self.blocks:
            code = self.norm(block(code))
        return code


class TimesBlock(nn.Module):
    """A window folded by each of its periods, convolved, unfolded, and averaged by the periods' amplitudes."""

    def __init__(self, config: TimesNetConfig) -> None:
        super().__init__()
        self.top_k = min(config.top_k, config.lookback // 2)
        self.widen = SquareConvolutions(config.d_model, config.d_ff, config.num_kernels)
        self.narrow = SquareConvolutions(config.d_ff, config.d_model, config.num_kernels)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, d_model)` to the same."""
        periods, weights = strongest_periods(x, self.top_k)
        slots = periods.flatten()  # (batch * top_k): one fold of one window
        order = slots.argsort(stable=True)
        lengths, counts = _distinct(slots)
        groups = x.repeat_interleave(self.top_k, 0)[order].split(counts)
        folded = torch.cat([self._alike(*group) for group in zip(groups, lengths, strict=True)])
        by_window = folded[order.argsort()].unflatten(0, (len(x), -1))
        return x + (by_window * weights[..., None, None]).sum(1)

    def _alike(self, x: Tensor, period: int) -> Tensor:
        """The convolutions of windows that share a period; in evaluation with the same bytes however many they are."""
        if self.training:
            return self._folded(x, period)
        pieces = functional.pad(x, (0, 0, 0, 0, 0, -len(x) % PIECE)).split(PIECE)
        return torch.cat([self._folded(piece, period) for piece in pieces])[: len(x)]

    def _folded(self, x: Tensor, period: int) -> Tensor:
        """Windows folded, convolved and unfolded; zeros after the last bar fill its row."""
        time = x.shape[1]
        rows = functional.pad(x.transpose(1, 2), (0, -time % period)).unflatten(-1, (-1, period))
        mixed = self.narrow(functional.gelu(self.widen(rows)))  # (batch, channel, period's number, bar within it)
        return mixed.flatten(-2)[..., :time].transpose(1, 2)


def _distinct(slots: Tensor) -> tuple[list[int], list[int]]:
    """The periods that occur, rising, and how often; on the meta device, which knows sizes only, one stands for all."""
    if slots.is_meta:
        return [1], [len(slots)]
    lengths, counts = slots.unique(return_counts=True)
    return lengths.tolist(), counts.tolist()


def strongest_periods(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Each window's `count` strongest periods in bars, and their weights, both `(batch, count)`.

    The amplitude of a frequency is the mean over the channels of `(batch, time, channels)`; the weights are the soft-max
    of the amplitudes, so that gradients reach them.
    """
    amplitudes = torch.fft.rfft(x, dim=1).abs().mean(-1)[:, 1:]
    strongest = amplitudes.topk(count, 1)
    return x.shape[1] // (strongest.indices + 1), strongest.values.softmax(1)


class SquareConvolutions(nn.Module):
    """The mean of convolutions with kernels of 1, 3, 5, … steps each way, done as the one convolution that it equals."""

    def __init__(self, channels_in: int, channels_out: int, kernels: int) -> None:
        super().__init__()
        sizes = [2 * i + 1 for i in range(kernels)]
        self.weights = nn.ParameterList(torch.empty(channels_out, channels_in, size, size) for size in sizes)
        for weight in self.weights:
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
        self.biases = nn.Parameter(torch.zeros(kernels, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, channels_in, rows, columns)` to `(batch, channels_out, rows, columns)`."""
        reach = len(self.weights) - 1
        widened = [functional.pad(weight, [reach - i] * 4) for i, weight in enumerate(self.weights)]
        merged = torch.stack(widened).mean(0)
        return functional.conv2d(x, merged, self.biases.mean(0), padding=reach)


@ModelRegistry.register()
class TimesNet(TorchModel):
    """Every bar's code after the blocks, flattened (Wu et al. 2023)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "transformer_raw", "standard", lookback=128)
    Config = TimesNetConfig
    shape_decides = False  # windows are convolved together with those of the same period

    def build(self, features: int) -> TimesNetEncoder:
        """The encoder of `features` columns."""
        return TimesNetEncoder(self.config, features)
