from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.registry import ModelRegistry


def test_the_fit_converges_within_the_default_iterations(parts: Any) -> None:
    metrics = ModelRegistry.create("logistic").fit(parts.train)
    assert metrics.history == {"converged": [1.0]}
    assert 1 < metrics.epochs_trained < 500


def test_a_fit_that_does_not_converge_is_logged_and_reported(parts: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        metrics = ModelRegistry.create("logistic", {"max_iter": 1}).fit(parts.train)
    assert metrics.history == {"converged": [0.0]}
    assert "no convergence in 1 iterations; raise max_iter or lower C" in caplog.text


def test_both_solvers_find_the_same_optimum(parts: Any) -> None:
    outputs = []
    for solver in ("lbfgs", "newton-cg"):
        fitted = ModelRegistry.create("logistic", {"solver": solver})
        fitted.fit(parts.train)
        outputs.append(fitted.predict(parts.scored).class_probabilities)
    assert np.abs(outputs[0] - outputs[1]).max() < 5e-3


def test_a_smaller_c_pulls_coefficients_towards_zero(parts: Any) -> None:
    sizes = []
    for C in (0.001, 1.0):
        fitted = ModelRegistry.create("logistic", {"C": C})
        fitted.fit(parts.train)
        sizes.append(np.abs(fitted.estimator.coef_).sum())
    assert sizes[0] < 0.5 * sizes[1]


@pytest.mark.parametrize("key", ["penalty", "multi_class", "n_jobs", "random_state"])
def test_a_key_that_cannot_act_is_refused_by_name(key: str) -> None:
    with pytest.raises(UsageError, match=f"{key} cannot act here: "):
        ModelRegistry.create("logistic", {key: "l1"})


def test_features_are_to_be_standardised_first() -> None:
    assert ModelRegistry.create("logistic").input_spec.scaling == "standard"
