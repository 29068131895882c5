"""Settings that every network has: window, optimizer, schedule, early stopping. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from ohlcv_factory.config import Search, setting
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.base import ModelConfig

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
OptimizerName = Literal["adamw", "adam", "sgd"]
Preset = Literal["auto", "spec", "small"]

SPECIFICATION = "specification"
LSTM = "specification of the LSTM"
SMALL_LOOKBACK = 64
SMALL: Mapping[str, Any] = {"windows_per_epoch": 8192, "max_epochs": 20, "early_stopping_patience": 5}
"""What the small preset changes in the loop of every network; each network adds its own sizes."""

_RULES: dict[str, dict[str, Any]] = {
    "lookback": {"help": "bars per window, the last one is the bar of the decision", "ge": 2, "le": 4096},
    "batch_size": {"help": "windows per step of the optimizer", "ge": 1},
    "max_epochs": {"help": "most epochs to train", "ge": 1},
    "learning_rate": {
        "help": "largest step size of the optimizer",
        "gt": 0,
        "le": 1,
        "search": Search(1e-4, 1e-2, log=True),
    },
    "weight_decay": {"help": "pull of the weights to zero (decoupled from the gradient)", "ge": 0},
    "gradient_clip": {"help": "largest norm of the gradient; 0 leaves it alone", "ge": 0},
    "early_stopping_patience": {"help": "epochs without a better stop loss before training ends", "ge": 1},
    "min_delta": {"help": "least fall of the stop loss that counts as better", "ge": 0},
    "optimizer": {"help": "how a gradient becomes a step"},
    "scheduler": {"help": "how the step size falls"},
    "warmup_epochs": {"help": "epochs in which the step size rises from zero", "ge": 0},
    "plateau_patience": {"help": "epochs without a better stop loss before `plateau` lowers the step size", "ge": 1},
    "dropout": {"help": "share of units set to zero while training", "ge": 0, "lt": 1, "search": Search(0.0, 0.5)},
}


def figure(name: str, default: Any, *, source: str = SPECIFICATION, search: Search | None = None) -> Any:
    """The shared setting `name` with a model's own figure: its rule and help keep one owner."""
    rule = _RULES[name] if search is None else {**_RULES[name], "search": search}
    return setting(default, **rule, source=source)


def _shared(name: str, default: Any, *, search: Search | None = None) -> Any:
    """A figure of the specification's LSTM, which stands for every network that has none of its own."""
    return figure(name, default, source=LSTM, search=search)


def refuse_uneven_heads(width: int, heads: int) -> None:
    """Raise ValueError where `width` cannot be shared by the attention heads."""
    if width % heads:
        raise ValueError(f"the width must be a multiple of the attention heads, got {width} and {heads}")


