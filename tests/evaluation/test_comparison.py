from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.classification import classification_scores
from ohlcv_factory.evaluation.comparison import (
    SessionRecord,
    against_no_trade,
    label_block,
    label_sums,
    overfitting_of_choice,
    standings,
)
from ohlcv_factory.evaluation.overfitting import backtest_overfitting
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.evaluation.sharpe import sharpe_difference, sharpe_ratio
from ohlcv_factory.evaluation.significance import RESAMPLES, draw_blocks
from ohlcv_factory.evaluation.superiority import superior_ability
from ohlcv_factory.runtime.seeding import component_generator

SESSIONS, ROWS_PER_SESSION, YEAR = 40, 6, 252.0
DAYS = np.arange(100, 100 + SESSIONS)
TRUTH = np.random.default_rng(0).integers(0, 3, SESSIONS * ROWS_PER_SESSION).astype(np.int8)
SESSION = np.repeat(DAYS, ROWS_PER_SESSION)


def answers(skill: float, seed: int) -> Predictions:
    """Predictions that are the truth in a share of about `skill` of the rows; the last two rows have no label."""
    generator = np.random.default_rng(seed)
    count = len(TRUTH)
    told = np.where(generator.random(count) < skill, TRUTH, generator.integers(0, 3, count)).astype(np.int8)
    probabilities = np.full((count, 3), 0.2) + 0.4 * np.eye(3)[told]
    index = np.zeros(count, dtype=[("symbol_code", np.int32), ("time_ns", np.int64), ("row", np.int64)])
    index["row"] = index["time_ns"] = np.arange(count)
    known = np.arange(count) < count - 2
    return Predictions(index, ("X",), probabilities, probabilities, told, TRUTH, known, known, 5)


def record(daily: np.ndarray, predictions: Predictions | None = None) -> SessionRecord:
    sums = label_sums(predictions or answers(0.3, 1), SESSION, DAYS)
    return SessionRecord(DAYS, daily[None], sums[None], "truth", YEAR, label_block(sums, 30))


def several(*paths: SessionRecord) -> SessionRecord:
    """One model on the paths of several records."""
    daily, labels = (np.concatenate([getattr(path, name) for path in paths]) for name in ("daily", "labels"))
    return replace(paths[0], daily=daily, labels=labels)


def gains(*means: float, seed: int = 3) -> list[SessionRecord]:
    """Records whose daily P&L shares a market and has these means."""
    generator = np.random.default_rng(seed)
    market = generator.normal(0, 1, SESSIONS)
    return [record(mean + market + generator.normal(0, 0.3, SESSIONS)) for mean in means]


def resampled_days(block: int, seed: int) -> list[np.ndarray]:
    """The sessions of each resample, gathered one by one."""
    draws = draw_blocks(SESSIONS, block, RESAMPLES, component_generator(seed, "stationary_bootstrap"))
    return [
        np.concatenate([np.arange(*ends) % SESSIONS for ends in zip(*one, strict=True)])
        for one in zip(*draws, strict=True)
    ]


def brute_force(scores: np.ndarray, own: np.ndarray, block: int, *, lower_is_better: bool) -> list[tuple[int, int]]:
    """Ranks that hold 90 % of the resamples: count those of every model below each rank, one by one."""
    factor = (1 - (2 * block - 1) / SESSIONS) ** -0.5
    ranks: list[list[int]] = [[] for _ in own]
    for row in scores:
        wide = [centre + factor * (value - centre) for value, centre in zip(row, own, strict=True)]
        for model, value in enumerate(wide):
            ranks[model].append(1 + sum(other < value if lower_is_better else other > value for other in wide))
    ends = []
    for found in ranks:
        ordered = sorted(found)
        ends.append((ordered[int(np.ceil(0.05 * RESAMPLES)) - 1], ordered[int(np.ceil(0.95 * RESAMPLES)) - 1]))
    return ends


def test_sharpe_ranks_are_those_of_ranking_every_resample_by_itself():
    records = gains(0.0, 0.1, 0.12)
    found = standings(records, "sharpe_ratio", seed=11)
    own = np.array([sharpe_ratio(each.daily[0], YEAR) for each in records])
    scores = np.array([[sharpe_ratio(each.daily[0, days], YEAR) for each in records] for days in resampled_days(5, 11)])
    assert [each.rank for each in found] == [3, 2, 1]
    assert [each.value for each in found] == pytest.approx(own, rel=1e-9)
    assert [each.rank_interval for each in found] == brute_force(scores, own, 5, lower_is_better=False)
    assert [each.rank_interval for each in found] == [(3, 3), (1, 2), (1, 2)]
    assert [each.differs for each in found] == [True, False, False]


def test_a_difference_from_the_best_is_the_paired_one_and_the_best_has_none():
    records = gains(0.0, 0.08, 0.25)
    found = standings(records, "sharpe_ratio", seed=11)
    assert found[2].difference is None and not found[2].differs
    for each, own in zip(found[:2], records[:2], strict=True):
        expected = sharpe_difference(own.daily[0], records[2].daily[0], YEAR, seed=11)
        assert each.difference.value == pytest.approx(expected.value)
        assert each.difference.interval == pytest.approx(expected.interval)
    assert found[0].differs and found[0].difference.interval.high < 0


