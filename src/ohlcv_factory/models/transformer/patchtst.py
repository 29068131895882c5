"""PatchTST: each feature's window cut into patches, attention over the patches, the same weights for all features."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import AttentionLayer, Encoder, TokenBatchNorm
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure, refuse_uneven_heads
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

PAPER = "Nie et al. 2023"
SMALLEST_VARIANCE = 1e-5


class PatchTSTConfig(NetworkConfig):
    """Settings of PatchTST."""

    small: ClassVar[dict[str, Any]] = {"d_model": 64, "n_heads": 4, "d_ff": 128, "n_layers": 2}

    lookback: int = figure("lookback", 128, search=Search(64, 256))
    batch_size: int = figure("batch_size", 128)
    max_epochs: int = figure("max_epochs", 50)
    learning_rate: float = figure("learning_rate", 1e-4, search=Search(1e-5, 1e-3, log=True))
    weight_decay: float = figure("weight_decay", 0.01)
    early_stopping_patience: int = figure("early_stopping_patience", 10)
    warmup_epochs: int = figure("warmup_epochs", 5, source="specification: warmup_ratio 0.1 of 50 epochs")
    d_model: int = setting(
        128, "width of a patch's code", ge=1, search=Search(choices=(64, 128, 256)), source=SPECIFICATION
    )
    n_heads: int = setting(8, "attention heads", ge=1, search=Search(choices=(4, 8, 16)), source=SPECIFICATION)
    n_layers: int = setting(3, "attention layers", ge=1, search=Search(2, 4), source=SPECIFICATION)
    d_ff: int = setting(
        256, "width between a layer's two linear maps", ge=1, search=Search(128, 512), source=SPECIFICATION
    )
    dropout: float = figure("dropout", 0.2)
    patch_size: int = setting(16, "bars per patch", ge=1, search=Search(choices=(8, 16, 32)), source=SPECIFICATION)
    stride: int = setting(
        8, "bars from one patch to the next", ge=1, search=Search(choices=(4, 8)), source=SPECIFICATION
    )
    scaling: Literal["std", "none"] = setting(
        "std", "std: scale each window by its own mean and deviation, which then join the code", source=PAPER
    )
    pre_norm: bool = setting(False, "normalise before each part of a layer instead of after it", source=PAPER)

    refused: ClassVar[dict[str, str]] = {**NetworkConfig.refused, "warmup_ratio": "write warmup_epochs"}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        refuse_uneven_heads(self.d_model, self.n_heads)
        if not self.stride <= self.patch_size <= self.lookback:
            raise ValueError(
                f"stride <= patch_size <= lookback, got {self.stride}, {self.patch_size} and {self.lookback}: "
                "else bars would fall between the patches"
            )
        return self


class PatchTSTEncoder(Encoder):
    """The mean of each feature's patch codes, features side by side (Nie et al. 2023).

    Where patches do not fit the window, its oldest bars are left out. With `scaling="std"` each feature's mean and the
    logarithm of its deviation follow the codes, as the patches no longer know level and volatility.
    """

    def __init__(self, config: PatchTSTConfig, features: int) -> None:
        super().__init__()
        self.patch, self.stride, self.scaled = config.patch_size, config.stride, config.scaling == "std"
        self.embedding = nn.Linear(config.patch_size, config.d_model)
        patches = (config.lookback - config.patch_size) // config.stride + 1
        self.positions = nn.Parameter(torch.empty(patches, config.d_model).uniform_(-0.02, 0.02))
        sizes = (config.d_model, config.n_heads, config.d_ff, config.dropout)
        self.layers = nn.ModuleList(
            AttentionLayer(*sizes, norm=TokenBatchNorm, pre_norm=config.pre_norm) for _ in range(config.n_layers)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.width = features * (config.d_model + (2 if self.scaled else 0))

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        patches, location, scale = self.patches(x)
        pooled = self.tokens(patches).mean(2).flatten(1)
        return torch.cat([pooled, location, scale.log()], 1) if self.scaled else pooled

    def patches(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Patches `(batch, features, patches, patch_size)`, and the mean and deviation taken out, `(batch, features)`."""
        location, scale = torch.zeros_like(x[:, 0]), torch.ones_like(x[:, 0])
        if self.scaled:
            variance, location = torch.var_mean(x, 1, correction=0)
            scale = (variance + SMALLEST_VARIANCE).sqrt()
            x = (x - location.unsqueeze(1)) / scale.unsqueeze(1)
        surplus = (x.shape[1] - self.patch) % self.stride
        return x[:, surplus:].transpose(1, 2).unfold(-1, self.patch, self.stride), location, scale

    def tokens(self, patches: Tensor) -> Tensor:
        """The code of every patch, `(batch, features, patches, d_model)`."""
        tokens = self.dropout(self.embedding(patches) + self.positions)
        code = tokens.flatten(0, 1)  # features are windows of their own: (batch * feature, patch, d_model)
        for layer in self.layers:
            code = layer(code)
        return code.unflatten(0, tokens.shape[:2])


@ModelRegistry.register()
class PatchTST(TorchModel):
    """The mean of each feature's patch codes, features side by side (Nie et al. 2023)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "transformer_raw", "standard", lookback=128)
    Config = PatchTSTConfig

    def build(self, features: int) -> PatchTSTEncoder:
        """The encoder of `features` columns."""
        return PatchTSTEncoder(self.config, features)
