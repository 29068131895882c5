"""Settings that all foundation models share. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from ohlcv_factory.config import Search, setting
from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.models._torch.settings import SPECIFICATION, NetworkConfig, figure

if TYPE_CHECKING:
    from ohlcv_factory.models._foundation.backbone import BackboneShape

Mode = Literal["zero_shot", "frozen", "finetune"]
LONGEST_DEFAULT = 2048
"""Bars of a context where none is asked for and the checkpoint would read more: the cost grows with them."""
FORECAST_BYTES, TRAINING_BYTES = 1_000_000_000, 2_000_000_000
"""Working memory that blocks and batches are chosen for; constants, so that the same recipe has the same bytes anywhere."""
MOST_BLOCK_ROWS, HEAD_BATCH, FINETUNE_BATCH = 256, 256, 32
SMALL_WINDOWS = 8192
MODE_WORDS: Mapping[str, Mapping[bool, Mode | None]] = {
    "use_zero_shot": {True: "zero_shot", False: "finetune"},
    "fine_tune": {True: "finetune", False: "zero_shot"},
    "freeze_backbone": {True: "frozen", False: None},
    "freeze_encoder": {True: "frozen", False: None},
}
"""The specification's switches, and the mode that each of them means."""
OF_TRAINING = frozenset(
    {
        "batch_size",
        "max_epochs",
        "head_learning_rate",
        "weight_decay",
        "gradient_clip",
        "early_stopping_patience",
        "min_delta",
    }
    | {"optimizer", "scheduler", "warmup_epochs", "plateau_patience", "dropout", "preset", "fixed_epochs", "compile"}
    | {"windows_per_epoch", "label_smoothing", "time_budget_minutes", "precision"}
)
OF_FINETUNING = frozenset({"learning_rate", "freeze_epochs"})
IDLE: Mapping[Mode, frozenset[str]] = {
    "zero_shot": OF_TRAINING | OF_FINETUNING,
    "frozen": OF_FINETUNING | {"paths"},
    "finetune": frozenset({"paths"}),
}
"""Fields that cannot act in a mode."""


