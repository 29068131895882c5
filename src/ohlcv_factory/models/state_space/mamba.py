"""Mamba: a state space model that chooses from each bar what to remember; linear in the length of the window."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.scan import head_scan, selective_scan
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

HEAD_WIDTH = 64
"""Channels that share one decay in Mamba-2, as in its reference."""
NORM_EPS = 1e-5
FIRST_STEPS = (1e-3, 0.1)
"""Range of the first step sizes (Gu & Dao 2023)."""


class MambaConfig(NetworkConfig):
    """Settings of Mamba."""

    small: ClassVar[dict[str, Any]] = {"d_model": 64, "n_layers": 2}

    lookback: int = figure("lookback", 256, search=Search(128, 1024, log=True))
    batch_size: int = figure("batch_size", 64)
    max_epochs: int = figure("max_epochs", 50)
    learning_rate: float = figure("learning_rate", 1e-4, search=Search(1e-5, 1e-2, log=True))
    weight_decay: float = figure("weight_decay", 0.01)
    early_stopping_patience: int = figure("early_stopping_patience", 10)
    variant: Literal["mamba", "mamba2"] = setting(
        "mamba", "mamba2: one decay per 64 channels, a matrix product per chunk; cheaper", source="Dao & Gu 2024"
    )
    d_model: int = setting(
        256, "width between the blocks", ge=1, search=Search(choices=(128, 256, 512)), source=SPECIFICATION
    )
    d_state: int = setting(16, "states per channel", ge=1, search=Search(16, 64), source=SPECIFICATION)
    d_conv: int = setting(
        4, "bars of the convolution before the scan", ge=2, le=8, search=Search(2, 8), source=SPECIFICATION
    )
    expand: int = setting(
        2, "growth of the width inside a block", ge=1, le=8, search=Search(2, 4), source=SPECIFICATION
    )
    n_layers: int = setting(6, "blocks", ge=1, search=Search(4, 12), source=SPECIFICATION)
    dropout: float = figure("dropout", 0.1, search=Search(0.0, 0.2))

    refused: ClassVar[dict[str, str]] = {
        **NetworkConfig.refused,
        "pred_len": "the classifier reads the last state, not a forecast",
    }


class MambaEncoder(Encoder):
    """The last step of a stack of Mamba blocks (Gu & Dao 2023), or of Mamba-2 blocks (Dao & Gu 2024)."""

    undecayed: ClassVar[tuple[str, ...]] = ("A_log", "D", "dt_bias", "dt_proj.bias")

    def __init__(self, config: MambaConfig, features: int) -> None:
        super().__init__()
        mixer = MambaMixer if config.variant == "mamba" else Mamba2Mixer
        sizes = (config.d_model, config.d_state, config.d_conv, config.expand)
        self.embedding = nn.Linear(features, config.d_model)
        self.layers = nn.ModuleList(_Residual(mixer(*sizes), config) for _ in range(config.n_layers))
        self.norm_f = nn.RMSNorm(config.d_model, eps=NORM_EPS)
        self.width = config.d_model

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.sequence(x)[:, -1]

    def sequence(self, x: Tensor) -> Tensor:
        """The code of every bar from it and earlier bars, `(batch, lookback, width)`."""
        return self.stack(self.embedding(x))

    def stack(self, x: Tensor) -> Tensor:
        """The blocks and the last norm over `(batch, lookback, width)`."""
        for layer in self.layers:
            x = layer(x)
        return self.norm_f(x)


class _Residual(nn.Module):
    def __init__(self, mixer: nn.Module, config: MambaConfig) -> None:
        super().__init__()
        self.norm, self.mixer = nn.RMSNorm(config.d_model, eps=NORM_EPS), mixer
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.mixer(self.norm(x)))


class MambaMixer(nn.Module):
    """One block: a short causal convolution, the selective scan, and a gate; names as in mamba_ssm."""

    def __init__(self, width: int, state: int, kernel: int, expand: int, rank: int | None = None) -> None:
        super().__init__()
        inner, rank = width * expand, rank or math.ceil(width / 16)
        self.sizes = [rank, state, state]
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, kernel, groups=inner)
        self.x_proj = nn.Linear(inner, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        nn.init.uniform_(self.dt_proj.weight, -(rank**-0.5), rank**-0.5)
        self.dt_proj.bias = nn.Parameter(_first_steps(inner))
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, width)` to the same, no step from a later one."""
        u, gate = self.in_proj(x).chunk(2, -1)
        u = _short_convolution(self.conv1d, u)
        step, B, C = torch.split(self.x_proj(u), self.sizes, -1)
        step = functional.softplus(self.dt_proj(step))
        y = selective_scan(u, step, -self.A_log.exp(), B, C) + u * self.D
        return self.out_proj(y * functional.silu(gate))


class Mamba2Mixer(nn.Module):
    """One block of Mamba-2: the scan's inputs come from one map, one decay per head, a gated norm behind the scan."""

    def __init__(self, width: int, state: int, kernel: int, expand: int) -> None:
        super().__init__()
        inner = width * expand
        self.head_width = math.gcd(inner, HEAD_WIDTH)
        heads = inner // self.head_width
        self.sizes = [inner, inner + 2 * state, heads]
        self.in_proj = nn.Linear(width, sum(self.sizes), bias=False)
        self.conv1d = nn.Conv1d(inner + 2 * state, inner + 2 * state, kernel, groups=inner + 2 * state)
        self.dt_bias = nn.Parameter(_first_steps(heads))
        self.A_log = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = nn.RMSNorm(inner, eps=NORM_EPS)
        self.out_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, width)` to the same, no step from a later one."""
        inner, mixed, _ = self.sizes
        state = (mixed - inner) // 2
        gate, u, step = torch.split(self.in_proj(x), self.sizes, -1)
        u, B, C = torch.split(_short_convolution(self.conv1d, u), [inner, state, state], -1)
        u = u.unflatten(-1, (-1, self.head_width))  # (batch, time, head, width of a head)
        step = functional.softplus(step + self.dt_bias)
        y = head_scan(u, step, -self.A_log.exp(), B, C) + u * self.D.unsqueeze(-1)
        return self.out_proj(self.norm(y.flatten(2) * functional.silu(gate)))


def _short_convolution(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A causal convolution of `(batch, time, channels)` and its SiLU."""
    past = convolution.kernel_size[0] - 1
    return functional.silu(convolution(functional.pad(x.transpose(1, 2), (past, 0)))).transpose(1, 2)


def _first_steps(count: int) -> Tensor:
    """Biases whose softplus are step sizes drawn evenly in their logarithm."""
    low, high = FIRST_STEPS
    steps = torch.empty(count).uniform_(math.log(low), math.log(high)).exp()
    return steps + torch.log(-torch.expm1(-steps))  # the inverse of softplus


@ModelRegistry.register()
class Mamba(TorchModel):
    """The last step of a stack of Mamba blocks (Gu & Dao 2023), or of Mamba-2 blocks (Dao & Gu 2024)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "standard", lookback=256)
    Config = MambaConfig

    def build(self, features: int) -> MambaEncoder:
        """The encoder of `features` columns."""
        return MambaEncoder(self.config, features)
