"""Chronos-2: Amazon's pre-trained forecaster of several series at once, here the columns of the bars, by 21 quantiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.models._foundation.backbone import (
    BackboneShape,
    QuantileBackbone,
    ascending_levels,
    rolled_out,
    whole_number,
)
from ohlcv_factory.models._foundation.bar_columns import CLOSE, PRICES, BarModel, log_bars
from ohlcv_factory.models._foundation.checkpoint import CheckpointKind
from ohlcv_factory.models._foundation.pretrained import TransformersModel
from ohlcv_factory.models._foundation.settings import FoundationConfig
from ohlcv_factory.models.registry import ModelRegistry

REQUIRES = ("torch", "safetensors", "transformers", "chronos")
QUANTILES_NOT_SAMPLES = "Chronos-2 forecasts quantiles and draws no samples: paths says how many are drawn through them"
MOST_COLUMNS = len(PRICES) + 1


class Chronos2Config(FoundationConfig):
    """Settings of Chronos-2 (Ansari et al. 2025); its checkpoint reads 8192 bars and forecasts 1024 steps at once."""

    checkpoint: str = setting(
        "amazon/chronos-2",
        "folder of a checkpoint, or a hub name that this machine has a copy of",
        source="the only public one",
    )

    refused: ClassVar[Mapping[str, str]] = {
        **FoundationConfig.refused,
        "num_samples": QUANTILES_NOT_SAMPLES,
        "temperature": QUANTILES_NOT_SAMPLES,
    }


class WithinWindow(nn.Module):
    """Attention among the columns of one window at each step, in place of the library's among all rows of a batch.

    The library masks the other windows' rows, which costs the square of the batch and lets a row's rounding follow from its
    place in it; attention among equally many rows of each window needs no mask.
    """

    def __init__(self, within: nn.Module) -> None:
        super().__init__()
        self.within, self.columns = within, 1

    def forward(self, hidden_states: Tensor, attention_mask: Tensor, output_attentions: bool = False) -> Any:
        """As the library's layer: `(windows * columns, tokens, width)`, its mask of all rows left aside."""
        apart = hidden_states.unflatten(0, (-1, self.columns)).transpose(1, 2)  # (window, token, column, width)
        steps = apart.flatten(0, 1).transpose(0, 1)  # (column, window * token, width), as the layer takes it
        free = hidden_states.new_zeros(1, 1, 1, self.columns)
        mixed = self.within(steps, attention_mask=free, output_attentions=output_attentions)
        tokens = mixed.hidden_states.transpose(0, 1).unflatten(0, (len(apart), -1))
        mixed.hidden_states = tokens.transpose(1, 2).flatten(0, 1)
        return mixed


class Chronos2Backbone(QuantileBackbone):
    """Patches of 16 bars of every column through one encoder; the code is that of the close's last token, [REG]."""

    def __init__(self, network: Any, shape: BackboneShape) -> None:
        super().__init__()
        self.network, self.shape = network, shape
        self.step_patch = int(network.chronos_config.output_patch_size)
        for block in network.encoder.block:
            block.layer[1] = WithinWindow(block.layer[1])
        network.encoder._construct_and_invert_group_time_mask = _no_mask

    @torch.inference_mode()
    def forecast(self, bars: Tensor, steps: int) -> Tensor:
        """Quantiles `(batch, steps, levels)` of the log return of the close since the last bar, ascending; no gradient."""
        patches = math.ceil(min(steps, self.shape.native_steps) / self.step_patch)
        ahead = rolled_out(partial(self.quantiles, patches=patches), self.shape, log_bars(bars), steps)
        return ahead[:, CLOSE].sort(-1).values

    def quantiles(self, series: Tensor, patches: int) -> Tensor:
        """Quantiles `(batch, columns, patches * bars of one, levels)` of what follows each column `(batch, columns, bars)`."""
        answer = self.network(context=self._rows(series), group_ids=_groups(series), num_output_patches=patches)
        return answer.quantile_preds.transpose(1, 2).unflatten(0, series.shape[:2])

    def embed(self, bars: Tensor) -> Tensor:
        """The network's code of the bars, `(batch, width)`, differentiable."""
        series = log_bars(bars)
        encoded, *_ = self.network.encode(context=self._rows(series), group_ids=_groups(series))
        before_coming_patch = encoded[0][:, -2]  # (batch * columns, width)
        return before_coming_patch.unflatten(0, series.shape[:2])[:, CLOSE]

    def close(self, bars: Tensor) -> Tensor:
        """The closes `(batch, bars)`."""
        return bars[..., CLOSE]

    def _rows(self, series: Tensor) -> Tensor:
        """The columns as rows of one batch, `(batch * columns, bars)`; the layers are told how many belong together."""
        for block in self.network.encoder.block:
            block.layer[1].columns = series.shape[1]
        return series.flatten(0, 1)


def _groups(series: Tensor) -> Tensor:
    """The window of each row, int64 `(batch * columns,)`."""
    return torch.arange(len(series), device=series.device).repeat_interleave(series.shape[1])


def _no_mask(group_ids: Tensor, attention_mask: Tensor, floating_type: torch.dtype) -> Tensor:
    """Nothing in place of the library's mask of batch by batch by token."""
    return torch.empty(0, dtype=floating_type, device=group_ids.device)


@ModelRegistry.register()
class Chronos2(TransformersModel, BarModel):
    """A forecaster of 21 quantiles that reads all columns of the bars together, pre-trained on many kinds of series."""

    input_spec: ClassVar[InputSpec] = InputSpec(
        "sequence", "ohlcv_raw", "none", lookback=2048, needs_market=True, padded=True
    )
    Config = Chronos2Config
    backbone_class = Chronos2Backbone
    kinds: ClassVar[tuple[CheckpointKind, ...]] = (
        CheckpointKind("chronos2", {"architectures": ["Chronos2Model"], "chronos_pipeline_class": "Chronos2Pipeline"}),
    )

    @staticmethod
    def shape_of(config: Mapping[str, Any]) -> BackboneShape:
        """Sizes in a checkpoint's configuration."""
        own = config.get("chronos_config")
        settings = own if isinstance(own, dict) else {}
        patch = whole_number(settings, "output_patch_size", 1 << 12)
        return BackboneShape(
            levels=ascending_levels(settings, "quantiles"),
            context_bars=whole_number(settings, "context_length", 1 << 16),
            native_steps=patch * whole_number(settings, "max_output_patches", 1 << 10),
            width=whole_number(config, "d_model", 1 << 14),
            layers=whole_number(config, "num_layers", 256),
            hidden=whole_number(config, "d_ff", 1 << 16),
            heads=whole_number(config, "num_heads", 256),
            patch_bars=whole_number(settings, "input_patch_size", 1 << 12),
            series=MOST_COLUMNS,
        )

    @staticmethod
    def network_classes() -> tuple[Any, Any]:
        """The classes of the network and of its configuration."""
        from chronos.chronos2.config import Chronos2CoreConfig
        from chronos.chronos2.model import Chronos2Model

        return Chronos2Model, Chronos2CoreConfig
