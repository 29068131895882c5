"""The training loop of all networks, as short steps.

Every random draw of epoch e follows from (seed, e): the order of the windows and the dropout masks. An epoch therefore
does the same whether the process has lived through the epochs before it or has read their result from a checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ohlcv_factory.dataset.windows import TorchWindows
from ohlcv_factory.errors import DataError
from ohlcv_factory.models._torch.device import Arithmetic
from ohlcv_factory.models._torch.schedule import Schedule
from ohlcv_factory.models._torch.settings import OptimizerName
from ohlcv_factory.models.base import BLOCK_ROWS, EpochSink, FitReport
from ohlcv_factory.runtime.seeding import component_seed
from ohlcv_factory.storage.atomic import write_with
from ohlcv_factory.storage.formats import read_json, write_json

OPTIMIZERS: Mapping[OptimizerName, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
SCORING_BATCH = BLOCK_ROWS
"""Windows scored at once: as many as predicted at once, so that scoring takes no more memory than predicting."""
MODEL_FILE, OPTIMIZER_FILE, PROGRESS_FILE = "model.safetensors", "optimizer.safetensors", "progress.json"


@dataclass(frozen=True)
class Examples:
    """Windows with class codes int64 `(n,)` and weights float32 `(n,)`, all on one device."""

    windows: TorchWindows
    y: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Plan:
    """Everything that decides how a network is trained."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: OptimizerName
    schedule: Schedule
    gradient_clip: float | None
    label_smoothing: float
    patience: int
    min_delta: float
    windows_per_epoch: int | None
    seconds: float | None
    """Time budget of the fit; None for none. A fit that it ends is not reproducible, and says so."""
    arithmetic: Arithmetic
    seed: int
    compile: bool
    scoring_batch: int = SCORING_BATCH
    """Rows that the stop loss is computed on at once."""


@dataclass
class Progress:
    """What a fit has come to after some epochs."""

    epoch: int = 0
    train_losses: list[float] = field(default_factory=list)
    stop_losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    best_epoch: int | None = None

    @property
    def best_loss(self) -> float:
        """Stop loss of the best epoch; infinite before the first."""
        return math.inf if self.best_epoch is None else self.stop_losses[self.best_epoch - 1]

    def waited(self) -> int:
        """Epochs since the best one."""
        return self.epoch - (self.best_epoch or self.epoch)

    def history(self) -> dict[str, list[float]]:
        """Curves by epoch."""
        return {
            "train_loss": self.train_losses,
            **({"val_loss": self.stop_losses} if self.stop_losses else {}),
            "learning_rate": self.learning_rates,
        }


def train(
    network: nn.Module,
    rows: Examples,
    stop: Examples | None,
    plan: Plan,
    sink: EpochSink,
    resume: Path | None = None,
) -> FitReport:
    """Train in place, end with the weights of the best epoch (of the last one without stop rows).

    `resume` is a checkpoint folder of an earlier fit of the same plan and rows; the result has the same bytes as an
    uninterrupted one. Raises DataError (65) with epoch and batch when the loss is no number.
    """
    fit = _Fit(network, plan, sink)
    if resume:
        fit.load(resume)
    with torch.random.fork_rng(devices=[]):
        while not fit.is_done():
            fit.one_epoch(rows, stop)
    return fit.finish()


def weighted_log_loss(network: nn.Module, rows: Examples, at_once: int = SCORING_BATCH) -> float:
    """Weighted mean of -log(probability of the true class), in nats, without dropout."""
    total = torch.zeros((), dtype=torch.float64)
    for positions in torch.arange(len(rows), device=rows.y.device).split(at_once):
        losses = functional.cross_entropy(logits(network, rows, positions), rows.y[positions], reduction="none")
        total += (losses.double() * rows.weight[positions]).sum().cpu()
    return float(total / rows.weight.double().sum().cpu())


@torch.inference_mode()
def logits(network: nn.Module, rows: Examples, positions: Tensor) -> Tensor:
    """Logits `(b, classes)` of some rows, as in a prediction: fp32, no dropout."""
    network.eval()
    result: Tensor = network(rows.windows.batch(positions))
    return result


