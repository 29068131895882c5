"""N-BEATS: blocks that take trend and seasonality out of the window in turn, or learn their own shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.residual_stacks import Basis, Block, CurveBasis, ResidualStacks
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

Kind = Literal["trend", "seasonality", "generic"]
BlockCount = Annotated[int, Field(ge=1, le=30)]


class NBEATSConfig(NetworkConfig):
    """Settings of N-BEATS."""

    lookback: int = figure("lookback", 40, search=Search(40, 100))
    forecast_length: int = setting(
        20, "steps that the blocks look ahead", ge=2, search=Search(5, 20), source=SPECIFICATION
    )
    stack_types: tuple[Kind, ...] = setting(
        ("trend", "seasonality"),
        "what the blocks of each stack are made of",
        search=Search(choices=(("trend", "seasonality"), ("generic", "generic"))),
        source=SPECIFICATION,
    )
    num_blocks: tuple[BlockCount, ...] = setting(
        (2, 2), "blocks of each stack", search=Search(choices=((1, 1), (2, 2), (3, 3))), source=SPECIFICATION
    )
    num_layers: int = setting(
        4, "linear maps of a block before its coefficients", ge=1, search=Search(2, 4), source=SPECIFICATION
    )
    layer_width: int = setting(
        256, "units of these maps, and of the code", ge=1, search=Search(128, 512, log=True), source=SPECIFICATION
    )
    trend_polynomial_degree: int = setting(3, "highest power of the trend", ge=0, le=8, source=SPECIFICATION)
    seasonality_harmonics: int = setting(
        5, "frequencies per period of the forecast: 1, 1 + 1/n, ...", ge=1, le=50, source=SPECIFICATION
    )
    dropout: float = figure("dropout", 0.0, source="Oreshkin et al. 2020")

    refused: ClassVar[dict[str, str]] = {
        **NetworkConfig.refused,
        "expansion_coefficient_dim": "a generic block gives its backcast and forecast directly",
    }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not 0 < len(self.stack_types) == len(self.num_blocks):
            raise ValueError(
                f"one entry of num_blocks per stack, got {len(self.num_blocks)} for {len(self.stack_types)}"
            )
        return self


class NBEATSEncoder(ResidualStacks):
    """N-BEATS (Oreshkin et al. 2020) over each feature, read out from its coefficients."""

    def __init__(self, config: NBEATSConfig, features: int) -> None:
        bases = Bases(
            config.lookback, config.forecast_length, config.trend_polynomial_degree, config.seasonality_harmonics
        )
        widths = [config.layer_width] * config.num_layers
        blocks = stacked_blocks(config.stack_types, config.num_blocks, bases, widths)
        super().__init__(blocks, config.lookback, features, config.layer_width)


class Bases:
    """The curves of each kind of block, for one length of window and forecast."""

    def __init__(self, lookback: int, horizon: int, degree: int, harmonics: int) -> None:
        self.lookback, self.horizon, self.degree, self.harmonics = lookback, horizon, degree, harmonics

    def of(self, kind: Kind) -> Basis:
        """A new basis of this kind."""
        if kind == "trend":
            return CurveBasis(*trend_curves(self.lookback, self.horizon, self.degree))
        if kind == "seasonality":
            return CurveBasis(*seasonal_curves(self.lookback, self.horizon, self.harmonics))
        return Basis(self.lookback, self.horizon)


def stacked_blocks(kinds: Sequence[Kind], counts: Sequence[int], bases: Bases, widths: Sequence[int]) -> list[Block]:
    """The blocks of all stacks in order."""
    return [
        Block(kind, bases.of(kind), bases.lookback, widths)
        for kind, count in zip(kinds, counts, strict=True)
        for _ in range(count)
    ]


def trend_curves(lookback: int, horizon: int, degree: int) -> tuple[Tensor, Tensor]:
    """Legendre polynomials of degree 0 … `degree`, over the window and over the forecast apart, as in the reference."""
    curves = [np.polynomial.legendre.legvander(np.linspace(-1, 1, steps), degree).T for steps in (lookback, horizon)]
    backward, onward = (torch.from_numpy(curve.astype(np.float32)) for curve in curves)
    return backward, onward


def seasonal_curves(lookback: int, horizon: int, harmonics: int) -> tuple[Tensor, Tensor]:
    """Cosines, then sines, of the constant and of every 1/`harmonics` from 1 to below half the horizon per horizon."""
    frequencies = np.append(0.0, np.arange(harmonics, harmonics / 2 * horizon) / harmonics)
    angles = [
        2 * np.pi * frequencies[:, None] * np.arange(steps) / horizon * sign
        for steps, sign in ((lookback, -1), (horizon, 1))
    ]
    backward, onward = (np.concatenate([np.cos(a), np.sin(a)]).astype(np.float32) for a in angles)
    return torch.from_numpy(backward), torch.from_numpy(onward)


@ModelRegistry.register()
class NBEATS(TorchModel):
    """N-BEATS (Oreshkin et al. 2020) over each feature, read out from its coefficients."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "ohlcv_returns", "standard", lookback=40)
    Config = NBEATSConfig

    def build(self, features: int) -> NBEATSEncoder:
        """The encoder of `features` columns."""
        return NBEATSEncoder(self.config, features)
