"""An encoder with the one head that all networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.models._torch.layers import Encoder

ALIGNED = 16
"""Codes are filled up with zeros to a multiple of so many numbers before the head's product. Rows of another length begin at
other places in memory, and then some CPUs' kernels give a row other bits elsewhere in a block."""


class Classifier(nn.Module):
    """Logits `(batch, classes)` from windows `(batch, lookback, features)`: encoder, dropout, one linear map."""

    def __init__(self, encoder: Encoder, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(encoder.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each window."""
        code: Tensor = self.dropout(self.encoder(x))
        missing = (0, -code.shape[1] % ALIGNED)
        weight = functional.pad(self.linear.weight, missing)
        return functional.linear(functional.pad(code, missing), weight, self.linear.bias)
