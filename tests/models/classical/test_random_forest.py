from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.models.registry import ModelRegistry


def test_probabilities_are_those_of_scikit_learn(parts: Any) -> None:
    fitted = ModelRegistry.create("random_forest", {"n_estimators": 15}, threads=1)
    fitted.fit(parts.train)
    theirs = fitted.estimator.predict_proba(parts.scored.X)
    assert fitted.predict(parts.scored).class_probabilities.tobytes() == theirs.tobytes()


def test_the_number_of_threads_changes_no_byte(parts: Any) -> None:
    outputs = []
    for threads in (1, 2):
        fitted = ModelRegistry.create("random_forest", {"n_estimators": 15}, threads=threads)
        fitted.fit(parts.train)
        outputs.append(fitted.predict(parts.scored).class_probabilities.tobytes())
    assert outputs[0] == outputs[1]


def test_trees_ask_for_no_scaling() -> None:
    assert ModelRegistry.create("random_forest").requires_scaling is False


@pytest.mark.parametrize(
    "config", [{"max_features": "third"}, {"max_features": 0.0}, {"max_depth": 0}, {"n_jobs": -1}, {"random_state": 42}]
)
def test_a_setting_that_cannot_act_is_refused_by_name(config: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(config))):
        ModelRegistry.create("random_forest", config)


def test_null_lets_trees_grow(parts: Any) -> None:
    deep = ModelRegistry.create(
        "random_forest",
        {"n_estimators": 5, "max_depth": None, "min_samples_split": 2, "min_samples_leaf": 1},
        threads=1,
    )
    deep.fit(parts.train)
    assert max(tree.get_depth() for tree in deep.estimator.estimators_) > 10
    assert np.isfinite(deep.predict(parts.scored).class_probabilities).all()
