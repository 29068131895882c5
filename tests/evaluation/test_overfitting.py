from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.overfitting import backtest_overfitting


def noise(seed=0, days=400, configurations=12):
    return np.random.default_rng(seed).normal(0.0, 0.01, (days, configurations))


def by_definition(daily, blocks):
    """Logits of every half, day by day: the textbook's loop."""
    pieces = np.array_split(np.arange(len(daily)), blocks)
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([pieces[block] for block in chosen])
        outside = np.setdiff1d(np.arange(len(daily)), inside)
        best = np.argmax(daily[inside].mean(axis=0) / daily[inside].std(axis=0, ddof=1))
        ratios = daily[outside].mean(axis=0) / daily[outside].std(axis=0, ddof=1)
        rank = (ratios <= ratios[best]).sum() / (daily.shape[1] + 1)
        logits.append(np.log(rank / (1 - rank)))
    return np.array(logits)


@pytest.mark.parametrize(("days", "blocks"), [(400, 8), (403, 10)])
def test_every_half_is_scored_as_the_definition_says(days, blocks):
    daily = noise(days=days)
    found = backtest_overfitting(daily, blocks=blocks)
    np.testing.assert_allclose(found.logits, by_definition(daily, blocks), atol=1e-12)
    assert found.probability == np.mean(by_definition(daily, blocks) < 0)


def test_choosing_among_noise_chooses_nothing():
    found = np.mean([backtest_overfitting(noise(seed), blocks=8).probability for seed in range(40)])
    assert 0.4 < found < 0.65


def test_a_configuration_that_is_better_is_chosen_and_stays_better():
    daily = noise()
    daily[:, 3] += 0.01
    found = backtest_overfitting(daily)
    assert found.probability == 0.0
    assert found.loss_probability == 0.0
    assert len(found.logits) == len(found.chosen) == len(found.elsewhere) == 12_870
    assert found.elsewhere.mean() == pytest.approx(daily[:, 3].mean() / daily[:, 3].std(), rel=0.1)


# purgedcv 0.1.11 on noise(5, 390, 8).T with 10 splits
PURGEDCV = {"pbo": 0.15079365079365079, "slope": -0.4284182532713077}


def test_probability_and_slope_are_those_of_purgedcv():
    found = backtest_overfitting(noise(5, 390, 8), blocks=10)
    assert found.probability == pytest.approx(PURGEDCV["pbo"], abs=1e-12)
    assert found.slope == pytest.approx(PURGEDCV["slope"], abs=1e-9)


def test_probability_equals_purgedcv_today():
    purgedcv = pytest.importorskip("purgedcv", reason="an oracle, not a dependency")
    for seed in range(3):
        daily = noise(seed, 203, 7)
        expected = purgedcv.probability_of_backtest_overfitting(daily.T.copy(), 8)
        found = backtest_overfitting(daily, blocks=8)
        assert found.probability == pytest.approx(expected.pbo, abs=5e-4)
        assert found.slope == pytest.approx(expected.slope, abs=5e-4)


def test_twins_share_their_rank_and_standing_still_is_no_ratio():
    daily = noise(configurations=3)
    daily[:, 1] = daily[:, 0]
    daily[:, 2] = 0.0
    found = backtest_overfitting(daily, blocks=4)
    # the first of the twins is chosen with rank 2.5 of 3 or, where they lose, standing still with rank 3 or 1
    assert set(np.round(1 / (1 + np.exp(-found.logits)), 6)) <= {0.625, 0.375, 0.25, 0.75}


@pytest.mark.parametrize(
    ("shape", "blocks", "words"),
    [
        ((12, 400), 4, r"shape \(12, 400\): the table is transposed"),
        ((20, 5), 16, r"at least 32 sessions for 16 blocks and 2 configurations, got shape \(20, 5\)"),
        ((400, 1), 16, r"got shape \(400, 1\)"),
        ((400,), 16, r"got shape \(400,\)"),
    ],
)
def test_tables_that_are_transposed_or_too_small_are_refused(shape, blocks, words):
    with pytest.raises(DataError, match=words):
        backtest_overfitting(np.random.default_rng(0).normal(size=shape), blocks=blocks)


def test_infinite_profit_is_refused_with_its_place():
    daily = noise()
    daily[7, 2] = np.inf
    with pytest.raises(DataError, match=r"got inf at \(7, 2\)"):
        backtest_overfitting(daily)


@pytest.mark.parametrize("blocks", [0, 7, 22])
def test_blocks_that_have_no_halves_are_refused(blocks):
    with pytest.raises(UsageError, match="blocks must be even, 2 to 20"):
        backtest_overfitting(noise(), blocks=blocks)
