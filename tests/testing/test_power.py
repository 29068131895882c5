"""No model finds direction in a random walk, and every model finds the one that is planted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.testing.power import (
    NULL_LIMIT,
    NULL_MEAN_LIMIT,
    PLANTED,
    direction_z,
    path_z,
    planted_market,
)

QUICK = ("logistic", "lightgbm", "gru")
TABULAR = tuple(name for name in PLANTED if ModelRegistry.entry(name).extra != "neural")


def case(name):
    """A model's case: left out where its packages are absent, slow except for the quick ones."""
    entry = ModelRegistry.entry(name)
    absent = pytest.mark.skipif(not entry.installed, reason=f"{name} needs {entry.requires}")
    return pytest.param(name, marks=[absent] if name in QUICK else [absent, pytest.mark.slow])


EACH = [case(name) for name in PLANTED]

market = cache(planted_market)


def test_every_registered_model_has_its_power_rule():
    others = {name for name, entry in ModelRegistry.entries().items() if entry.family in ("foundation", "ensemble")}
    # The kit's check of a drifting close is that of pre-trained models; ensembles: tests/studies/test_ensembling.py.
    assert set(PLANTED) == set(ModelRegistry.entries()) - others


@pytest.mark.parametrize("name", EACH)
def test_a_random_walk_gives_no_direction(name):
    assert abs(direction_z(name, market(0), **PLANTED[name].settings)) < NULL_LIMIT


@pytest.mark.parametrize("name", EACH)
def test_a_planted_signal_is_found(name):
    rule = PLANTED[name]
    assert direction_z(name, market(0, beta=rule.beta), **rule.settings) > rule.threshold


@pytest.mark.slow
@pytest.mark.parametrize("name", [case(name) for name in TABULAR])
def test_five_random_walks_give_no_direction_on_average(name):
    scores = [direction_z(name, planted_market(seed), seed=seed) for seed in range(5)]
    assert abs(np.mean(scores)) < NULL_MEAN_LIMIT
    assert max(map(abs, scores)) < NULL_LIMIT


def perfect(container, sign):
    """Predictions that know whether the next close is higher (sign 1), or say the opposite (sign -1)."""
    rows = container.rows("val")
    close = container.markets[0].bars.close
    position = container.index["row"][rows]
    up = np.r_[np.diff(close), 0.0][position] * sign > 0
    raw = np.where(up[:, None], [[0.1, 0.1, 0.8]], [[0.8, 0.1, 0.1]])
    flags = np.zeros(len(rows), dtype=bool)
    classes = np.zeros(len(rows), dtype=np.int8)
    return Predictions(
        container.index[rows], container.symbols, raw, raw, classes, classes, flags, flags, container.horizon
    )


def test_the_measure_sees_a_look_at_the_next_bar():
    container = planted_market(0, bars=8000)
    assert path_z(perfect(container, 1), container) > 8
    assert path_z(perfect(container, -1), container) < -8
    undecided = perfect(container, 1)
    flat = replace(undecided, raw=np.full_like(undecided.raw, 1 / 3))
    assert path_z(flat, container) == 0.0
