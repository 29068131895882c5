"""Fit the map that makes probabilities mean what they say, and choose among the kinds of it by log-loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ohlcv_factory.evaluation.calibrators import (
    IDENTITY,
    PROBABILITY_FLOOR,
    SIGMOID_LIMIT,
    Calibrator,
    Curve,
    Isotonic,
    Sigmoid,
    TemperatureBias,
    Triple,
    log,
    logit,
    softmax,
)
from ohlcv_factory.evaluation.classification import log_loss, row_losses
from ohlcv_factory.labels.classes import CLASS_COUNT
from ohlcv_factory.runtime.threads import one_blas_thread

Method = Literal["auto", "temperature", "sigmoid", "isotonic", "none"]
AUTO_ROWS = 1000
"""Below, there is nothing to choose: a fold of held-out rows would be smaller than 200."""
FOLDS = 5
SHARPNESS_BOUNDS = (0.05, 20.0)
"""Of 1 / temperature, so that a small sample cannot make probabilities all alike or all certain."""
BIAS_BOUNDS = (-5.0, 5.0)
SLOPE_BOUNDS = (0.0, SIGMOID_LIMIT)
"""A sigmoid may level a class, but not turn it around."""
INTERCEPT_BOUNDS = (-SIGMOID_LIMIT, SIGMOID_LIMIT)
OPTIONS = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 200}

Fit = Callable[[np.ndarray, np.ndarray], Calibrator]


@dataclass(frozen=True)
class Choice:
    """A calibrator fitted on all rows, and what each kind lost on rows that it was not fitted on."""

    calibrator: Calibrator
    method: str
    losses: Mapping[str, float]
    """Mean log-loss on held-out rows by method, in nats; empty where there was nothing to choose."""


def choose_calibrator(
    method: Method, probabilities: np.ndarray, truth: np.ndarray, time_ns: np.ndarray, label_end_ns: np.ndarray
) -> Choice:
    """A calibrator of the kind asked for; `auto` is the one of least log-loss in a cross-validation inside the rows.

    probabilities `(n, 3)` raw, truth `(n,)` classes, time and (scheduled) label end `(n,)` in ns. Five blocks of time
    are held out in turn, purged by label end on both sides. Temperature and bias, the smallest kind, stay unless a larger
    one loses less by more than one standard error over the blocks; below 1,000 rows they stay without a question.
    """
    if method == "none":
        return Choice(IDENTITY, method, {})
    if method != "auto":
        return Choice(FITS[method](probabilities, truth), method, {})
    if len(truth) < AUTO_ROWS:
        return Choice(fit_temperature(probabilities, truth), "temperature", {})
    table = held_out_losses(probabilities, truth, time_ns, label_end_ns)
    chosen = _smallest_good(table)
    losses = {name: float(np.mean(values)) for name, values in table.items()}
    return Choice(FITS[chosen](probabilities, truth), chosen, losses)


def held_out_losses(
    probabilities: np.ndarray, truth: np.ndarray, time_ns: np.ndarray, label_end_ns: np.ndarray
) -> dict[str, list[float]]:
    """Log-loss of each kind on each of five blocks of time, fitted on the rows whose labels do not reach into it."""
    table: dict[str, list[float]] = {name: [] for name in FITS}
    for train, held in _blocks(time_ns, label_end_ns):
        for name, fit in FITS.items():
            calibrated = fit(probabilities[train], truth[train]).apply(probabilities[held])
            table[name].append(float(row_losses(truth[held], calibrated).mean()))
    return table


def _blocks(time_ns: np.ndarray, label_end_ns: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows held out, bool `(n,)` each; rows of one moment stay together."""
    borders = np.quantile(time_ns, np.arange(FOLDS) / FOLDS, method="higher")
    block = np.searchsorted(borders, time_ns, side="right") - 1
    for place in np.unique(block):
        held = block == place
        before = label_end_ns < time_ns[held].min()
        yield before | (time_ns > label_end_ns[held].max()), held


