"""A pre-trained network behind one interface: bars in, quantiles of what the close does next or a code of the bars out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ohlcv_factory.errors import DataError

FLOAT_BYTES = 4
WIDE, NARROW, ATTENTIONS = 10, 3, 3
"""Arrays that a transformer layer keeps for the backward pass: of the width, of the hidden width, of tokens by tokens."""
WORKING_LAYERS = 2.0
"""Layers' worth of arrays that a forward pass without gradients holds at once."""
ANSWER_COPIES = 4
"""Of what the tokens answer: as it comes, twice on its way back to the units of the series, and mirrored."""


@dataclass(frozen=True)
class BackboneShape:
    """What a checkpoint's configuration says of its network, known before any weight is read."""

    levels: tuple[float, ...]
    """Levels of the quantiles that it forecasts, ascending; empty for one that draws paths."""
    context_bars: int
    """The most bars that it can read."""
    native_steps: int
    """Steps that it forecasts at once; more are rolled out."""
    width: int
    """Length of a code."""
    layers: int
    hidden: int
    """Width inside the feed-forward layers."""
    heads: int
    patch_bars: int
    """Bars per token."""
    answers: int = 0
    """Numbers that a forecast computes for each token, where it does so for all of them."""
    series: int = 1
    """Series of a window that it reads side by side; each costs as much as one alone."""

    def training_bytes(self, lookback: int) -> int:
        """About what one window keeps for the backward pass."""
        return self.layers * self._layer_bytes(lookback)

    def forecast_bytes(self, lookback: int) -> int:
        """About what one window takes without gradients."""
        answers = FLOAT_BYTES * ANSWER_COPIES * self.series * self._tokens(lookback) * self.answers
        return int(WORKING_LAYERS * self._layer_bytes(lookback)) + answers

    def _layer_bytes(self, lookback: int) -> int:
        tokens = self._tokens(lookback)
        numbers = tokens * (WIDE * self.width + NARROW * self.hidden) + ATTENTIONS * self.heads * tokens**2
        return FLOAT_BYTES * self.series * numbers

    def _tokens(self, lookback: int) -> int:
        return math.ceil(lookback / self.patch_bars) + 1


class Backbone(nn.Module, ABC):
    """A pre-trained network. Bars are `(batch, bars, columns)` as quoted, NaN on the left of a series that is shorter."""

    shape: BackboneShape
    close_column: int = 0
    """Where the close stands among the columns."""

    @abstractmethod
    def embed(self, bars: Tensor) -> Tensor:
        """The network's code of the bars, `(batch, width)`, differentiable; it knows neither level nor scale."""

    def close(self, bars: Tensor) -> Tensor:
        """The closes `(batch, bars)` among the columns."""
        return bars[..., self.close_column]


class QuantileBackbone(Backbone):
    """A backbone that forecasts the quantiles of every coming close."""

    @abstractmethod
    def forecast(self, bars: Tensor, steps: int) -> Tensor:
        """Quantiles `(batch, steps, levels)` of the log return of the close since the last bar, ascending; no gradient."""


class SeriesBackbone(QuantileBackbone):
    """A backbone that reads one series: the log of the close against that of the last bar. Authors write two methods."""

    @abstractmethod
    def quantiles(self, series: Tensor) -> Tensor:
        """Quantiles `(batch, native_steps, levels)` of what follows `series` `(batch, bars)`, in its units, as they come."""

    @abstractmethod
    def encode(self, series: Tensor) -> Tensor:
        """The network's code of `series`, `(batch, width)`, differentiable."""

    @torch.inference_mode()
    def forecast(self, bars: Tensor, steps: int) -> Tensor:
        """Quantiles `(batch, steps, levels)` of the log return of the close since the last bar, ascending; no gradient."""
        return rolled_out(self.quantiles, self.shape, log_closes(self.close(bars)), steps).sort(-1).values

    def embed(self, bars: Tensor) -> Tensor:
        """The network's code of the bars, `(batch, width)`, differentiable."""
        return self.encode(log_closes(self.close(bars)))


