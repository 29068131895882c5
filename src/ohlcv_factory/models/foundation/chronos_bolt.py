"""Chronos-Bolt: Amazon's pre-trained forecaster of one series by its deciles; zero-shot, frozen or fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._foundation.backbone import BackboneShape, SeriesBackbone, ascending_levels, whole_number
from ohlcv_factory.models._foundation.checkpoint import CheckpointKind
from ohlcv_factory.models._foundation.pretrained import TransformersModel
from ohlcv_factory.models._foundation.settings import FoundationConfig
from ohlcv_factory.models._torch.settings import SPECIFICATION
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors", "transformers", "chronos")
QUANTILES_NOT_SAMPLES = (
    "Chronos-Bolt forecasts quantiles and draws no samples: paths says how many are drawn through them"
)


class ChronosBoltConfig(FoundationConfig):
    """Settings of Chronos-Bolt (Ansari et al. 2024); its checkpoints read 2048 bars and forecast 64 steps at once."""

    checkpoint: str = setting(
        "amazon/chronos-bolt-small",
        "folder of a checkpoint, or a hub name that this machine has a copy of",
        source=SPECIFICATION,
    )

    sizes: ClassVar[Mapping[str, str]] = {
        size: f"amazon/chronos-bolt-{size}" for size in ("tiny", "mini", "small", "base")
    }
    refused: ClassVar[Mapping[str, str]] = {
        **FoundationConfig.refused,
        "num_samples": QUANTILES_NOT_SAMPLES,
        "temperature": QUANTILES_NOT_SAMPLES,
    }


class ChronosBoltBackbone(SeriesBackbone):
    """Patches of 16 bars through a T5; the code is that of the last token, [REG] where the checkpoint has one."""

    def __init__(self, network: nn.Module, shape: BackboneShape) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def quantiles(self, series: Tensor) -> Tensor:
        """Quantiles `(batch, native_steps, levels)` of what follows `series` `(batch, bars)`, in its units."""
        return self.network(context=series).quantile_preds.transpose(1, 2)

    def encode(self, series: Tensor) -> Tensor:
        """The code of `series`, `(batch, width)`."""
        hidden, *_ = self.network.encode(context=series)  # type: ignore[operator]
        return hidden[:, -1]


@ModelRegistry.register()
class ChronosBolt(TransformersModel):
    """A forecaster of deciles, 2048 bars of closes at a time, pre-trained on many kinds of series (Ansari et al. 2024)."""

    input_spec: ClassVar[InputSpec] = InputSpec(
        "sequence", "close_only", "none", lookback=2048, needs_market=True, padded=True
    )
    Config = ChronosBoltConfig
    backbone_class = ChronosBoltBackbone
    kinds: ClassVar[tuple[CheckpointKind, ...]] = (
        CheckpointKind(
            "chronos_bolt",
            {"architectures": ["ChronosBoltModelForForecasting"], "chronos_pipeline_class": "ChronosBoltPipeline"},
        ),
    )

    @staticmethod
    def shape_of(config: Mapping[str, Any]) -> BackboneShape:
        """Sizes in a checkpoint's configuration."""
        own = config.get("chronos_config")
        bolt = own if isinstance(own, dict) else {}
        return BackboneShape(
            levels=ascending_levels(bolt, "quantiles"),
            context_bars=whole_number(bolt, "context_length", 1 << 16),
            native_steps=whole_number(bolt, "prediction_length", 1 << 12),
            width=whole_number(config, "d_model", 1 << 14),
            layers=max(whole_number(config, name, 256) for name in ("num_layers", "num_decoder_layers")),
            hidden=whole_number(config, "d_ff", 1 << 16),
            heads=whole_number(config, "num_heads", 256),
            patch_bars=whole_number(bolt, "input_patch_size", 1 << 12),
        )

    @staticmethod
    def network_classes() -> tuple[Any, Any]:
        """The classes of the network and of its configuration."""
        from chronos.chronos_bolt import ChronosBoltModelForForecasting
        from transformers import T5Config

        return ChronosBoltModelForForecasting, T5Config
