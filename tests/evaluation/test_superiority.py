from __future__ import annotations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.significance import draw_blocks
from ohlcv_factory.evaluation.superiority import Superiority, superior_ability
from ohlcv_factory.runtime.seeding import component_generator

DAYS, MODELS = 300, 6


def table():
    """Gains of six models over a benchmark with autocorrelation, unequal spreads and one clearly poor model."""
    steps = np.random.default_rng(1).normal(0, 1, (DAYS, MODELS)) * np.array([1, 2, 0.5, 1, 3, 1])
    steps += np.array([0.08, 0.1, -0.2, 0, 0.2, -0.02])
    return steps + 0.3 * np.roll(steps, 1, axis=0)


# SPA of arch 8.0.0 on the same resamples: of the table divided by the square roots of arch's own variances (arch does not
# studentise), and of the table itself for the reality check.
ARCH = Superiority(best=4, lower=0.018, consistent=0.022, upper=0.026, reality_check=0.004)


def test_p_values_are_those_of_arch():
    assert superior_ability(table(), block_length=7, seed=4, resamples=500) == ARCH


def test_p_values_equal_arch_today():
    bootstrap = pytest.importorskip("arch.bootstrap", reason="an oracle, not a dependency")
    for seed in range(3):
        gains = table() * (1 + seed)
        draws = draw_blocks(DAYS, 7, 500, component_generator(seed, "stationary_bootstrap"))
        rows = [
            np.concatenate([np.arange(*ends) % DAYS for ends in zip(*one, strict=True)])
            for one in zip(*draws, strict=True)
        ]

        def p_values(values, rows=rows):
            test = bootstrap.SPA(np.zeros(DAYS), -values, block_size=7, reps=500)
            test.bootstrap = Resamples(values, rows)
            test.compute()
            return test.pvalues.to_dict(), test._loss_diff_var

        _, variances = p_values(gains)
        expected, _ = p_values(gains / np.sqrt(variances))
        found = superior_ability(gains, block_length=7, seed=seed, resamples=500)
        assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, abs=5e-4)
        assert found.reality_check == pytest.approx(p_values(gains)[0]["upper"], abs=5e-4)


class Resamples:
    """Stands in for arch's bootstrap, so that both sides see the same resamples."""

    def __init__(self, values, rows):
        self.values, self.rows = values, rows

    def bootstrap(self, _):
        for rows in self.rows:
            yield (self.values[rows],), {}


def test_a_better_model_is_found_and_poor_ones_beside_it_hide_it_from_the_upper_bound_only():
    generator = np.random.default_rng(2)
    good = generator.normal(0.2, 1.0, (400, 1))
    poor = generator.normal(-1.0, 8.0, (400, 30))
    alone, hidden = superior_ability(good), superior_ability(np.hstack([good, poor]))
    assert alone.consistent < 0.01
    assert hidden.best == 0
    assert hidden.lower <= hidden.consistent <= hidden.upper
    assert hidden.consistent < 0.05 < hidden.reality_check  # their spread drowns it where gains are not studentised


def test_of_equal_models_the_best_is_found_superior_as_often_as_the_level_says():
    found = [
        superior_ability(np.random.default_rng(seed).normal(size=(250, 10)), resamples=200, seed=seed)
        for seed in range(200)
    ]
    rejected = np.mean([each.consistent <= 0.10 for each in found])
    assert 0.05 <= rejected <= 0.16


def test_no_gain_anywhere_is_a_p_value_of_one():
    gains = np.random.default_rng(0).normal(-0.5, 0.1, (100, 3))
    assert superior_ability(gains).consistent == 1.0
    assert superior_ability(np.zeros((100, 3))) == Superiority(0, 1.0, 1.0, 1.0, 1.0)


def test_a_model_that_is_the_benchmark_matters_not():
    gains = table()
    beside = superior_ability(np.column_stack([gains, np.zeros(DAYS)]), block_length=7, seed=4, resamples=500)
    assert beside == ARCH


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        (np.zeros((19, 2)), r"at least 20 days and no more models than days, got \(19, 2\)"),
        (np.zeros((30, 31)), r"got \(30, 31\)"),
        (np.zeros(30), r"got \(30,\)"),
        (np.where(np.arange(60).reshape(30, 2) == 7, np.nan, 0.0), "got nan in row 3 of model 1"),
    ],
)
def test_tables_that_are_no_gains_are_refused(gains, words):
    with pytest.raises(DataError, match=words):
        superior_ability(gains)