def log_closes(close: Tensor) -> Tensor:
    """Log of each close against the last one, `(batch, bars)`: 0 at the end, NaN where there is no bar or no such log."""
    ratio = close / close[:, -1:]
    return torch.log(ratio.where((ratio > 0) & ratio.isfinite(), torch.nan))


def rolled_out(quantiles: Callable[[Tensor], Tensor], shape: BackboneShape, series: Tensor, steps: int) -> Tensor:
    """Quantiles `(batch, steps, levels)`, beyond the native steps by feeding each quantile's path back in.

    As Chronos-Bolt does it: every quantile of a stretch continues the series once, and the quantiles of all these
    continuations are taken at the backbone's levels. Several series `(batch, columns, bars)` are continued side by side.
    """
    parts = [quantiles(series)]  # (batch, …, step, level)
    levels = torch.tensor(shape.levels, dtype=series.dtype, device=series.device)
    known = series.unsqueeze(1).expand(-1, len(levels), *series.shape[1:])  # (batch, level, …, bar)
    while sum(part.shape[-2] for part in parts) < steps:
        known = torch.cat([known, parts[-1].movedim(-1, 1)], -1)[..., -shape.context_bars :]
        each = [quantiles(known[:, level]) for level in range(len(levels))]
        together = torch.cat(each, -1)  # (batch, …, step, level * level)
        parts.append(torch.quantile(together, levels, dim=-1).movedim(0, -1))
    return torch.cat(parts, -2)[..., :steps, :]


def market_state(series: Tensor) -> Tensor:
    """What the instance normalisation of a backbone takes away, `(batch, STATES)`, from the log closes `(batch, bars)`.

    Log volatility of one-bar returns over the last 4, 16, 64, 256 and all bars; log scale of the closes; how far the last
    one lies above their mean in that scale; and the move of the last 16 bars in units of its own volatility.
    """
    returns, scale = series.diff(dim=1), deviation(series)
    volatility = [deviation(returns[:, -bars:]) for bars in VOLATILITY_BARS] + [deviation(returns)]
    place = (series[:, -1] - series.nanmean(1)) / scale
    recent = returns[:, -MOVE_BARS:]
    move = recent.nansum(1) / (deviation(recent) * MOVE_BARS**0.5)
    return torch.stack([*(torch.log(each) for each in (*volatility, scale)), place, move], 1)


VOLATILITY_BARS, MOVE_BARS = (4, 16, 64, 256), 16
STATES = len(VOLATILITY_BARS) + 4
"""Eight: with them a code stays a multiple of four numbers long. Otherwise rows start at other places in memory modulo 16
bytes, and the head's product gives a row other bits elsewhere in a block."""
LEAST_DEVIATION = 1e-8


def deviation(values: Tensor) -> Tensor:
    """Standard deviation of each row over what is there, `(batch,)`; at least 1e-8, also of a single value."""
    centred = values - values.nanmean(1, keepdim=True)
    return centred.square().nanmean(1).sqrt().nan_to_num(0.0).clamp(min=LEAST_DEVIATION)


def whole_number(config: Mapping[str, Any], key: str, most: int) -> int:
    """A size of a checkpoint's configuration. Raises DataError (65) for what is no number from 1 to `most`."""
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise DataError(
            f"config.json of the checkpoint says {key}: {str(value)[:80]!r}, wanted a whole number from 1 to {most}.",
            help="fetch it again",
        )
    return value


def ascending_levels(config: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Levels of quantiles in a checkpoint's configuration (DataError, 65, where they are none)."""
    given = config.get(key)
    levels = [each for each in given if isinstance(each, float) and 0 < each < 1] if isinstance(given, list) else []
    if len(levels) < 2 or levels != given or sorted(set(levels)) != levels:
        raise DataError(
            f"config.json of the checkpoint says {key}: {str(given)[:80]!r}, wanted ascending shares.",
            help="fetch it again",
        )
    return tuple(levels)
