"""Kronos: an open forecaster pre-trained on candlesticks of 45 exchanges; it draws whole coming bars."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec, RowMarket
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._foundation.backbone import Backbone, BackboneShape, whole_number
from ohlcv_factory.models._foundation.bar_columns import CLOSE, BarModel
from ohlcv_factory.models._foundation.checkpoint import WEIGHTS, Checkpoint, CheckpointKind, open_checkpoint
from ohlcv_factory.models._foundation.first_touch import barrier_returns, touch_shares
from ohlcv_factory.models._foundation.kronos_bars import Draw, context_code, drawn_returns
from ohlcv_factory.models._foundation.settings import FoundationConfig, Mode
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.seeding import component_seed

REQUIRES = ("torch", "safetensors", "kronos_finance")
CLOCK = ("utc_day", "utc_minute")
TOKENIZERS: Mapping[str, str] = {
    "kronos-mini": "NeoQuasar/Kronos-Tokenizer-2k",
    "kronos-small": "NeoQuasar/Kronos-Tokenizer-base",
    "kronos-base": "NeoQuasar/Kronos-Tokenizer-base",
}
"""The tokenizer that a public checkpoint was trained with, by the last part of its name."""
NARROW_WIDTH, NARROW_BARS, WIDE_BARS = 256, 2048, 512
"""Kronos-mini, of this width, reads 2048 bars; the wider ones read 512. Their configurations do not say."""
HALF_A_PATH = 0.5


class KronosConfig(FoundationConfig):
    """Settings of Kronos (Shi et al. 2025); its checkpoints read 512 bars (mini: 2048) and draw one bar after the other."""

    checkpoint: str = setting(
        "NeoQuasar/Kronos-small",
        "folder of a checkpoint, or a hub name that this machine has a copy of",
        source="the paper's middle size",
    )
    tokenizer: str | None = setting(
        None, "folder or hub name of the tokenizer; none takes the one that a public checkpoint was trained with"
    )
    paths: int = setting(
        64, "bars that are drawn for every coming one (zero_shot)", ge=2, le=2000, source="cost: see the model card"
    )
    temperature: float = setting(
        1.0,
        "of the draws; 1 leaves the network's probabilities as they are (zero_shot)",
        gt=0,
        le=5,
        source="honest odds",
    )
    top_p: float = setting(
        1.0,
        "share of the probability that is drawn from, the likeliest first (zero_shot)",
        gt=0,
        le=1,
        source="honest odds",
    )

    sizes: ClassVar[Mapping[str, str]] = {size: f"NeoQuasar/Kronos-{size}" for size in ("mini", "small", "base")}
    aliases: ClassVar[Mapping[str, str]] = {**FoundationConfig.aliases, "num_samples": "paths"}
    idle: ClassVar[Mapping[Mode, frozenset[str]]] = {
        "frozen": frozenset({"temperature", "top_p"}),
        "finetune": frozenset({"temperature", "top_p"}),
    }


class KronosBackbone(Backbone):
    """A tokenizer of bars and a causal transformer over their tokens; the code is its state after the last bar."""

    def __init__(self, network: nn.Module, tokenizer: nn.Module, shape: BackboneShape) -> None:
        super().__init__()
        self.network, self.tokenizer, self.shape = network, tokenizer.requires_grad_(False), shape

    @torch.inference_mode()
    def draw(self, bars: Tensor, draw: Draw) -> Tensor:
        """Drawn log returns `(batch, samples, steps, 4)` of open, high, low and close since the last close."""
        room = self.shape.context_bars - draw.uniforms.shape[0]
        return drawn_returns(self.network, self.tokenizer, *_apart(bars[:, -max(2, room) :]), draw)

    def embed(self, bars: Tensor) -> Tensor:
        """The network's code of the bars, `(batch, width)`, differentiable."""
        return context_code(self.network, self.tokenizer, *_apart(bars))

    def close(self, bars: Tensor) -> Tensor:
        """The closes `(batch, bars)`."""
        return bars[..., CLOSE]