class _Fit:
    """A network being trained: its optimizer, what it has come to, and the weights of the best epoch."""

    def __init__(self, network: nn.Module, plan: Plan, sink: EpochSink) -> None:
        self.network, self.plan, self.sink = network, plan, sink
        self.stepping: Any = torch.compile(network) if plan.compile else network
        self.optimizer = OPTIMIZERS[plan.optimizer](parameter_groups(network, plan), lr=plan.learning_rate)
        self.scaler = plan.arithmetic.scaler()
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.started = time.monotonic()

    def is_done(self) -> bool:
        """Whether all epochs are over, patience is, or the time is."""
        plan, progress = self.plan, self.progress
        out_of_time = plan.seconds is not None and time.monotonic() - self.started > plan.seconds
        return (
            progress.epoch >= plan.epochs or progress.waited() >= plan.patience or (out_of_time and progress.epoch > 0)
        )

    def one_epoch(self, rows: Examples, stop: Examples | None) -> None:
        """One pass over (a draw of) the rows, the stop loss after it, and a checkpoint."""
        progress, epoch = self.progress, self.progress.epoch + 1
        torch.manual_seed(component_seed(self.plan.seed, "dropout", epoch))
        share = self.plan.schedule.share(epoch, progress.stop_losses)
        self._set_rates(share)
        self._wake(epoch)
        progress.learning_rates.append(self.plan.learning_rate * share)
        progress.train_losses.append(self._steps(rows, epoch))
        progress.epoch = epoch
        if stop is not None:
            self._score(stop)
        losses = {"train_loss": progress.train_losses[-1]}
        losses |= {"val_loss": progress.stop_losses[-1]} if progress.stop_losses else {}
        self.sink.on_epoch(epoch, self.plan.epochs, losses)
        self.sink.on_checkpoint(epoch, losses.get("val_loss", losses["train_loss"]), self.save)

    def finish(self) -> FitReport:
        """Put the best weights in place and tell how it went."""
        progress = self.progress
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.eval()
        stopped = progress.epoch < self.plan.epochs
        return FitReport(progress.epoch, progress.best_epoch, stopped, progress.history())

    def _steps(self, rows: Examples, epoch: int) -> float:
        """All optimizer steps of an epoch; the weighted mean loss over its rows."""
        self.network.train()
        total, weight = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for number, positions in enumerate(self._batches(rows, epoch)):
            loss, batch_weight = self._step(rows, positions)
            if not math.isfinite(loss):
                raise DataError(
                    f"the loss is {loss} in epoch {epoch}, batch {number + 1}.",
                    help="a lower learning_rate, gradient_clip, or precision: fp32",
                )
            total, weight = total + loss * batch_weight, weight + batch_weight
        return float(total / weight)

    def _batches(self, rows: Examples, epoch: int) -> Iterator[Tensor]:
        """Positions of each batch: a permutation that follows from seed and epoch, cut to the epoch's draw."""
        generator = torch.Generator().manual_seed(component_seed(self.plan.seed, "order", epoch))
        order = torch.randperm(len(rows), generator=generator)[: self.plan.windows_per_epoch]
        yield from order.to(rows.y.device).split(self.plan.batch_size)

    def _step(self, rows: Examples, positions: Tensor) -> tuple[float, float]:
        """One optimizer step; the weighted mean loss of the batch, and its weight."""
        weight = rows.weight[positions]
        self.optimizer.zero_grad(set_to_none=True)
        with self.plan.arithmetic.casting():
            scores = self.stepping(rows.windows.batch(positions))
            losses = functional.cross_entropy(
                scores.float(), rows.y[positions], reduction="none", label_smoothing=self.plan.label_smoothing
            )
        batch_weight = weight.sum()
        loss = (losses * weight).sum() / batch_weight
        self.scaler.scale(loss).backward()
        if self.plan.gradient_clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return float(loss.detach()), float(batch_weight)

    def _score(self, stop: Examples) -> None:
        """Note the stop loss; clone the weights when it is a new best."""
        progress = self.progress
        loss = weighted_log_loss(self.network, stop, self.plan.scoring_batch)
        if not math.isfinite(loss):
            raise DataError(f"the stop loss is {loss} after epoch {progress.epoch}.", help="a lower learning_rate")
        lower = loss < progress.best_loss - (self.plan.min_delta if progress.best_epoch else 0.0)
        progress.stop_losses.append(loss)
        if lower:
            progress.best_epoch = progress.epoch
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def _set_rates(self, share: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_rate"] * share

    def _wake(self, epoch: int) -> None:
        """Let parameters learn that rest for the first epochs, as soon as those are over."""
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(epoch > group.get("rests_epochs", 0))

    def save(self, folder: Path) -> None:
        """Write weights, the best weights, optimizer and progress after this epoch."""
        tensors = {f"last.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        _save_tensors(tensors, folder / MODEL_FILE)
        moments, numbers = _split_optimizer(self.optimizer)
        _save_tensors(moments, folder / OPTIMIZER_FILE)
        write_json(folder / PROGRESS_FILE, {**vars(self.progress), "optimizer": numbers})

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote."""
        tensors = load_file(folder / MODEL_FILE, device=self.plan.arithmetic.device)
        self.network.load_state_dict(_without_prefix(tensors, "last."))
        self.best = _without_prefix(tensors, "best.")
        saved = read_json(folder / PROGRESS_FILE)
        numbers = saved.pop("optimizer")
        self.progress = Progress(**saved)
        _load_optimizer(self.optimizer, load_file(folder / OPTIMIZER_FILE), numbers)


def parameter_groups(network: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Parameters with their own step size, decay and epochs of rest where the encoder asks for it; the head has the plan's."""
    encoder: Any = getattr(network, "encoder", None)
    own = encoder.parameter_groups(plan.learning_rate, plan.weight_decay) if encoder is not None else []
    taken = {id(parameter) for group in own for parameter in group["params"]}
    others = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    groups = [*own, {"params": others, "lr": plan.learning_rate, "weight_decay": plan.weight_decay}]
    return [{**group, "base_rate": group["lr"]} for group in groups]


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    whole = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    write_with(path, lambda temporary: save_file(whole, temporary))


def _without_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _split_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, dict[str, float]]]:
    """Moments as tensors `<parameter>.<name>`, the rest as numbers."""
    moments: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, float]] = {}
    for parameter, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                moments[f"{parameter}.{name}"] = value
            else:
                numbers.setdefault(str(parameter), {})[name] = value
    return moments, numbers


def _load_optimizer(
    optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor], numbers: Mapping[str, Mapping[str, float]]
) -> None:
    state: dict[int, dict[str, Any]] = {int(parameter): dict(values) for parameter, values in numbers.items()}
    for key, value in moments.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
