"""N-HiTS: residual blocks that read the window at falling coarseness and answer in knots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._torch.model import TorchModel
from ohlcv_factory.models._torch.residual_stacks import Block, KnotBasis, ResidualStacks
from ohlcv_factory.models._torch.settings import NetworkConfig, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors")

REFERENCE = "neuralforecast's default (Challu et al. 2023)"
Rate = Annotated[int, Field(ge=1)]


class NHITSConfig(NetworkConfig):
    """Settings of N-HiTS."""

    lookback: int = figure("lookback", 40, source="specification of N-BEATS", search=Search(40, 100))
    forecast_length: int = setting(
        20, "steps that the blocks look ahead", ge=2, search=Search(5, 20), source="specification of N-BEATS"
    )
    num_blocks: tuple[Rate, ...] = setting((1, 1, 1), "blocks of each stack", source=REFERENCE)
    pool_sizes: tuple[Rate, ...] = setting(
        (2, 2, 1),
        "bars that each stack's max-pooling makes one",
        search=Search(choices=((2, 2, 1), (4, 2, 1), (8, 4, 1))),
        source=REFERENCE,
    )
    bars_per_knot: tuple[Rate, ...] = setting(
        (4, 2, 1),
        "steps of the forecast between two knots, per stack",
        search=Search(choices=((4, 2, 1), (8, 4, 1), (10, 5, 1))),
        source=REFERENCE,
    )
    num_layers: int = setting(
        4, "linear maps of a block before its coefficients", ge=1, search=Search(2, 4), source=REFERENCE
    )
    layer_width: int = setting(
        512, "units of these maps, and of the code", ge=1, search=Search(128, 512, log=True), source=REFERENCE
    )
    dropout: float = figure("dropout", 0.0, source=REFERENCE)

    aliases: ClassVar[dict[str, str]] = {
        **NetworkConfig.aliases,
        "n_blocks": "num_blocks",
        "n_pool_kernel_size": "pool_sizes",
        "n_freq_downsample": "bars_per_knot",
    }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        sizes = {len(self.num_blocks), len(self.pool_sizes), len(self.bars_per_knot)}
        if len(sizes) != 1 or 0 in sizes:
            raise ValueError("num_blocks, pool_sizes and bars_per_knot need one entry per stack")
        return self


class NHITSEncoder(ResidualStacks):
    """N-HiTS (Challu et al. 2023) over each feature, read out from its coefficients."""

    def __init__(self, config: NHITSConfig, features: int) -> None:
        widths = [config.layer_width] * config.num_layers
        stacks = zip(config.num_blocks, config.pool_sizes, config.bars_per_knot, strict=True)
        blocks = [
            knot_block(f"stack_{i}", config.lookback, config.forecast_length, pool, spacing, widths)
            for i, (count, pool, spacing) in enumerate(stacks)
            for _ in range(count)
        ]
        super().__init__(blocks, config.lookback, features, config.layer_width)


def knot_block(kind: str, lookback: int, horizon: int, pool: int, spacing: int, widths: Sequence[int]) -> Block:
    """One block that pools `pool` bars and sets a knot every `spacing` steps."""
    return Block(kind, KnotBasis(lookback, max(horizon // spacing, 1), horizon), lookback, widths, pool)


@ModelRegistry.register()
class NHITS(TorchModel):
    """N-HiTS (Challu et al. 2023) over each feature, read out from its coefficients."""

    input_spec: ClassVar[InputSpec] = InputSpec("sequence", "ohlcv_returns", "standard", lookback=40)
    Config = NHITSConfig

    def build(self, features: int) -> NHITSEncoder:
        """The encoder of `features` columns."""
        return NHITSEncoder(self.config, features)
