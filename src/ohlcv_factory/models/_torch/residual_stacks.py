"""Doubly residual stacks: each block explains a part of the window and hands on what it left (N-BEATS, N-HiTS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.models._torch.layers import Encoder
from ohlcv_factory.models.explanation import Meaning

WINDOW = Meaning("series", ("feature", "bar"))
AHEAD = Meaning("series", ("feature", "step ahead"))


@dataclass(frozen=True)
class Decomposition:
    """What the blocks say about n series; `backcasts` and `residual` run from the newest bar back."""

    thetas: list[Tensor]
    """Per block, the coefficients of its basis `(n, theta)`."""
    backcasts: list[Tensor]
    """Per block, the part of the window that it explains `(n, lookback)`."""
    forecasts: list[Tensor]
    """Per block, how that part goes on, relative to the last value `(n, horizon)`."""
    residual: Tensor
    """What no block explained `(n, lookback)`."""


class Basis(nn.Module):
    """Coefficients to series: the first ones make the backcast, the rest the forecast."""

    def __init__(self, backward: int, forward: int) -> None:
        super().__init__()
        self.sizes = [backward, forward]

    def forward(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Backcast `(n, lookback)`, newest bar first, and forecast `(n, horizon)`; here the coefficients themselves."""
        return theta[:, : self.sizes[0]], theta[:, self.sizes[0] :]


class CurveBasis(Basis):
    """Weighted sums of fixed curves: `backward (curves, lookback)` and `forward (curves, horizon)`."""

    backward: Tensor
    onward: Tensor

    def __init__(self, backward: Tensor, onward: Tensor) -> None:
        super().__init__(len(backward), len(onward))
        self.register_buffer("backward", backward, persistent=False)
        self.register_buffer("onward", onward, persistent=False)

    def forward(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Backcast and forecast as sums of the curves."""
        backward, onward = super().forward(theta)
        return backward @ self.backward, onward @ self.onward


class KnotBasis(Basis):
    """The backcast itself, and a forecast drawn through a few knots."""

    def __init__(self, lookback: int, knots: int, horizon: int) -> None:
        super().__init__(lookback, knots)
        self.horizon = horizon

    def forward(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Backcast, and the knots joined by straight lines."""
        backward, knots = super().forward(theta)
        return backward, functional.interpolate(knots.unsqueeze(1), size=self.horizon, mode="linear").squeeze(1)


class Block(nn.Module):
    """A fully connected network from the residual window to the coefficients of its basis.

    As in the reference, no activation follows the first linear map.
    """

    def __init__(self, kind: str, basis: Basis, lookback: int, widths: Sequence[int], pool: int = 1) -> None:
        super().__init__()
        self.kind, self.basis, self.pool = kind, basis, pool
        layers: list[nn.Module] = [nn.Linear(-(-lookback // pool), widths[0])]
        for pair in pairwise(widths):
            layers += [nn.Linear(*pair), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], sum(basis.sizes)))

    def forward(self, residual: Tensor) -> Tensor:
        """The coefficients `(n, theta)` for windows `(n, lookback)` that start with the newest bar."""
        if self.pool > 1:
            residual = functional.max_pool1d(residual.unsqueeze(1), self.pool, ceil_mode=True).squeeze(1)
        return self.layers(residual)


class ResidualStacks(Encoder):
    """The blocks in turn over each feature alone, with the same weights, and one code of all features.

    The code of a feature is read from all coefficients and the unexplained rest; the features' codes are added up with
    a learned gain of each unit for each feature, so that the network can tell features apart. The gains start at random
    with both signs: from equal ones it learns much slower which feature speaks for and which against a class.
    """

    def __init__(self, blocks: Sequence[Block], lookback: int, features: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.mix = nn.Linear(sum(sum(block.basis.sizes) for block in blocks) + lookback, width)
        self.gain = nn.Parameter(torch.randn(features, width) / features**0.5)
        self.width = width
        kinds = {block.kind for block in blocks}
        self.meanings = dict.fromkeys(("window", "rest", *kinds), WINDOW) | {f"{kind}_ahead": AHEAD for kind in kinds}

    def forward(self, x: Tensor) -> Tensor:
        """The code of each window, `(batch, width)`."""
        parts = self.decompose(_series(x))
        code = self.mix(torch.cat([*parts.thetas, parts.residual], -1)).relu()
        return (code.unflatten(0, (len(x), -1)) * self.gain).sum(1)

    def decompose(self, series: Tensor) -> Decomposition:
        """What each block explains of `(n, lookback)` series in order of time."""
        parts = Decomposition([], [], [], series.flip(-1))
        for block in cast("list[Block]", self.blocks):
            theta = block(parts.residual)
            backcast, forecast = block.basis(theta)
            parts = Decomposition(
                [*parts.thetas, theta],
                [*parts.backcasts, backcast],
                [*parts.forecasts, forecast],
                parts.residual - backcast,
            )
        return parts

    def outlook(self, series: Tensor) -> Tensor:
        """The paper's forecast of `(n, lookback)` series: the last value plus what the blocks add, `(n, horizon)`."""
        return series[:, -1:] + torch.stack(self.decompose(series).forecasts).sum(0)

    def explain(self, x: Tensor) -> dict[str, Tensor]:
        """Per kind of block its part `KIND (batch, features, lookback)` of `window` and `KIND_ahead (…, horizon)`, and `rest`.

        The parts and the rest add up to the window. Trained on classes, not on forecasts, the blocks take what helps to
        tell classes apart; nothing makes their parts follow the window.
        """
        parts = self.decompose(_series(x))
        found = {"window": _series(x), "rest": parts.residual.flip(-1)}
        for i, block in enumerate(cast("list[Block]", self.blocks)):
            for name, part in ((block.kind, parts.backcasts[i].flip(-1)), (f"{block.kind}_ahead", parts.forecasts[i])):
                found[name] = found[name] + part if name in found else part
        return {name: series.reshape(len(x), -1, series.shape[-1]) for name, series in found.items()}


def _series(x: Tensor) -> Tensor:
    """Windows `(batch, lookback, features)` as series of one feature each, `(batch * features, lookback)`."""
    return x.transpose(1, 2).flatten(0, 1)