class NetworkConfig(ModelConfig):
    """Base of every network's settings; the figures are those of the specification's LSTM."""

    lookback: int = _shared("lookback", 60, search=Search(30, 120))
    batch_size: int = _shared("batch_size", 256)
    max_epochs: int = _shared("max_epochs", 100)
    learning_rate: float = _shared("learning_rate", 1e-3)
    weight_decay: float = _shared("weight_decay", 1e-4)
    gradient_clip: float = _shared("gradient_clip", 1.0)
    early_stopping_patience: int = _shared("early_stopping_patience", 15)
    min_delta: float = _shared("min_delta", 1e-4)
    optimizer: OptimizerName = _shared("optimizer", "adamw")
    scheduler: Literal["cosine", "plateau", "none"] = _shared("scheduler", "cosine")
    warmup_epochs: int = _shared("warmup_epochs", 5)
    plateau_patience: int = _shared("plateau_patience", 5)
    dropout: float = _shared("dropout", 0.3)
    preset: Preset = setting(
        "auto",
        "sizes of the specification, or small ones for a CPU; auto: spec where there is a GPU",
        source="semantics",
    )
    fixed_epochs: int = setting(10, "epochs trained when there are no rows to stop on", ge=1, source="no stop rows")
    windows_per_epoch: int | None = setting(
        None, "windows drawn for each epoch, none takes all; scores are always on all", ge=1, source="semantics"
    )
    label_smoothing: float = setting(0.0, "share of each target spread over all classes", ge=0, lt=1, source="off")
    time_budget_minutes: float | None = setting(
        None, "end the training after this long; such a fit cannot be repeated to the byte", gt=0, source="off"
    )
    precision: Precision = setting(
        "auto", "of training steps; auto: bf16 where the machine gains from it", source="measured"
    )
    device: Device = setting("auto", "where to train; auto: a GPU where there is one", source=SPECIFICATION)
    compile: bool = setting(False, "torch.compile; on a CPU it costs more than it saves", source="measured")

    small: ClassVar[Mapping[str, Any]] = {}
    """This network's own sizes in the small preset."""
    aliases: ClassVar[Mapping[str, str]] = {
        "sequence_length": "lookback",
        "seq_len": "lookback",
        "backcast_length": "lookback",
        "encoder_length": "lookback",
        "context_length": "lookback",
    }
    """Other names of a field, as the specification and the papers write them."""
    trainer_aliases: ClassVar[Mapping[str, str]] = {
        "sequence_length": "lookback",
        "batch_size": "batch_size",
        "max_epochs": "max_epochs",
        "early_stopping_patience": "early_stopping_patience",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "input_features": "the number of features is that of the data",
        "mixed_precision": "write precision: auto, fp32, bf16 or fp16",
        "class_weights": "write balanced: true beside model:, it weights the rows",
        "loss": "classes are always learned by the weighted cross-entropy",
        "label_len": "a classifier has no decoder that would start from known labels",
    }

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, where: str = "", lines: Mapping[str, int] | None = None, section: str = ""
    ) -> Self:
        """Settings from plain values under any declared name. Raises UsageError (2) for one field named twice."""
        named: dict[str, Any] = {}
        for key, value in values.items():
            field = cls.aliases.get(key, key)
            if field in named:
                raise UsageError(f"{key} is {field} under another name, and both are given.", where=where)
            named[field] = value
        return super().parse(named, where=where, lines=lines, section=section)

    def overridden(self, changes: Mapping[str, Any]) -> Self:
        """These settings with some changed, under any declared name. Raises UsageError (2) for another preset."""
        named = {self.aliases.get(key, key): value for key, value in changes.items()}
        if named.get("preset", self.preset) != self.preset:
            raise UsageError(
                f"preset {self.preset!r} was carried out when the model was made, {named['preset']!r} comes too late.",
                where="config",
                help="give the preset to `create`",
            )
        return super().overridden(named)

    def for_machine(self, has_gpu: bool) -> Self:
        """The settings with the preset carried out; a value set by hand stays, `preset` says what was chosen."""
        preset = self.preset if self.preset != "auto" else ("spec" if has_gpu else "small")
        changed: dict[str, Any] = {"preset": preset}
        if preset == "small":
            sizes = {**SMALL, "lookback": min(SMALL_LOOKBACK, self.lookback), **self.small}
            changed |= {name: value for name, value in sizes.items() if name not in self.model_fields_set}
        return self.model_copy(update=changed)


class RecurrentConfig(NetworkConfig):
    """Settings that LSTM and GRU share."""

    hidden_size: int = setting(
        128, "width of each layer's state", ge=1, search=Search(32, 256, log=True), source=SPECIFICATION
    )
    num_layers: int = setting(2, "recurrent layers", ge=1, le=8, search=Search(1, 3), source=SPECIFICATION)
    bidirectional: bool = setting(False, "also read each window from its last bar back", source=SPECIFICATION)


class LinearConfig(NetworkConfig):
    """Settings that DLinear and NLinear share."""

    lookback: int = figure("lookback", 96, search=Search(48, 192))
    batch_size: int = figure("batch_size", 32)
    max_epochs: int = figure("max_epochs", 20)
    learning_rate: float = figure("learning_rate", 0.005)
    weight_decay: float = figure("weight_decay", 0.0)
    early_stopping_patience: int = figure("early_stopping_patience", 5)
    scheduler: Literal["cosine", "plateau", "none"] = figure("scheduler", "none")
    warmup_epochs: int = figure("warmup_epochs", 0)
    dropout: float = figure("dropout", 0.0, source="Zeng et al. 2023")
    pred_len: int = setting(
        20, "steps of the linear outlook per feature", ge=1, search=Search(5, 20), source=SPECIFICATION
    )
    individual: bool = setting(
        True, "a linear map for each feature instead of one", search=Search(choices=(True, False)), source=SPECIFICATION
    )
