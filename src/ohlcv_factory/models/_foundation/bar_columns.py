"""Whole bars as a forecaster's input: which columns a window may hold, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._foundation.model import FoundationModel
from ohlcv_factory.models.base import EpochSink, FitReport

PRICES = ("open", "high", "low", "close")
CLOSE, VOLUME = PRICES.index("close"), len(PRICES)
"""Places of the close and of the volume, which bars of some markets do not have."""


class BarModel(FoundationModel):
    """A foundation model that reads open, high, low, close and, where the bars have it, volume, in this order."""

    extra_columns: tuple[str, ...] = ()
    """Columns that follow those of the bar."""

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        refuse_other_columns(self.name, train.feature_names, self.extra_columns)
        return super()._fit(train, val, sink)


def refuse_other_columns(model: str, names: Sequence[str], extra: Sequence[str]) -> None:
    """Raise UsageError (2) for columns that are not those of whole bars in their order."""
    wanted = [(*PRICES, *volume, *extra) for volume in (("volume",), ())]
    if tuple(names) not in wanted:
        raise UsageError(
            f"model {model!r} reads {', '.join(wanted[0])}, got {', '.join(names)}.",
            where="feature_set",
            help="leave the model its own feature set",
        )


def log_bars(bars: Tensor) -> Tensor:
    """Whole bars `(batch, bars, columns)` as series `(batch, columns, bars)`: log prices against the last close, log volume."""
    last = bars[:, -1:, CLOSE : CLOSE + 1]
    prices, volume = torch.log(bars[..., :VOLUME] / last), torch.log1p(bars[..., VOLUME:])
    return torch.cat([prices, volume], -1).transpose(1, 2)
