from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.models._ensemble.ridge import LEAST, Ridge
from ohlcv_factory.models.given_rows import array_samples


def fitted(alpha):
    generator = np.random.default_rng(1)
    X = generator.standard_normal((600, 3)).astype(np.float32)
    y = np.digitize(X[:, 0] + generator.standard_normal(600), (-0.5, 0.5))
    weight = generator.uniform(0.5, 1.5, 600)
    model = Ridge({"alpha": alpha})
    model.fit(array_samples(X, y, weight))
    return model, X.astype(np.float64), y, weight


def test_without_a_penalty_it_is_weighted_least_squares():
    model, X, y, weight = fitted(0.0)
    design, root = np.column_stack([X, np.ones(len(X))]), np.sqrt(weight)[:, None]
    expected = np.linalg.lstsq(design * root, np.eye(3)[y] * root)[0]
    assert np.allclose(model.coefficients, expected, atol=1e-10)


def test_a_large_penalty_leaves_the_weighted_class_shares():
    model, X, y, weight = fitted(1e9)
    shares = np.bincount(y, weights=weight) / weight.sum()
    assert np.allclose(model.predict(X.astype(np.float32)).class_probabilities, shares, atol=1e-4)


def test_no_class_is_called_impossible():
    model, *_ = fitted(0.0)
    far = model.predict(np.array([[50.0, 0.0, 0.0]], dtype=np.float32)).class_probabilities
    assert far.min() > 0
    assert far[0, 0] < LEAST
    assert far.sum() == pytest.approx(1)