class FoundationConfig(NetworkConfig):
    """Base of every foundation model's settings: what is done with the checkpoint, and how its head is trained."""

    mode: Mode = setting(
        "zero_shot",
        "zero_shot: its forecast through each row's label rule; frozen: a head on its codes; finetune: head and network",
        source=SPECIFICATION,
    )
    checkpoint: str = setting("", "folder of a checkpoint, or a hub name that this machine has a copy of")
    data_until: str | None = setting(
        None,
        "last day (YYYY-MM-DD) of the pre-training data, where the checkpoint is not known here",
        source="semantics",
    )
    lookback: int | None = setting(  # type: ignore[assignment]
        None,
        f"bars per context; none takes what the checkpoint reads, at most {LONGEST_DEFAULT}",
        ge=2,
        le=16384,
        search=Search(64, 2048, log=True),
        source="issue 5",
    )
    paths: int = setting(
        2000, "paths drawn through the forecast's quantiles (zero_shot)", ge=200, le=20_000, source="measured"
    )
    block_rows: int | None = setting(
        None, "rows per block of a prediction; none chooses by memory", ge=1, le=256, source="measured"
    )
    batch_size: int | None = setting(  # type: ignore[assignment]
        None,
        f"rows per training step; none takes {HEAD_BATCH}, in finetune at most {FINETUNE_BATCH}",
        ge=1,
        source="measured",
    )
    max_epochs: int = figure("max_epochs", 10)
    learning_rate: float = setting(
        1e-5,
        "largest step size of the network in finetune",
        gt=0,
        le=1,
        search=Search(1e-6, 1e-4, log=True),
        source=SPECIFICATION,
    )
    head_learning_rate: float = setting(
        1e-3, "largest step size of the head", gt=0, le=1, search=Search(1e-4, 1e-2, log=True), source="measured"
    )
    freeze_epochs: int = setting(
        3, "epochs of finetune in which only the head learns", ge=0, search=Search(0, 5), source=SPECIFICATION
    )
    early_stopping_patience: int = figure("early_stopping_patience", 5)
    warmup_epochs: int = figure("warmup_epochs", 0, source="a head needs none")
    dropout: float = figure("dropout", 0.1, source="measured")

    idle: ClassVar[Mapping[Mode, frozenset[str]]] = {}
    """Fields of this model beside those of all that cannot act in a mode."""
    sizes: ClassVar[Mapping[str, str]] = {}
    """Checkpoints by the specification's `model_size`."""
    aliases: ClassVar[Mapping[str, str]] = {
        **NetworkConfig.aliases,
        "model_id": "checkpoint",
        "pretrained_path": "checkpoint",
    }
    refused: ClassVar[Mapping[str, str]] = {
        **NetworkConfig.refused,
        "prediction_length": "the forecast is as long as the label's: max_bars of a triple barrier, or the horizon",
    }

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, where: str = "", lines: Mapping[str, int] | None = None, section: str = ""
    ) -> Self:
        """Settings from plain values, the specification's switches and sizes included (UsageError, 2)."""
        named = _with_checkpoint(_with_mode(values, where), cls.sizes, where)
        return super().parse(named, where=where, lines=lines, section=section)

    @field_validator("data_until")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None:
            date.fromisoformat(value)
        return value

    @field_validator("paths")
    @classmethod
    def _are_pairs(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"paths come in mirrored pairs: an even number, got {value}")
        return value

    @model_validator(mode="after")
    def _refuse_idle(self) -> Self:
        """Raise for a field that was changed and cannot act in this mode."""
        fields = type(self).model_fields
        changed = [
            name
            for name in sorted(IDLE[self.mode] | self.idle.get(self.mode, frozenset()))
            if name in fields and getattr(self, name) != fields[name].default
        ]
        if changed:
            raise ValueError(f"{', '.join(changed)}: cannot act in mode {self.mode}")
        return self

    def for_machine(self, has_gpu: bool) -> Self:
        """The settings with the preset carried out: it says how many windows an epoch draws, and never changes a size."""
        if self.mode == "zero_shot":
            return self
        preset = self.preset if self.preset != "auto" else ("spec" if has_gpu else "small")
        changed: dict[str, Any] = {"preset": preset}
        if preset == "small" and "windows_per_epoch" not in self.model_fields_set:
            changed["windows_per_epoch"] = SMALL_WINDOWS
        return self.model_copy(update=changed)

    def for_checkpoint(self, shape: BackboneShape) -> Self:
        """The settings with context, block and batch filled in. Raises UsageError (2) for a context that is too long."""
        if self.lookback is not None and self.lookback > shape.context_bars:
            raise UsageError(
                f"lookback {self.lookback} is longer than the {shape.context_bars} bars that the checkpoint reads.",
                where="model.lookback",
                help=f"at most {shape.context_bars}",
            )
        lookback = self.lookback or min(LONGEST_DEFAULT, shape.context_bars)
        block = self.block_rows or _fitting(FORECAST_BYTES, shape.forecast_bytes(lookback), MOST_BLOCK_ROWS)
        changed = {"lookback": lookback, "block_rows": block}
        if self.mode != "zero_shot" and self.batch_size is None:
            tuned = _fitting(TRAINING_BYTES, shape.training_bytes(lookback), FINETUNE_BATCH)
            changed["batch_size"] = HEAD_BATCH if self.mode == "frozen" else tuned
        return self.model_copy(update=changed)


def _fitting(budget: int, each: int, most: int) -> int:
    """The largest power of two, at most `most`, whose rows fit into the budget; 1 where none does."""
    fits = max(1, min(most, budget // max(1, each)))
    return int(2 ** math.floor(math.log2(fits)))


def _with_mode(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values with the specification's switches as `mode`; two that contradict are refused by name."""
    given = {key: value for key, value in values.items() if key in MODE_WORDS}
    named = {key: value for key, value in values.items() if key not in given}
    if not given:
        return named
    strange = [key for key, value in given.items() if not isinstance(value, bool)]
    if strange:
        raise UsageError(f"{strange[0]} must be true or false, got {given[strange[0]]!r}.", where=where)
    meant = {MODE_WORDS[key][value] for key, value in given.items()} - {None}
    if meant == {"finetune", "frozen"}:  # trained, with the network left as it is
        meant = {"frozen"}
    meant |= {named["mode"]} if "mode" in named else set()
    if len(meant) > 1:
        raise UsageError(
            f"{', '.join(given)} contradict each other" + (" and mode." if "mode" in named else "."),
            where=where,
            help="write mode: zero_shot, frozen or finetune",
        )
    return {**named, **({"mode": meant.pop()} if meant else {})}


def _with_checkpoint(values: dict[str, Any], sizes: Mapping[str, str], where: str) -> dict[str, Any]:
    """The values with the specification's `model_size` as a checkpoint."""
    if "model_size" not in values or not sizes:
        return values
    size = values["model_size"]
    if size not in sizes:
        raise unknown_name("model_size", str(size), sizes, where=where)
    rest = {key: value for key, value in values.items() if key != "model_size"}
    if {"checkpoint", "model_id", "pretrained_path"} & set(rest):
        raise UsageError("model_size and checkpoint both name a checkpoint.", where=where, help="give one of them")
    return {**rest, "checkpoint": sizes[size]}
