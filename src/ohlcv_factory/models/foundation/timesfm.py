"""TimesFM 2.5: Google's pre-trained forecaster of one series by its deciles; zero-shot, frozen or fine-tuned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import field_validator
from torch import Tensor, nn

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._foundation.backbone import (
    BackboneShape,
    SeriesBackbone,
    ascending_levels,
    deviation,
    whole_number,
)
from ohlcv_factory.models._foundation.checkpoint import CheckpointKind
from ohlcv_factory.models._foundation.pretrained import TransformersModel
from ohlcv_factory.models._foundation.settings import FoundationConfig
from ohlcv_factory.models._torch.settings import SPECIFICATION, figure
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors", "transformers")
OLDER = re.compile(r"timesfm-(1\.|2\.0|.*-(pytorch|jax|flax)$)")
"""Names of checkpoints in formats before that of the transformers library."""


class TimesFMConfig(FoundationConfig):
    """Settings of TimesFM 2.5 (Das et al. 2024); its checkpoint reads 16,384 bars and forecasts 128 steps at once."""

    checkpoint: str = setting(
        "google/timesfm-2.5-200m-transformers",
        "folder of a checkpoint, or a hub name that this machine has a copy of",
        source="the specification's model in the format that is loaded today",
    )
    max_epochs: int = figure("max_epochs", 20)
    freeze_epochs: int = setting(
        5, "epochs of finetune in which only the head learns", ge=0, search=Search(0, 5), source=SPECIFICATION
    )

    @field_validator("checkpoint")
    @classmethod
    def _is_no_older_format(cls, place: str) -> str:
        if OLDER.search(place):
            raise ValueError(f"{place} is in an older format; google/timesfm-2.5-200m-transformers is read today")
        return place


class TimesFMBackbone(SeriesBackbone):
    """Patches of 32 bars through a causal transformer; the code is that of the newest patch."""

    def __init__(self, network: nn.Module, shape: BackboneShape) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def quantiles(self, series: Tensor) -> Tensor:
        """Quantiles `(batch, native_steps, levels)` of what follows `series` `(batch, bars)`, in its units."""
        patches = -(-series.shape[1] // self.shape.patch_bars)
        answer = self.network(
            past_values=[row[~row.isnan()] for row in series],
            forecast_context_len=patches * self.shape.patch_bars,
            truncate_negative=False,
        )
        return answer.full_predictions[..., 1:]  # the first is the mean

    def encode(self, series: Tensor) -> Tensor:
        """The code of `series`, `(batch, width)`."""
        missing = -series.shape[1] % self.shape.patch_bars
        padded = nn.functional.pad(series, (missing, 0), value=float("nan"))
        absent = padded.isnan()
        scaled = (padded - padded.nanmean(1, keepdim=True)) / deviation(padded)[:, None]
        hidden = self.network.model(  # type: ignore[operator]
            past_values=scaled.masked_fill(absent, 0.0), past_values_padding=absent.long()
        )
        return hidden.last_hidden_state[:, -1]


@ModelRegistry.register()
class TimesFM(TransformersModel):
    """A forecaster of deciles, up to 16,384 bars of closes at a time, pre-trained on many kinds of series (Das et al. 2024)."""

    input_spec: ClassVar[InputSpec] = InputSpec(
        "sequence", "close_only", "none", lookback=2048, needs_market=True, padded=True
    )
    Config = TimesFMConfig
    backbone_class = TimesFMBackbone
    kinds: ClassVar[tuple[CheckpointKind, ...]] = (
        CheckpointKind("timesfm", {"architectures": ["TimesFm2_5ModelForPrediction"], "model_type": "timesfm2_5"}),
    )

    @staticmethod
    def shape_of(config: Mapping[str, Any]) -> BackboneShape:
        """Sizes in a checkpoint's configuration."""
        levels = ascending_levels(config, "quantiles")
        steps = [whole_number(config, name, 1 << 12) for name in ("horizon_length", "output_quantile_len")]
        return BackboneShape(
            levels=levels,
            context_bars=whole_number(config, "context_length", 1 << 16),
            native_steps=steps[0],
            width=whole_number(config, "hidden_size", 1 << 14),
            layers=whole_number(config, "num_hidden_layers", 256),
            hidden=whole_number(config, "intermediate_size", 1 << 16),
            heads=whole_number(config, "num_attention_heads", 256),
            patch_bars=whole_number(config, "patch_length", 1 << 12),
            answers=sum(steps) * (len(levels) + 1),
        )

    @staticmethod
    def network_classes() -> tuple[Any, Any]:
        """The classes of the network and of its configuration."""
        from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

        return TimesFm2_5ModelForPrediction, TimesFm2_5Config
