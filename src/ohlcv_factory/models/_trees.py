"""What the boosting models share: settings, model, the chunk loop with its stopping rule, the choice of a device.

XGBoost and LightGBM train in chunks of `chunk_trees` rounds. A chunk starts from the trees before it and a seed of its
own, so a fit that is resumed at a chunk's border gives the same bytes as one that never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec
from ohlcv_factory.errors import DeviceError
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, ModelConfig
from ohlcv_factory.models.explanation import BASE, Explanation
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.storage.atomic import write_with
from ohlcv_factory.storage.formats import read_json, write_json

Device = Literal["auto", "cpu", "cuda"]
ROUNDS = "rounds.json"
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


class BoostingConfig(ModelConfig):
    """Settings that every boosting model has."""

    learning_rate: float = setting(
        0.05, "shrinks each tree", gt=0, le=1, search=Search(0.01, 0.3, log=True), source="specification"
    )
    early_stopping_rounds: int = setting(
        50, "rounds without a better stop loss before training ends", ge=1, source="specification"
    )
    fixed_rounds: int = setting(
        100,
        "rounds trained when there are no rows to stop on (at most the rounds asked for)",
        ge=1,
        source="no stop rows",
    )
    device: Device = setting("auto", "auto: a GPU where one works, else the CPU", source="specification (use_gpu)")

    refused: ClassVar[dict[str, str]] = {
        "use_gpu": "write device: auto, cpu or cuda",
        "scale_pos_weight": "it exists for two classes only; sample weights balance three",
        "eval_metric": "rounds are always chosen by the weighted multi-class log-loss",
    }


class ChunkedConfig(BoostingConfig):
    """Settings of the boosting models that train in seeded chunks."""

    n_estimators: int = setting(500, "most rounds to train", ge=1, le=20_000, source="specification")
    max_depth: int = setting(6, "deepest split of a tree", ge=1, le=30, search=Search(3, 10), source="specification")
    subsample: float = setting(
        0.8, "share of rows drawn for each round", gt=0, le=1, search=Search(0.5, 1.0), source="specification"
    )
    colsample_bytree: float = setting(
        0.8, "share of features drawn for each tree", gt=0, le=1, search=Search(0.3, 1.0), source="specification"
    )
    reg_alpha: float = setting(
        0.1, "L1 penalty on leaf values", ge=0, search=Search(1e-3, 10.0, log=True), source="specification"
    )
    reg_lambda: float = setting(
        1.0, "L2 penalty on leaf values", ge=0, search=Search(1e-3, 10.0, log=True), source="specification"
    )
    chunk_trees: int = setting(
        50, "rounds per seeded chunk; a border is a checkpoint; another size is another model", ge=1, source="semantics"
    )

    trainer_aliases: ClassVar[dict[str, str]] = {
        "max_epochs": "n_estimators",
        "early_stopping_patience": "early_stopping_rounds",
    }


class BoostingModel(BaseModel):
    """A boosting model of any library: its booster, its number of rounds, its device."""

    input_spec: ClassVar[InputSpec] = InputSpec(feature_set="boosting_optimal")
    rounds_field = "fixed_rounds"
    resumable = True
    shape_decides = True

    _booster: Any = None

    def check_ready(self) -> None:
        """Refuse a device that is not there (DeviceError, 69)."""
        refuse_absent_device(self.config.device, self.name)


class ChunkGrower(Protocol):
    """A library's booster while it is fitted."""

    def grow(self, rounds: int, seed: int, on_round: Callable[[float | None], bool]) -> None:
        """Add up to `rounds` rounds; `on_round(stop loss, or None)` is called after each, True ends the chunk."""

    def save(self, path: Path) -> None:
        """Write the rounds so far in the library's own format."""

    def load(self, path: Path) -> None:
        """Continue from what `save` wrote."""


