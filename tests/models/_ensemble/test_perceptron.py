from __future__ import annotations

import numpy as np
from scipy.optimize import check_grad

from ohlcv_factory.models._ensemble import perceptron
from ohlcv_factory.models._ensemble.perceptron import Perceptron
from ohlcv_factory.models.given_rows import array_samples


def exclusive_or(rows, seed):
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((rows, 2)).astype(np.float32)
    return array_samples(X, np.where(X[:, 0] * X[:, 1] > 0, 1, np.where(X[:, 0] > 0, 2, 0)))


def test_the_gradient_is_that_of_the_loss():
    sizes = (2, 4, 3)
    generator = np.random.default_rng(3)
    samples = array_samples(
        generator.standard_normal((50, 2)), generator.integers(0, 3, 50), generator.uniform(1, 2, 50)
    )
    rows, start = perceptron._Rows.of(samples), perceptron._start(sizes, 1)

    def loss(weights):
        return perceptron._loss_and_gradient(weights, sizes, rows, 0.1)[0]

    def gradient(weights):
        return perceptron._loss_and_gradient(weights, sizes, rows, 0.1)[1]

    assert check_grad(loss, gradient, start) < 1e-6


def test_it_learns_what_no_linear_model_can():
    model, later = Perceptron({}, seed=1), exclusive_or(500, 2)
    model.fit(exclusive_or(1000, 1))
    assert (model.predict(later.X).class_predictions == later.y).mean() > 0.9


def test_it_keeps_the_step_with_the_least_stop_loss():
    noise = np.random.default_rng(1)
    train, stop = (array_samples(noise.standard_normal((200, 5)), noise.integers(0, 3, 200)) for _ in range(2))
    metrics = Perceptron({"early_stopping_patience": 5}, seed=1).fit(train, stop)
    losses = metrics.history["val_loss"]
    assert metrics.early_stopped
    assert metrics.best_epoch == 1 + int(np.argmin(losses))
    assert metrics.epochs_trained == metrics.best_epoch + 5
