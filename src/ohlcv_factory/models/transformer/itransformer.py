"""iTransformer: each feature's whole window is one token, and attention runs over the features."""

from __future__ import annotations

from typing import Any, ClassVar, Self, cast

import torch
from pydantic import model_validator
from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.layers import AttentionLayer, Encoder
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure, refuse_uneven_heads
from ohlcv_factory.models.explanation import Meaning
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")


class ITransformerConfig(NetworkConfig):
    """Settings of the iTransformer."""

    small: ClassVar[dict[str, Any]] = {"d_model": 128, "d_ff": 256, "e_layers": 2}

    lookback: int = figure("lookback", 96, search=Search(48, 192))
    batch_size: int = figure("batch_size", 32)
    max_epochs: int = figure("max_epochs", 50)
    learning_rate: float = figure("learning_rate", 1e-4, search=Search(1e-5, 1e-3, log=True))
    early_stopping_patience: int = figure("early_stopping_patience", 10)
    warmup_epochs: int = figure("warmup_epochs", 3)
    d_model: int = setting(
        256, "width of a feature's token", ge=1, search=Search(choices=(128, 256, 512)), source=SPECIFICATION
    )
    n_heads: int = setting(8, "attention heads", ge=1, search=Search(choices=(4, 8, 16)), source=SPECIFICATION)
    e_layers: int = setting(3, "attention layers", ge=1, search=Search(2, 4), source=SPECIFICATION)
    d_ff: int = setting(
        512, "width between a layer's two linear maps", ge=1, search=Search(256, 1024), source=SPECIFICATION
    )
    dropout: float = figure("dropout", 0.1, search=Search(0.1, 0.3))

    refused: ClassVar[dict[str, str]] = {
        **NetworkConfig.refused,
        "pred_len": "the classifier reads the tokens, not a forecast of every feature",
        "embed_type": "calendar columns are features like the others",
        "freq": "calendar columns are features like the others",
        "activation": "always GELU",
    }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        refuse_uneven_heads(self.d_model, self.n_heads)
        return self


class ITransformerEncoder(Encoder):
    """The mean over the features' tokens after attention among them (Liu et al. 2024).

    Each feature has a learned name that is added to its token: attention and mean treat all features alike, so without
    it the network could not tell which of two features it reads. The paper's forecaster needs none.
    """

    def __init__(self, config: ITransformerConfig, features: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(config.lookback, config.d_model)
        self.names = nn.Parameter(torch.randn(features, config.d_model) / config.d_model**0.5)
        sizes = (config.d_model, config.n_heads, config.d_ff, config.dropout)
        self.layers = nn.ModuleList(AttentionLayer(*sizes, norm=nn.LayerNorm) for _ in range(config.e_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.width = config.d_model
        self.meanings = {"attention": Meaning("weights", ("layer", "feature", "seen feature"))}

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        return self.tokens(x).mean(1)

    def tokens(self, x: Tensor) -> Tensor:
        """The token of every feature after the last layer, `(batch, features, d_model)`."""
        tokens = self._embedded(x)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens)

    def explain(self, x: Tensor) -> dict[str, Tensor]:
        """`attention` of each feature to each, mean over heads: `(batch, layers, features, features)`."""
        tokens, seen = self._embedded(x), []
        for layer in cast("list[AttentionLayer]", self.layers):
            seen.append(layer.attention.attention(tokens).mean(1))
            tokens = layer(tokens)
        return {"attention": torch.stack(seen, 1)}

    def _embedded(self, x: Tensor) -> Tensor:
        return self.dropout(self.embedding(x.transpose(1, 2)) + self.names)


@ModelRegistry.register()
class ITransformer(TorchModel):
    """The mean over the features' tokens after attention among them (Liu et al. 2024)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "itransformer_optimal", "standard", lookback=96)
    Config = ITransformerConfig

    def build(self, features: int) -> ITransformerEncoder:
        """The encoder of `features` columns."""
        return ITransformerEncoder(self.config, features)
