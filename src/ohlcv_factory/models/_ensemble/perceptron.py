"""A network of one hidden layer for the few columns of a meta-learner: exact gradients, no batches, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from ohlcv_factory.config import Search, setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.models.base import BaseModel, EpochSink, FitReport, ModelConfig
from ohlcv_factory.runtime.seeding import component_generator
from ohlcv_factory.storage.formats import read_arrays, write_arrays

LEAST = 1e-12


class PerceptronConfig(ModelConfig):
    """Settings of the hidden layer and of its descent."""

    hidden_size: int = setting(16, "units of the hidden layer", ge=1, search=Search(4, 64, log=True))
    alpha: float = setting(1e-3, "strength of the L2 penalty", ge=0, search=Search(1e-5, 1e-1, log=True))
    max_epochs: int = setting(200, "most steps of L-BFGS, each over all rows", ge=1)
    early_stopping_patience: int = setting(20, "steps without a better stop loss before training ends", ge=1)


class Perceptron(BaseModel):
    """Hidden units of tanh, softmax, weighted log-loss; L-BFGS keeps the step with the least loss on the stop rows."""

    name = "mlp"
    input_spec: ClassVar[InputSpec] = InputSpec(scaling="standard")
    Config = PerceptronConfig
    native_suffix = ".npz"

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        from scipy.optimize import minimize

        config: PerceptronConfig = self.config
        self.sizes = (train.X.shape[1], config.hidden_size, self.class_count)
        rows, stop = _Rows.of(train), None if val is None else _Rows.of(val)
        log = _Descent(self.sizes, stop, config.early_stopping_patience)
        found = minimize(
            _loss_and_gradient,
            _start(self.sizes, self.seed),
            args=(self.sizes, rows, config.alpha),
            jac=True,
            method="L-BFGS-B",
            callback=log.note,
            options={"maxiter": config.max_epochs},
        )
        self.weights = found.x if log.best is None else log.best
        return FitReport(max(1, log.steps), log.best_step, log.patience_over, {"val_loss": log.losses})

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        return _forward(self.weights, self.sizes, np.asarray(X, dtype=np.float64))[1]

    def _save(self, path: Path) -> None:
        write_arrays(path, {"weights": self.weights, "sizes": np.array(self.sizes)})

    def _load(self, path: Path) -> None:
        stored = read_arrays(path)
        inputs, hidden, classes = stored["sizes"].tolist()
        self.weights, self.sizes = stored["weights"], (inputs, hidden, classes)


@dataclass(frozen=True)
class _Rows:
    X: np.ndarray
    outcome: np.ndarray
    weight: np.ndarray
    """Shares that sum to 1."""

    @classmethod
    def of(cls, samples: Samples) -> _Rows:
        outcome = np.eye(int(samples.y.max()) + 1)[samples.y]
        return cls(samples.X.astype(np.float64), outcome, samples.weight / samples.weight.sum())


@dataclass
class _Descent:
    """Stop losses step by step; remembers the weights of the least."""

    sizes: tuple[int, int, int]
    stop: _Rows | None
    patience: int
    losses: list[float] = field(default_factory=list)
    steps: int = 0
    best: np.ndarray | None = None
    best_step: int | None = None

    @property
    def patience_over(self) -> bool:
        return self.best_step is not None and self.steps - self.best_step >= self.patience

    def note(self, weights: np.ndarray) -> None:
        """Called after each step; StopIteration ends the descent."""
        self.steps += 1
        if self.stop is None:
            return
        probabilities = _forward(weights, self.sizes, self.stop.X)[1][:, : self.stop.outcome.shape[1]]
        self.losses.append(_loss(probabilities, self.stop))
        if self.best_step is None or self.losses[-1] < self.losses[self.best_step - 1]:
            self.best, self.best_step = weights.copy(), self.steps
        if self.patience_over:
            raise StopIteration


def _start(sizes: tuple[int, int, int], seed: int) -> np.ndarray:
    """Weights of variance 1 / inputs (LeCun et al. 1998), constants 0."""
    inputs, hidden, classes = sizes
    generator = component_generator(seed, "perceptron")
    first = generator.standard_normal((inputs + 1, hidden)) / np.sqrt(inputs)
    second = generator.standard_normal((hidden + 1, classes)) / np.sqrt(hidden)
    first[-1], second[-1] = 0.0, 0.0
    return np.concatenate([first.ravel(), second.ravel()])


def _layers(weights: np.ndarray, sizes: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights of both layers, the constants in their last rows."""
    inputs, hidden, classes = sizes
    border = (inputs + 1) * hidden
    return weights[:border].reshape(inputs + 1, hidden), weights[border:].reshape(hidden + 1, classes)


def _forward(weights: np.ndarray, sizes: tuple[int, int, int], X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden units `(n, hidden)` and probabilities `(n, k)`."""
    first, second = _layers(weights, sizes)
    units = np.tanh(X @ first[:-1] + first[-1])
    scores = units @ second[:-1] + second[-1]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return units, odds / odds.sum(axis=1, keepdims=True)


def _loss(probabilities: np.ndarray, rows: _Rows) -> float:
    return float(-(rows.weight * np.log(np.maximum((probabilities * rows.outcome).sum(axis=1), LEAST))).sum())


def _loss_and_gradient(
    weights: np.ndarray, sizes: tuple[int, int, int], rows: _Rows, alpha: float
) -> tuple[float, np.ndarray]:
    """Weighted mean log-loss with its penalty, and the gradient; constants are not penalised."""
    first, second = _layers(weights, sizes)
    units, probabilities = _forward(weights, sizes, rows.X)
    excess = (probabilities - rows.outcome) * rows.weight[:, None]
    back = (excess @ second[:-1].T) * (1 - units**2)
    by_first = np.vstack([rows.X.T @ back + alpha * first[:-1], back.sum(axis=0)])
    by_second = np.vstack([units.T @ excess + alpha * second[:-1], excess.sum(axis=0)])
    penalty = alpha / 2 * ((first[:-1] ** 2).sum() + (second[:-1] ** 2).sum())
    return _loss(probabilities, rows) + penalty, np.concatenate([by_first.ravel(), by_second.ravel()])