def test_label_scores_are_summed_by_session_and_ranked_by_blocks_that_outlast_the_labels():
    models = [answers(0.3, 1), answers(0.35, 2), answers(0.9, 4)]
    records = [record(np.zeros(SESSIONS), each) for each in models]
    block = label_block(records[0].labels[0], 60)
    assert block == 11  # 60 rows at 238 / 40 a session
    records = [replace(each, label_block=block) for each in records]
    for by, lower_is_better in (("macro_f1", False), ("log_loss", True)):
        found = standings(records, by, lower_is_better=lower_is_better, seed=5)
        own = np.array([scored(each, np.arange(SESSIONS), by) for each in models])
        scores = np.array([[scored(each, days, by) for each in models] for days in resampled_days(block, 5)])
        assert [each.value for each in found] == pytest.approx(own, rel=1e-12)
        assert [each.rank_interval for each in found] == brute_force(
            scores, own, block, lower_is_better=lower_is_better
        )
        assert found[2].rank == 1 and found[0].differs


def scored(predictions: Predictions, days: np.ndarray, by: str) -> float:
    """A score of the rows of some sessions, repeated ones counted again, by the function that scores a run."""
    rows = np.concatenate([np.arange(day * ROWS_PER_SESSION, (day + 1) * ROWS_PER_SESSION) for day in days])
    rows = rows[predictions.scored[rows]]
    part = predictions.take(rows)
    return classification_scores(part.truth, part.decision, part.probabilities, np.ones(len(rows)))[by]


def test_equal_models_share_a_rank_and_a_model_that_never_trades_is_last():
    first = gains(0.2)[0]
    idle = record(np.zeros(SESSIONS))
    found = standings([idle, first, first], "sharpe_ratio")
    assert [each.rank for each in found] == [3, 1, 1]
    assert [each.rank_interval for each in found] == [(3, 3), (1, 1), (1, 1)]
    assert found[0].value is None and found[0].difference is None
    assert found[2].difference == (0.0, (0.0, 0.0)) and not found[2].differs


def test_yearly_and_total_return_are_sums_of_the_sessions():
    (only,) = gains(0.1)
    assert standings([only], "total_return")[0].value == pytest.approx(only.daily.sum())
    assert standings([only], "annualized_return")[0].value == pytest.approx(only.daily.mean() * YEAR)


def test_the_same_seed_gives_the_same_standings_and_another_seed_other_intervals():
    records = gains(0.0, 0.08, 0.25)
    assert standings(records, "sharpe_ratio", seed=1) == standings(records, "sharpe_ratio", seed=1)
    assert standings(records, "sharpe_ratio", seed=1) != standings(records, "sharpe_ratio", seed=2)


def test_under_two_blocks_of_sessions_there_are_ranks_without_intervals():
    short = [
        replace(each, days=DAYS[:9], daily=each.daily[:, :9], labels=each.labels[:, :9]) for each in gains(0.0, 0.5)
    ]
    found = standings(short, "sharpe_ratio")
    assert sorted(each.rank for each in found) == [1, 2]
    assert all(each.rank_interval is None for each in found)
    assert all(each.difference is None or each.difference.interval is None for each in found)


def test_a_score_that_is_no_function_of_sums_over_sessions_has_no_standings():
    assert standings(gains(0.0, 0.1), "max_drawdown") is None


def test_other_labels_cannot_be_paired_by_a_score_of_labels_and_can_by_money():
    first, second = gains(0.0, 0.1)
    second = replace(second, truth="other")
    with pytest.raises(DataError, match="different labels, so macro_f1 says nothing"):
        standings([first, second], "macro_f1")
    assert [each.rank for each in standings([first, second], "sharpe_ratio")] == [2, 1]


def test_other_sessions_cannot_be_paired():
    first, second = gains(0.0, 0.1)
    with pytest.raises(DataError, match="traded on different sessions"):
        standings([first, replace(second, days=DAYS + 1)], "sharpe_ratio")


def test_no_trade_and_the_choice_are_tested_on_the_table_of_daily_gains():
    records = gains(0.0, 0.08, 0.25)
    table = np.column_stack([each.daily[0] for each in records])
    assert against_no_trade(records, seed=4) == superior_ability(table, seed=4)
    (found,) = overfitting_of_choice(records)
    assert found.probability == backtest_overfitting(table).probability
    assert against_no_trade(gains(3.0)).consistent < 0.05


def test_a_score_of_several_paths_is_the_mean_of_the_paths_and_choosing_is_judged_on_each():
    first, second = gains(0.0, 0.1, seed=3), gains(0.05, 0.3, seed=4)
    records = [several(*pair) for pair in zip(first, second, strict=True)]
    for by in ("sharpe_ratio", "total_return", "log_loss"):
        alone = [standings(each, by) for each in (first, second)]
        expected = [np.mean([path[model].value for path in alone]) for model in (0, 1)]
        assert [each.value for each in standings(records, by)] == pytest.approx(expected, rel=1e-9)
    found = overfitting_of_choice(records)
    assert [each.probability for each in found] == [
        overfitting_of_choice(each)[0].probability for each in (first, second)
    ]
    daily = np.column_stack([each.daily.mean(axis=0) for each in records])
    assert against_no_trade(records, seed=2) == superior_ability(daily, seed=2)
    with pytest.raises(DataError, match="different numbers of paths"):
        standings([records[0], first[1]], "sharpe_ratio")


def test_too_few_sessions_or_a_single_model_have_no_test():
    records = gains(0.0, 0.1)

    def short(count):
        return [replace(each, daily=each.daily[:, :count]) for each in records]

    assert against_no_trade(short(19)) is None and against_no_trade(short(20)) is not None
    assert overfitting_of_choice(short(31)) == () and len(overfitting_of_choice(short(32))) == 1
    assert overfitting_of_choice(records[:1]) == ()
    assert against_no_trade(gains(*[0.0] * (SESSIONS + 1))) is None