@dataclass
class RoundLog:
    """The stop loss of each round: tells the sink, remembers the best round, says when patience is over."""

    rounds_planned: int
    patience: int
    sink: EpochSink
    rounds: int = 0
    losses: list[float] = field(default_factory=list)
    best_round: int | None = None
    """The earliest round with the lowest stop loss, counted from 1; None without stop rows."""

    @property
    def patience_over(self) -> bool:
        """Whether `patience` rounds in a row brought no lower stop loss."""
        return self.best_round is not None and self.rounds - self.best_round >= self.patience

    @property
    def rounds_to_keep(self) -> int:
        """Rounds that predictions use."""
        return self.best_round or self.rounds

    def add(self, loss: float | None) -> bool:
        """Take note of one more round. True when training should end."""
        self.rounds += 1
        if loss is not None:
            self.losses.append(float(loss))
            if self.best_round is None or loss < self.losses[self.best_round - 1]:
                self.best_round = self.rounds
        self.sink.on_epoch(self.rounds, self.rounds_planned, {} if loss is None else {"val_loss": float(loss)})
        return self.patience_over

    def continue_from(self, saved: Mapping[str, Any]) -> None:
        """Know what an earlier process had come to."""
        self.rounds, self.losses = saved["rounds"], list(saved["val_loss"])
        if self.losses:
            self.best_round = 1 + int(np.argmin(self.losses))  # the earliest of equals

    def report(self) -> FitReport:
        """What the fit tells the base."""
        history = {"val_loss": self.losses} if self.losses else {}
        return FitReport(self.rounds, self.best_round, self.rounds < self.rounds_planned, history)


def boost(model: BaseModel, grower: ChunkGrower, log: RoundLog) -> FitReport:
    """Grow `log.rounds_planned` rounds chunk by chunk, or fewer when the stop loss no longer falls.

    After each chunk the sink may save `model.*` and `rounds.json`: all that the next chunk depends on. Where the model
    has a checkpoint to continue from, the rounds in it are read instead of grown, and the result has the same bytes.
    """
    config: ChunkedConfig = model.config
    native = f"model{model.native_suffix}"

    def save(folder: Path) -> None:
        write_with(folder / native, grower.save)
        write_json(folder / ROUNDS, {"rounds": log.rounds, "val_loss": log.losses})

    if model.resume_from is not None:
        log.continue_from(read_json(model.resume_from / ROUNDS))
        grower.load(model.resume_from / native)
    while log.rounds < log.rounds_planned and not log.patience_over:
        chunk = log.rounds // config.chunk_trees
        rounds = min(config.chunk_trees, log.rounds_planned - log.rounds)
        grower.grow(rounds, component_seed(model.seed, model.name, "chunk", chunk), log.add)
        log.sink.on_checkpoint(log.rounds, log.losses[-1] if log.losses else -float(log.rounds), save)
    return log.report()


def planned_rounds(most: int, fixed: int, has_stop_rows: bool) -> int:
    """Rounds to train: as many as asked for where stop rows can end it, a fixed number where there are none."""
    return most if has_stop_rows else min(most, fixed)


def chosen_device(asked: Device, name: str, works: Callable[[], bool]) -> Literal["cpu", "cuda"]:
    """The device to train on. `works` is asked only where a graphics card is present.

    Raises DeviceError (69) when CUDA was asked for and this machine, or the library's build, does not have it.
    """
    if asked == "cpu":
        return "cpu"
    if NVIDIA_DRIVER.exists() and works():
        return "cuda"
    if asked == "cuda":
        raise DeviceError(
            f"model {name!r} cannot train on CUDA here: no NVIDIA driver, or a build of the library without CUDA.",
            where="device: cuda",
            help="set device: auto (or cpu)",
        )
    return "cpu"


def refuse_absent_device(asked: Device, name: str) -> None:
    """Raise DeviceError (69) before any work where CUDA was asked for and there is no driver; the build may lack it still."""
    if asked == "cuda" and not NVIDIA_DRIVER.exists():
        chosen_device(asked, name, lambda: False)


def contributions(model: BaseModel, values: np.ndarray) -> dict[str, Explanation]:
    """SHAP values `(n, classes seen, F + 1)` of a booster as what the model says of its answers, the base value last.

    Exact and without a sample of other rows: TreeSHAP on the paths of the trees (Lundberg et al. 2020). They sum to the
    raw score of a class, whose softmax is the uncalibrated probability.
    """
    axes = {
        "class": tuple(CLASS_NAMES[code] for code in model.classes),
        "contribution": (*model.feature_names, BASE),
    }
    return {"contributions": Explanation("contributions", values.astype(np.float32), axes)}
