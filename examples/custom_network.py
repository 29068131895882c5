"""A network of one's own in a file: `--plugin examples/custom_network.py --model bar_attention` trains it.

Each head gives every bar of the window a weight; the code is the heads' weighted means beside the newest bar. The network
says which bars it looked at, and a run keeps that and draws it in its report. Run as a script it trains on synthetic bars.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ohlcv_factory import InputSpec, ModelRegistry, TimeSeriesDataContainer, Trainer, TrainerConfig
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.config import Search, setting
from ohlcv_factory.models.networks import Encoder, Meaning, NetworkConfig, TorchModel, figure


class BarAttentionConfig(NetworkConfig):
    """Settings beside those of every network."""

    hidden_size: int = setting(64, "units per bar", ge=1, search=Search(16, 128, log=True))
    heads: int = setting(2, "weights per bar", ge=1, le=16, search=Search(1, 4))
    dropout: float = figure("dropout", 0.1)

    small: ClassVar[dict[str, Any]] = {"hidden_size": 32}


class BarAttentionEncoder(Encoder):
    """Attention pooling over the bars of a window (Lin et al. 2017)."""

    def __init__(self, config: BarAttentionConfig, features: int) -> None:
        super().__init__()
        self.bars = nn.Sequential(nn.Linear(features, config.hidden_size), nn.ReLU(), nn.Dropout(config.dropout))
        self.scores = nn.Linear(config.hidden_size, config.heads)
        self.width = (config.heads + 1) * config.hidden_size
        self.meanings = {"attention": Meaning("weights", ("head", "bar"))}

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        bars = self.bars(x)
        means = self._attention(bars) @ bars  # (batch, head, unit)
        return torch.cat([bars[:, -1], means.flatten(1)], dim=1)

    def explain(self, x: Tensor) -> dict[str, Tensor]:
        """The weight that each head gives each bar, `attention (batch, heads, lookback)`."""
        return {"attention": self._attention(self.bars(x))}

    def _attention(self, bars: Tensor) -> Tensor:
        return self.scores(bars).transpose(1, 2).softmax(-1)  # (batch, bar, head) -> (batch, head, bar)


@ModelRegistry.register("bar_attention", family="custom")
class BarAttention(TorchModel):
    """Attention pooling over the bars of a window (Lin et al. 2017)."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "neural_optimal", "robust", lookback=60)
    Config = BarAttentionConfig

    def build(self, features: int) -> BarAttentionEncoder:
        """The encoder of `features` columns."""
        return BarAttentionEncoder(self.config, features)


def main() -> None:
    """Train two short epochs on synthetic bars with a faint planted signal, and say where the report's picture comes from."""
    container = TimeSeriesDataContainer.from_bars(random_walk(4000, seed=7, bar_seconds=3600, beta=0.2), horizon=20)
    small = {"lookback": 16, "max_epochs": 2, "hidden_size": 16}
    result = Trainer(TrainerConfig(model_name="bar_attention", horizon=20, model=small)).run(container)
    print(result.evaluation["verdict"]["words"], result.path / "metrics" / "explanation.npz", sep="\n")


if __name__ == "__main__":
    main()
