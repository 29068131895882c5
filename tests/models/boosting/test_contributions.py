"""SHAP values of the boosters: they add up to the raw score, and the feature that matters has the largest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explained import explained
from scipy.special import softmax

from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry

BOOSTERS = ("catboost", "lightgbm", "xgboost")


def rows(classes: tuple[int, ...] = (0, 1, 2)) -> Any:
    """400 rows of six columns; the third of them decides the class."""
    generator = np.random.default_rng(2)
    X = generator.normal(size=(400, 6)).astype(np.float32)
    places = np.digitize(X[:, 2] + 0.5 * generator.normal(size=400), [-0.5, 0.5] if len(classes) == 3 else [0.0])
    return array_samples(X, np.array(classes)[places])


def fitted(name: str, samples: Any) -> Any:
    model = ModelRegistry.create(name, {"fixed_rounds": 30}, seed=1, threads=1)
    model.fit(samples)
    return model


def raw_scores(model: Any, X: np.ndarray) -> np.ndarray:
    """What the library itself says before the softmax."""
    booster = model._booster
    if model.name == "lightgbm":
        return np.asarray(booster.predict(X, raw_score=True))
    if model.name == "catboost":
        return np.asarray(booster.predict(X, prediction_type="RawFormulaVal"))
    import xgboost

    return np.asarray(booster.predict(xgboost.DMatrix(X), output_margin=True))


@pytest.mark.parametrize("name", BOOSTERS)
def test_contributions_and_base_add_up_to_the_raw_score(name: str, tmp_path: Path) -> None:
    samples = rows()
    model = fitted(name, samples)
    said = explained(model, samples, tmp_path)["contributions"]
    assert said.kind == "contributions"
    assert said.axes["class"] == ("short", "neutral", "long")
    assert said.axes["contribution"] == (*model.feature_names, "(base)")
    total = said.values.sum(axis=-1)
    np.testing.assert_allclose(total, raw_scores(model, samples.X), atol=1e-5)
    np.testing.assert_allclose(softmax(total, axis=1), model.predict(samples).class_probabilities, atol=1e-6)


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_column_that_decides_contributes_most(name: str) -> None:
    samples = rows()
    said = fitted(name, samples).predict(samples, explain=True).metadata["contributions"]
    assert np.abs(said.values[:, :, :-1]).mean(axis=(0, 1)).argmax() == 2


@pytest.mark.filterwarnings("ignore::ohlcv_factory.models.base.MissingClassWarning")
@pytest.mark.parametrize("name", BOOSTERS)
def test_a_class_that_was_never_seen_has_no_contributions(name: str, tmp_path: Path) -> None:
    samples = rows(classes=(0, 2))
    model = fitted(name, samples)
    said = explained(model, samples, tmp_path)["contributions"]
    assert said.axes["class"] == ("short", "long")
    np.testing.assert_allclose(
        softmax(said.values.sum(axis=-1), axis=1), model.predict(samples).class_probabilities[:, [0, 2]], atol=1e-6
    )
