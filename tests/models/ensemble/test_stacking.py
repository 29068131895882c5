from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._ensemble.table import table_columns
from ohlcv_factory.models.ensemble.stacking import LEARNERS
from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import Subject, check_model, checks_for, planted_predictions

NEEDED = {"xgboost": "xgboost", "lightgbm": "lightgbm"}


def test_every_meta_learner_is_offered():
    assert set(LEARNERS) == {"logistic", "ridge", "mlp", "xgboost", "lightgbm"}


@pytest.mark.parametrize(
    "learner",
    ["ridge", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mlp", "lightgbm", "xgboost"))],
)
def test_every_meta_learner_keeps_the_contract(learner):
    if learner in NEEDED:
        pytest.importorskip(NEEDED[learner])
    check_model("stacking", {"meta_learner": learner})


def test_meta_features_keep_the_contract():
    subject = Subject(
        "stacking", {"meta_learner": "ridge", "meta_features": ("confidence", "entropy", "margin", "agreement")}
    )
    for check in checks_for(subject):
        check(subject)


def with_context(rows, values, name):
    return replace(
        rows, X=np.column_stack([rows.X, values]).astype(np.float32), feature_names=(*rows.feature_names, name)
    )


def test_a_linear_meta_learner_reads_two_log_ratios_of_each_member_and_what_was_asked_for():
    rows, _ = planted_predictions(300)
    model = ModelRegistry.create(
        "stacking", {"meta_features": ("agreement", "volatility"), "context_features": ("rsi_14",)}
    )
    assert model.context_columns == ("volatility_regime", "rsi_14")
    table = with_context(with_context(rows, np.arange(300) % 3, "volatility_regime"), np.arange(300), "rsi_14")
    model.fit(table)
    columns = model._columns(table.X)
    assert columns.shape == (300, 2 * 3 + 1 + 2)
    first = rows.X[0].astype(np.float64)
    assert columns[0, :2].tolist() == pytest.approx(
        [math.log(first[0] / first[1]), math.log(first[2] / first[1])], rel=1e-4
    )
    assert columns[:, -2:].tolist() == [[row % 3, row] for row in range(300)]


def test_trees_read_the_probabilities_themselves():
    pytest.importorskip("lightgbm")
    rows, _ = planted_predictions(300)
    model = ModelRegistry.create("stacking", {"meta_learner": "lightgbm", "learner": {"n_estimators": 5}})
    model.fit(rows)
    assert np.array_equal(model._columns(rows.X), rows.X)


def test_context_decides_where_members_know_nothing():
    generator = np.random.default_rng(5)
    trend = generator.standard_normal(800)
    y = np.digitize(trend + 0.3 * generator.standard_normal(800), (-0.5, 0.5))
    flat = array_samples(np.full((800, 6), 1 / 3), y)
    table = with_context(replace(flat, feature_names=table_columns(("a", "b"))), trend, "trend_regime")
    model = ModelRegistry.create("stacking", {"meta_features": ("trend",)})
    metrics = model.fit(table)
    assert metrics.train_accuracy > 0.7


def test_bad_settings_of_the_meta_learner_are_refused_before_a_fit():
    with pytest.raises(UsageError, match="no_such: unknown key"):
        ModelRegistry.create("stacking", {"learner": {"no_such": 1}})


def test_a_table_without_the_context_or_with_other_numbers_is_refused():
    rows, _ = planted_predictions(50)
    with pytest.raises(DataError, match="lacks the context column 'trend_regime'"):
        ModelRegistry.create("stacking", {"meta_features": ("trend",)}).fit(rows)
    with pytest.raises(DataError, match=r"'informed', row 0: .* are no probabilities"):
        ModelRegistry.create("stacking").fit(replace(rows, X=rows.X * 2))