def _smallest_good(table: Mapping[str, list[float]]) -> str:
    """The first kind, or a later and larger one that loses less by more than one standard error."""
    chosen, *larger = table
    for name in larger:
        gain = np.array(table[chosen]) - np.array(table[name])
        if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
            chosen = name
    return chosen


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> Calibrator:
    """Temperature and biases of least log-loss on raw probabilities `(n, 3)` and classes `(n,)`, unweighted.

    Identity where a class does not occur (its bias would run away), or where none has a smaller loss than identity on
    these rows.
    """
    if _lacks_a_class(truth):
        return IDENTITY
    rows = log(np.asarray(probabilities, dtype=np.float64)), np.eye(CLASS_COUNT)[truth]
    bounds = (SHARPNESS_BOUNDS, BIAS_BOUNDS, BIAS_BOUNDS)
    sharpness, short, long = _minimised(_loss_and_gradient, (1.0, 0.0, 0.0), rows, bounds)
    fitted = TemperatureBias(1 / sharpness, (short, -(short + long), long))
    return fitted if log_loss(truth, fitted.apply(probabilities)) < log_loss(truth, probabilities) else IDENTITY


def _minimised(
    loss_and_gradient: Callable[..., tuple[float, np.ndarray]],
    start: tuple[float, ...],
    rows: tuple[np.ndarray, np.ndarray],
    bounds: Sequence[tuple[float, float]],
) -> list[float]:
    """Where a smooth loss of some rows is least within bounds; BLAS threads would cost 17 times its CPU time."""
    from scipy.optimize import minimize

    with one_blas_thread():
        found = minimize(
            loss_and_gradient, np.array(start), args=rows, jac=True, method="L-BFGS-B", bounds=bounds, options=OPTIONS
        )
    return [float(value) for value in found.x]


def _lacks_a_class(truth: np.ndarray) -> bool:
    return len(np.unique(truth)) < CLASS_COUNT


def _loss_and_gradient(point: np.ndarray, logs: np.ndarray, outcome: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log-loss and its gradient at (sharpness, bias short, bias long); the neutral bias is minus their sum."""
    sharpness, short, long = point
    fitted = softmax(sharpness * logs + np.array([short, -(short + long), long]))
    loss = -np.log(np.maximum((fitted * outcome).sum(axis=1), PROBABILITY_FLOOR)).mean()
    excess = fitted - outcome
    by_bias = excess.mean(axis=0)
    by_sharpness = (excess * logs).sum(axis=1).mean()
    return float(loss), np.array([by_sharpness, by_bias[0] - by_bias[1], by_bias[2] - by_bias[1]])


def fit_sigmoid(probabilities: np.ndarray, truth: np.ndarray) -> Calibrator:
    """One sigmoid per class against the rest, by Platt's smoothed targets (1999); identity where a class is missing."""
    if _lacks_a_class(truth):
        return IDENTITY
    logits = logit(np.asarray(probabilities, dtype=np.float64))
    short, neutral, long = (_platt(logits[:, code], truth == code) for code in range(CLASS_COUNT))
    slopes, intercepts = zip(short, neutral, long, strict=True)
    return Sigmoid(_three(slopes), _three(intercepts))


def _platt(logits: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of one class; a target is (hits + 1) / (hits + 2) instead of 1, 1 / (misses + 2) instead of 0."""
    count = int(hits.sum())
    target = np.where(hits, (count + 1) / (count + 2), 1 / (len(hits) - count + 2))
    bounds = (SLOPE_BOUNDS, INTERCEPT_BOUNDS)
    slope, intercept = _minimised(_binary_loss_and_gradient, (1.0, 0.0), (logits, target), bounds)
    return slope, intercept


def _binary_loss_and_gradient(point: np.ndarray, logits: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean log-loss and its gradient at (slope, intercept)."""
    z = point[0] * logits + point[1]
    loss = (np.logaddexp(0.0, z) - target * z).mean()
    excess = 1 / (1 + np.exp(-z)) - target
    return float(loss), np.array([(excess * logits).mean(), excess.mean()])


def fit_isotonic(probabilities: np.ndarray, truth: np.ndarray) -> Calibrator:
    """One rising curve per class against the rest, by pooling adjacent violators; identity where a class is missing.

    Values stay between 1 / (n + 2) and (n + 1) / (n + 2): n rows never show that something cannot happen.
    """
    from sklearn.isotonic import IsotonicRegression

    if _lacks_a_class(truth):
        return IDENTITY
    raw, least = np.asarray(probabilities, dtype=np.float64), 1 / (len(truth) + 2)
    curves = []
    for code in range(CLASS_COUNT):
        fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(raw[:, code], truth == code)
        curves.append(Curve(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())))
    short, neutral, long = curves
    return Isotonic((short, neutral, long))


FITS: dict[str, Fit] = {"temperature": fit_temperature, "sigmoid": fit_sigmoid, "isotonic": fit_isotonic}
"""From the smallest kind to the largest."""


def _three(values: tuple[float, ...]) -> Triple:
    short, neutral, long = values
    return short, neutral, long
