from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models._ensemble.table import table_columns
from ohlcv_factory.models.ensemble.voting import Voting, simplex_weights
from ohlcv_factory.models.given_rows import array_samples
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.models import check_model

A, B, C = [0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]
ROW = np.array([A + B + C], dtype=np.float32)


def fitted(**settings):
    """A vote of three members that was fitted on rows which say nothing."""
    model = ModelRegistry.create("voting", settings)
    rows = array_samples(np.repeat(ROW, 6, axis=0), np.array([0, 1, 2] * 2))
    model.fit(replace(rows, feature_names=table_columns(("a", "b", "c"))))
    return model


def said(model, row=ROW):
    return model.predict(row).class_probabilities[0].tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"voting": "hard"},
        {"voting": "fitted"},
        {"voting": "weighted", "weights": {"informed": 2.0, "partial": 1.0, "contrary": 0.0}},
    ],
    ids=lambda settings: settings["voting"],
)
def test_every_kind_of_vote_keeps_the_contract(settings):
    check_model("voting", settings)


def test_soft_is_the_mean_and_weighted_the_weighted_mean():
    assert said(fitted()) == pytest.approx([0.3, 1 / 3, 1.1 / 3])
    assert said(fitted(voting="weighted", weights={"a": 3.0, "b": 1.0, "c": 0.0})) == pytest.approx([0.5, 0.35, 0.15])


def test_hard_counts_votes_and_the_mean_settles_a_tie():
    assert said(fitted(voting="hard")) == pytest.approx([1.3 / 4, (4 / 3) / 4, (1 + 1.1 / 3) / 4])
    two_to_one = np.array([A + A + C], dtype=np.float32)
    assert np.argmax(said(fitted(voting="hard"), two_to_one)) == 0


def test_only_fitted_weights_learn_from_rows():
    assert [fitted(voting=kind).trains for kind in ("soft", "hard", "fitted")] == [False, False, True]


def test_fitted_weights_have_the_least_log_loss_on_the_simplex():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet((2, 2, 2), size=(400, 4))
    truth = np.array([generator.choice(3, p=row) for row in 0.7 * probabilities[:, 1] + 0.3 * probabilities[:, 3]])
    weight = generator.uniform(0.5, 2, 400)
    likelihood = probabilities[np.arange(400), :, truth]
    found = minimize(
        lambda shares: -(weight * np.log(likelihood @ shares)).sum(),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
    )
    shares, _ = simplex_weights(probabilities, truth, weight)
    assert shares.sum() == pytest.approx(1)
    assert np.allclose(shares, found.x, atol=2e-3)
    assert shares[1] + shares[3] > 0.9


def test_weights_of_other_members_and_useless_weights_are_refused():
    with pytest.raises(UsageError, match=r"weights are given for \['a', 'd'\], the members are \['a', 'b', 'c'\]"):
        fitted(voting="weighted", weights={"a": 1.0, "d": 1.0})
    with pytest.raises(UsageError, match="weights belong to voting: weighted"):
        Voting({"weights": {"a": 1.0}})
    with pytest.raises(UsageError, match="weights must be at least 0 and not all 0"):
        Voting({"voting": "weighted", "weights": {"a": -1.0, "b": 2.0}})


def test_a_column_that_it_would_ignore_is_refused():
    rows = array_samples(np.array([[*A, 1.0], [*B, 2.0]]), np.array([0, 1]))
    with pytest.raises(DataError, match="'voting' would not read the column 'rsi_14'"):
        ModelRegistry.create("voting").fit(replace(rows, feature_names=table_columns(("a",), ("rsi_14",))))
