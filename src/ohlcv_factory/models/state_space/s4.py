"""S4: diagonal state spaces, run over the window as one long convolution."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.scan import causal_convolution
from ohlcv_factory.models._torch.settings import NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

REFERENCE = "state-spaces/s4, example.py"
FIRST_STEPS = (1e-3, 0.1)
"""Range of the first step sizes (Gu et al. 2022)."""


class S4Config(NetworkConfig):
    """Settings of S4."""

    small: ClassVar[dict[str, Any]] = {"d_model": 64, "d_state": 32, "n_layers": 2}

    lookback: int = figure("lookback", 256, source="specification of Mamba", search=Search(128, 512))
    batch_size: int = figure("batch_size", 64, source=REFERENCE)
    learning_rate: float = figure("learning_rate", 0.01, source=REFERENCE, search=Search(1e-3, 1e-2, log=True))
    weight_decay: float = figure("weight_decay", 0.01, source=REFERENCE)
    d_model: int = setting(
        128, "width between the blocks", ge=1, search=Search(choices=(64, 128, 256)), source=REFERENCE
    )
    d_state: Annotated[int, Field(multiple_of=2)] = setting(
        64, "states per channel, in conjugate pairs", ge=2, search=Search(choices=(16, 32, 64)), source="S4D, s4d.py"
    )
    n_layers: int = setting(4, "blocks", ge=1, search=Search(2, 6), source=REFERENCE)
    dropout: float = figure("dropout", 0.1, source=REFERENCE, search=Search(0.0, 0.3))


class S4Encoder(Encoder):
    """The last step of a stack of diagonal state space blocks (S4D; Gu, Gupta, Goel & Ré 2022)."""

    undecayed: ClassVar[tuple[str, ...]] = ("log_dt", "log_A_real", "A_imag")
    slow: ClassVar[tuple[str, ...]] = undecayed

    def __init__(self, config: S4Config, features: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(features, config.d_model)
        self.layers = nn.ModuleList(_Residual(config) for _ in range(config.n_layers))
        self.width = config.d_model

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.sequence(x)[:, -1]

    def sequence(self, x: Tensor) -> Tensor:
        """The code of every bar from it and earlier bars, `(batch, lookback, width)`."""
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return x


class _Residual(nn.Module):
    def __init__(self, config: S4Config) -> None:
        super().__init__()
        self.block = S4DBlock(config.d_model, config.d_state, config.dropout)
        self.norm, self.dropout = nn.LayerNorm(config.d_model), nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.dropout(self.block(x)))


class S4DBlock(nn.Module):
    """One state space per channel as a convolution, then GELU and a gated linear map across the channels."""

    def __init__(self, width: int, state: int, dropout: float) -> None:
        super().__init__()
        self.kernel = S4DKernel(width, state)
        self.D = nn.Parameter(torch.randn(width))
        self.dropout = nn.Dropout(dropout)
        self.output_linear = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, time, width)` to the same, no step from a later one."""
        u = x.transpose(1, 2)
        y = causal_convolution(u, self.kernel(u.shape[-1])) + u * self.D.unsqueeze(-1)
        return functional.glu(self.output_linear(self.dropout(functional.gelu(y)).transpose(1, 2)))


class S4DKernel(nn.Module):
    """The response of every channel to one impulse, `(width, steps)`, in real numbers only.

    A complex pole a = (-exp(log_A_real) + i A_imag) dt answers l steps later with 2 Re(c (exp(a) - 1) / A exp(a l));
    autocast, compilation and export know no complex tensors. The first poles are those of S4D-Lin.
    """

    def __init__(self, width: int, state: int) -> None:
        super().__init__()
        low, high = FIRST_STEPS
        self.log_dt = nn.Parameter(torch.empty(width).uniform_(math.log(low), math.log(high)))
        self.C = nn.Parameter(torch.randn(width, state // 2, 2) * 0.5**0.5)
        self.log_A_real = nn.Parameter(torch.full((width, state // 2), math.log(0.5)))
        self.A_imag = nn.Parameter(math.pi * torch.arange(state // 2).float().repeat(width, 1))

    def forward(self, steps: int) -> Tensor:
        """The first `steps` values."""
        step, real, imag = self.log_dt.exp().unsqueeze(-1), -self.log_A_real.exp(), self.A_imag
        shrink, turn = (step * real).unsqueeze(-1), (step * imag).unsqueeze(-1)  # (width, pole, 1)
        c_real, c_imag = self._discrete(shrink.squeeze(-1), turn.squeeze(-1), real, imag)
        lags = torch.arange(steps, device=step.device)
        size, angle = (shrink * lags).exp(), turn * lags  # (width, pole, steps)
        return 2 * (size * (c_real.unsqueeze(-1) * angle.cos() - c_imag.unsqueeze(-1) * angle.sin())).sum(1)

    def _discrete(self, shrink: Tensor, turn: Tensor, real: Tensor, imag: Tensor) -> tuple[Tensor, Tensor]:
        """C (exp(a) - 1) / A, real and imaginary part, each `(width, pole)`."""
        grow_real, grow_imag = shrink.exp() * turn.cos() - 1, shrink.exp() * turn.sin()
        norm = real.square() + imag.square()
        share_real = (grow_real * real + grow_imag * imag) / norm
        share_imag = (grow_imag * real - grow_real * imag) / norm
        c_real, c_imag = self.C.unbind(-1)
        return c_real * share_real - c_imag * share_imag, c_real * share_imag + c_imag * share_real


@ModelRegistry.register()
class S4(TorchModel):
    """The last step of a stack of diagonal state space blocks (S4D; Gu, Gupta, Goel & Ré 2022)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "standard", lookback=256)
    Config = S4Config

    def build(self, features: int) -> S4Encoder:
        """The encoder of `features` columns."""
        return S4Encoder(self.config, features)
