"""What stands before the shared head: a backbone's codes with what its normalisation took away, all normalised."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from ohlcv_factory.models._foundation.backbone import STATES, Backbone, log_closes, market_state
from ohlcv_factory.models._torch.layers import Encoder


class RowNorm(nn.BatchNorm1d):
    """Batch normalisation of `(rows, features)`; its statistics are means over all training batches so far."""

    def __init__(self, features: int) -> None:
        super().__init__(features, momentum=None)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised rows; a single row, which has no spread, is normalised as in a prediction."""
        if len(x) > 1 or not self.training:
            return super().forward(x)
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class CodeEncoder(Encoder):
    """Normalises codes that were computed before: `(batch, 1, features)` to `(batch, features)`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width, self.norm = features, RowNorm(features)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised code of each row, `(batch, features)`."""
        return self.norm(x[:, 0])


class BackboneEncoder(Encoder):
    """A backbone that is fine-tuned: bars `(batch, bars, columns)` to `(batch, width of a code + STATES)`.

    Its own dropout stays off: it rests for `freeze_epochs`, then learns with small steps at its own rate.
    """

    def __init__(self, backbone: Backbone, learning_rate: float, freeze_epochs: int) -> None:
        super().__init__()
        self.backbone, self.learning_rate, self.freeze_epochs = backbone, learning_rate, freeze_epochs
        self.width = backbone.shape.width + STATES
        self.norm = RowNorm(self.width)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised code of each window, `(batch, width)`."""
        return self.norm(codes(self.backbone, x))

    def train(self, mode: bool = True) -> Self:
        """Training, for all but the backbone's dropout."""
        super().train(mode)
        self.backbone.eval()
        return self

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The backbone with its own step size, at rest for its first epochs; the normalisation is the head's."""
        group = {"params": list(self.backbone.parameters()), "lr": self.learning_rate, "weight_decay": weight_decay}
        return [{**group, "rests_epochs": self.freeze_epochs}]


def codes(backbone: Backbone, bars: Tensor) -> Tensor:
    """The backbone's code and the market state of each window, `(batch, width of a code + STATES)`; differentiable."""
    with torch.no_grad():
        state = market_state(log_closes(backbone.close(bars)))
    return torch.cat([backbone.embed(bars), state], 1)
