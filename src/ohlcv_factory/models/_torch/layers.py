"""Blocks that several networks share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from ohlcv_factory.models._torch.settings import RecurrentConfig
from ohlcv_factory.models.explanation import Meaning

SLOW_RATE = 1e-3
"""Largest learning rate of an encoder's `slow` parameters (Gu et al. 2022)."""


class Encoder(nn.Module, ABC):
    """A network without its head: windows `(batch, lookback, features)` to `(batch, width)`.

    In evaluation a window's output does not depend on the other windows of its batch.
    """

    width: int
    """Length d of a window's code, the input of the head."""
    undecayed: ClassVar[tuple[str, ...]] = ()
    """Last parts of the names of parameters that take no weight decay."""
    slow: ClassVar[tuple[str, ...]] = ()
    """Last parts of the names of parameters that must not learn faster than `SLOW_RATE`."""
    meanings: Mapping[str, Meaning]
    """What the arrays of `explain` are, by name; for an encoder that can explain."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""

    def explain(self, x: Tensor) -> dict[str, Tensor]:
        """What the network can say about each window, by name, batch first; nothing for most networks."""
        return {}

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The encoder's parameters as groups of an optimizer, each with the step size and decay that it may have.

        A group with `rests_epochs` learns nothing for so many epochs.
        """
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            rate = min(learning_rate, SLOW_RATE) if name.endswith(self.slow) else learning_rate
            decay = 0.0 if name.endswith(self.undecayed) else weight_decay
            groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


class RecurrentEncoder(Encoder):
    """The last hidden state of the top layer; of both directions side by side where there are two."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], config: RecurrentConfig, features: int) -> None:
        super().__init__()
        between = config.dropout if config.num_layers > 1 else 0.0  # torch drops between layers only
        sizes = (features, config.hidden_size, config.num_layers)
        self.recurrent = cell(*sizes, batch_first=True, dropout=between, bidirectional=config.bidirectional)
        self.width = config.hidden_size * (2 if config.bidirectional else 1)

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        state = self.recurrent(x)[1]
        hidden = state[0] if isinstance(state, tuple) else state  # (layers * directions, batch, hidden)
        return torch.cat([hidden[-2], hidden[-1]], -1) if self.recurrent.bidirectional else hidden[-1]


class CausalConv1d(nn.Module):
    """A convolution with normalised weights that sees this step and earlier ones only: `(batch, channels, time)`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.convolution = weight_norm(nn.Conv1d(channels_in, channels_out, kernel, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        """The convolved series, of the same length."""
        return self.convolution(functional.pad(x, (self.past, 0)))


def moving_average(x: Tensor, kernel: int) -> Tensor:
    """Centred mean over `kernel` steps of `(batch, time, features)`, its ends repeated; an even kernel leans ahead."""
    ahead = kernel // 2
    padded = torch.cat([x[:, :1].expand(-1, kernel - 1 - ahead, -1), x, x[:, -1:].expand(-1, ahead, -1)], 1)
    return functional.avg_pool1d(padded.transpose(1, 2), kernel, 1).transpose(1, 2)


class ChannelLinear(nn.Module):
    """A linear map over time, one for all features or one for each: `(batch, time, features)` to `(batch, steps, features)`."""

    def __init__(self, time: int, steps: int, features: int, *, individual: bool) -> None:
        super().__init__()
        maps = (features,) if individual else ()
        bound = 1 / math.sqrt(time)
        self.weight = nn.Parameter(torch.empty(*maps, steps, time).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(*maps, steps).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """The mapped series; all features in one product, also when each has its own map."""
        if self.weight.dim() == 2:
            return functional.linear(x.transpose(1, 2), self.weight, self.bias).transpose(1, 2)
        by_feature = x.permute(2, 0, 1)  # (batch, time, feature) -> (feature, batch, time)
        mapped = torch.baddbmm(self.bias.unsqueeze(1), by_feature, self.weight.transpose(1, 2))
        return mapped.permute(1, 2, 0)


class SelfAttention(nn.Module):
    """Multi-head attention of every token to every token of `(batch, tokens, width)` (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens that the attention makes of `x`."""
        share = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(*self._projected(x), dropout_p=share)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def attention(self, x: Tensor) -> Tensor:
        """Attention of each token to each, `(batch, heads, tokens, tokens)`; rows sum to 1."""
        query, key, _ = self._projected(x)
        return torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]), -1)

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )  # (batch, token, width) -> (batch, head, token, width of a head)
        return query, key, value


def sinusoids(steps: int, width: int) -> Tensor:
    """The fixed position table `(steps, width)` of Vaswani et al. (2017): sines in even columns, cosines in odd ones."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(steps).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


class TokenBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of each unit of `(batch, tokens, width)` over batch and tokens."""

    def forward(self, x: Tensor) -> Tensor:
        """The normalised tokens."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class AttentionLayer(nn.Module):
    """Attention, then two linear maps with GELU, each beside its input and normalised before it or after the sum."""

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, *, norm: type[nn.Module], pre_norm: bool = False
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm_attention, self.norm_forward = norm(width), norm(width)
        self.dropout, self.pre_norm = nn.Dropout(dropout), pre_norm

    def forward(self, x: Tensor) -> Tensor:
        """The tokens after this layer, `(batch, tokens, width)`."""
        if self.pre_norm:
            x = x + self.dropout(self.attention(self.norm_attention(x)))
            return x + self._feed_forward(self.norm_forward(x))
        x = self.norm_attention(x + self.dropout(self.attention(x)))
        return self.norm_forward(x + self._feed_forward(x))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.narrow(self.dropout(functional.gelu(self.widen(x)))))
