"""An encoder with the one head that all networks share."""

from __future__ import annotations

from torch import Tensor, nn

from ohlcv_factory.models._torch.layers import Encoder


class Classifier(nn.Module):
    """Logits `(batch, classes)` from windows `(batch, lookback, features)`: encoder, dropout, one linear map."""

    def __init__(self, encoder: Encoder, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(encoder.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each window."""
        logits: Tensor = self.linear(self.dropout(self.encoder(x)))
        return logits
