"""Shuffled labels: whoever predicts them has seen them. A canary for every way in which an answer can reach a fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.runtime.seeding import component_generator
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig

CANARY_LIMIT = 4.0
"""|z| of a fit that has not seen the shuffled labels exceeds it once in 16,000 times."""

FitAndPredict = Callable[[TimeSeriesDataContainer], Predictions]
"""Fits on the train part of a container and predicts its val part."""


def fit_and_predict(config: TrainerConfig) -> FitAndPredict:
    """The factory's own fit of a config."""

    def predict(container: TimeSeriesDataContainer) -> Predictions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fit_pipeline(config, container).pipeline.predict(container, container.rows("val"))

    return predict


def shuffled_label_z(predict: FitAndPredict, container: TimeSeriesDataContainer, seed: int = 0) -> float:
    """How much better than by chance a fit on shuffled labels predicts the shuffled labels of the val part.

    About N(0, 1) for an honest fit, far above for one that has seen them.
    """
    shuffled = with_shuffled_labels(container, seed)
    found = predict(shuffled)
    scored = found.scored
    return permutation_z(found.raw[scored], found.truth[scored])


def with_shuffled_labels(container: TimeSeriesDataContainer, seed: int) -> TimeSeriesDataContainer:
    """The container with the labels of all scored rows in another order; a bar keeps one label wherever it stands."""
    scored = np.flatnonzero(container.labels.scored)
    _, first, group = np.unique(
        container.index[["symbol_code", "time_ns"]][scored], return_index=True, return_inverse=True
    )
    label = container.labels.label.copy()
    values = label[scored[first]]
    label[scored] = component_generator(seed, "shuffled labels").permutation(values)[group]
    return replace(container, labels=replace(container.labels, label=label))


def permutation_z(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """z-score of the summed probability of the truth among all orders of the truth.

    `probabilities` `(n, k)`, `truth` `(n,)` class codes. Mean and variance of the sum over all n! orders are exact
    (Hoeffding 1951, A combinatorial central limit theorem); 0 where every order gives the same sum.
    """
    n = len(truth)
    if n < 2:
        return 0.0
    told = probabilities[np.arange(n), truth].sum()
    counts = np.bincount(truth, minlength=probabilities.shape[1]).astype(np.float64)
    by_class = probabilities.mean(axis=0)
    expected = float(by_class @ counts)
    centred = probabilities - by_class - probabilities @ (counts / n)[:, None] + by_class @ counts / n
    variance = float(((centred**2) @ counts).sum() / (n - 1))
    return float((told - expected) / np.sqrt(variance)) if variance > 1e-18 else 0.0