def _apart(bars: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of the bars, and the clock of each."""
    return bars[..., : -len(CLOCK)], bars[..., -len(CLOCK) :]


@ModelRegistry.register()
class Kronos(BarModel):
    """A forecaster that draws whole coming bars: P(class) is the share of drawn paths that meet a barrier first."""

    input_spec: ClassVar[InputSpec] = InputSpec(
        "sequence", "ohlcv_clock", "none", lookback=448, needs_market=True, padded=True
    )
    Config = KronosConfig
    kinds: ClassVar[tuple[CheckpointKind, ...]] = (
        CheckpointKind("kronos", {}),
        CheckpointKind("kronos", {"d_in": 6}),
    )
    config: KronosConfig
    places: ClassVar[tuple[str, ...]] = ("checkpoint", "tokenizer", "data_until")
    extra_columns = CLOCK

    @staticmethod
    def shape_of(config: Mapping[str, Any]) -> BackboneShape:
        """Sizes in a checkpoint's configuration."""
        width = whole_number(config, "d_model", 1 << 14)
        return BackboneShape(
            levels=(),
            context_bars=NARROW_BARS if width <= NARROW_WIDTH else WIDE_BARS,
            native_steps=WIDE_BARS // 2,
            width=width,
            layers=whole_number(config, "n_layers", 256),
            hidden=whole_number(config, "ff_dim", 1 << 16),
            heads=whole_number(config, "n_heads", 256),
            patch_bars=1,
        )

    def open_checkpoints(self) -> tuple[Checkpoint, ...]:
        """The network's checkpoint and its tokenizer's."""
        places = self.config.checkpoint, self._tokenizer_place()
        opened = zip(places, self.kinds, strict=True)
        return tuple(open_checkpoint(place, kind, data_until=self.config.data_until) for place, kind in opened)

    def _tokenizer_place(self) -> str:
        place = self.config.tokenizer or TOKENIZERS.get(self.config.checkpoint.rstrip("/").rpartition("/")[2].lower())
        if place is None:
            raise UsageError(
                f"the tokenizer of {self.config.checkpoint!r} is not known.",
                where="model.tokenizer",
                help="name the tokenizer that the checkpoint was trained with: its folder or hub name",
            )
        return place

    def load_backbone(self, *checkpoints: Checkpoint) -> KronosBackbone:
        """The network and its tokenizer with the checkpoints' weights."""
        network, tokenizer = (
            filled(built(module_class, checkpoint.config, checkpoint.parameters), checkpoint)
            for module_class, checkpoint in zip(_module_classes(), checkpoints, strict=True)
        )
        return self._backbone(network, tokenizer, checkpoints[0].config)

    def empty_backbone(self, most: int, *configs: Mapping[str, Any]) -> KronosBackbone:
        """The network and its tokenizer whose weights, each at most so many numbers, are to be filled."""
        network, tokenizer = (built(*each, most) for each in zip(_module_classes(), configs, strict=True))
        return self._backbone(network, tokenizer, configs[0])

    def _backbone(self, network: Any, tokenizer: Any, config: Mapping[str, Any]) -> KronosBackbone:
        if (network.s1_bits, network.s2_bits) != (tokenizer.s1_bits, tokenizer.s2_bits):
            raise DataError(
                f"the tokenizer makes tokens of {tokenizer.s1_bits} and {tokenizer.s2_bits} bits, "
                f"the network reads {network.s1_bits} and {network.s2_bits}.",
                help="use the tokenizer that the checkpoint was trained with",
            )
        return KronosBackbone(network, tokenizer, self.shape_of(config))

    def label_probabilities(self, bars: Tensor, market: RowMarket) -> np.ndarray:
        """Shares `(n, 3)` of the drawn paths that meet each row's own rule, with half a path for every class beside them."""
        backbone, config = self.ready_backbone(), self.config
        assert isinstance(backbone, KronosBackbone)
        longest = int(market.max_bars.max())
        seed = component_seed(self.seed, self.name, "paths")
        draw = Draw.of(longest, config.paths, seed, config.temperature, config.top_p)
        drawn = backbone.draw(bars, draw).double().cpu().numpy()  # (row, path, step, price)
        shares = _shares(drawn, market)
        return (shares * config.paths + HALF_A_PATH) / (config.paths + shares.shape[1] * HALF_A_PATH)


def _shares(drawn: np.ndarray, market: RowMarket) -> np.ndarray:
    """Shares `(n, 3)` of short, neutral and long among the paths `(n, paths, steps, 4)`."""
    if not (market.threshold > 0).all():
        open_, high, low, close = np.moveaxis(drawn, -1, 0)  # each (row, path, step)
        return touch_shares(open_, high, low, close, *barrier_returns(market), market.max_bars)
    at_expiry = drawn[np.arange(len(drawn)), :, market.max_bars - 1, CLOSE]
    ends = np.expm1(at_expiry)  # (row, path)
    falls, rises = (
        share.mean(axis=1) for share in (ends <= -market.threshold[:, None], ends >= market.threshold[:, None])
    )
    return np.stack([falls, 1 - falls - rises, rises], axis=1)


def _module_classes() -> tuple[Any, Any]:
    """The network and the tokenizer of the package."""
    from kronos_finance._vendor.kronos_model.kronos import Kronos as Network
    from kronos_finance._vendor.kronos_model.kronos import KronosTokenizer

    return Network, KronosTokenizer


def built(module_class: Any, config: Mapping[str, Any], most: int) -> Any:
    """A module of the package from its constructor's arguments.

    Raises DataError (65) where they are no configuration of it, or describe more than `most` numbers.
    """
    wanted = sorted(set(inspect.signature(module_class.__init__).parameters) - {"self"})
    missing = [name for name in wanted if name not in config]
    if missing:
        raise DataError(
            f"config.json of the checkpoint lacks {missing[0]!r}: it describes no {module_class.__name__}.",
            help="use a checkpoint of this model",
        )
    arguments = {name: config[name] for name in wanted}
    try:
        with torch.device("meta"):
            described = sum(each.numel() for each in module_class(**arguments).state_dict().values())
        if described <= most:
            with torch.random.fork_rng(devices=[]):
                return module_class(**arguments).float().eval()
    except (TypeError, ValueError, RuntimeError, AssertionError, ZeroDivisionError) as error:
        raise DataError(
            f"config.json describes no {module_class.__name__}: {type(error).__name__}: {str(error)[:200]}.",
            help="fetch the checkpoint again",
        ) from error
    raise DataError(
        f"config.json describes a {module_class.__name__} of {described:,} numbers, the weights hold {most:,}.",
        help="fetch both files again",
    )


def filled(module: nn.Module, checkpoint: Checkpoint) -> nn.Module:
    """The module with a checkpoint's weights. Raises DataError (65) where the two do not fit."""
    from safetensors.torch import load_file

    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    strange = sorted(name for name in {*shapes, *checkpoint.shapes} if shapes.get(name) != checkpoint.shapes.get(name))
    if strange:
        raise DataError(
            f"weights and configuration do not fit: {len(strange)} tensors differ, {strange[0]!r} among them.",
            where=str(checkpoint.folder),
            help="fetch both files again",
        )
    module.load_state_dict(load_file(checkpoint.folder / WEIGHTS))
    return module
