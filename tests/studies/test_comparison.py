from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.evaluation.classification import classification_differences
from ohlcv_factory.evaluation.comparison import Standing
from ohlcv_factory.evaluation.overfitting import Overfitting
from ohlcv_factory.evaluation.sharpe import sharpe_difference
from ohlcv_factory.evaluation.significance import Difference, Interval
from ohlcv_factory.evaluation.superiority import Superiority, superior_ability
from ohlcv_factory.studies.comparison import compared
from ohlcv_factory.studies.finished_runs import FinishedRun, find_runs
from ohlcv_factory.studies.session_records import session_record

POOR = Superiority(best=0, lower=0.3, consistent=0.34, upper=0.5, reality_check=0.41)


@pytest.fixture(scope="module")
def runs(board_runs):
    return find_runs(board_runs["one_symbol"])


@pytest.fixture(scope="module")
def found(runs):
    return compared(runs[0].group, runs, "sharpe_ratio", seed=3)


def told(found, *intervals, **changes):
    """The comparison as if the other runs had these intervals of their differences."""
    run = found.runs[0]
    runs = tuple(
        replace(run, path=run.path.with_name(f"m{place}"), manifest={**run.manifest, "model": f"m{place}"})
        for place in range(len(intervals) + 1)
    )
    others = [
        Standing(1.0, place, None, Difference(-1.0, ends and Interval(*ends)))
        for place, ends in enumerate(intervals, start=2)
    ]
    standings = (Standing(2.0, 1, None, None), *others)
    return replace(found, **{"runs": runs, "standings": standings, "superiority": POOR, **changes})


def test_a_group_is_ranked_paired_and_tested_by_the_sessions_of_its_runs(found):
    records = [session_record(run) for run in found.runs]
    daily = [record.daily[0] for record in records]
    expected = sharpe_difference(daily[1], daily[0], records[0].sessions_per_year, seed=3)
    assert found.standings[1].difference.value == pytest.approx(expected.value)
    assert found.standings[1].difference.interval == pytest.approx(expected.interval)
    assert found.superiority == superior_ability(np.column_stack(daily), seed=3)
    assert 0 <= found.overfitting_probability <= 1
    assert found.sessions == len(daily[0]) >= 60


def test_the_difference_of_a_label_score_is_that_of_the_rows(runs):
    """Blocks of sessions stand in for blocks of rows: the same difference, an interval of about the same width."""
    found = compared(runs[0].group, runs, "log_loss")
    predictions = [session_answers(run) for run in found.runs]
    rows = predictions[0].scored
    pairs = [(each.decision[rows], each.probabilities[rows]) for each in reversed(predictions)]
    block = found.runs[0].evaluation["classification"]["direction_block_rows"]
    expected = classification_differences(predictions[0].truth[rows], *pairs, block_rows=block)["log_loss"]
    difference = found.standings[1].difference
    assert difference.value == pytest.approx(expected.value, rel=1e-9)
    width, expected_width = (ends.high - ends.low for ends in (difference.interval, expected.interval))
    assert 0.5 < width / expected_width < 2


def session_answers(run):
    import polars as pl

    from ohlcv_factory.evaluation.predictions import Predictions

    return Predictions.from_frame(pl.read_parquet(run.path / "predictions" / "val_predictions.parquet"), 5)


def test_the_words_say_which_runs_cannot_be_told_from_the_best(found):
    words = told(found, (-2.0, 0.5), (-3.0, -0.5), (-2.0, 0.1)).words[0]
    assert words == (
        "m0 is best by sharpe_ratio, but cannot be told apart from m1, m3: the 90 % intervals of their paired differences "
        "hold 0. Worse beyond chance: m2."
    )
    assert told(found, (-3.0, -0.5)).words[0] == (
        "m0 is best by sharpe_ratio, beyond chance against each other run: no 90 % interval of a paired difference holds 0."
    )
    assert "sessions are too few to say whether by more than chance" in told(found, None).words[0]
    assert told(found).words[0] == "m0 is alone here: there is no other run to compare it with."


def test_the_words_say_what_being_the_best_proves(found):
    assert told(found, (-1, 1), sessions=60).words[1] == (
        "Against no trade, best of 2 over 60 sessions: SPA p = 0.340, reality check p = 0.410; none is shown to be better "
        "than standing aside."
    )
    better = replace(POOR, consistent=0.02)
    assert "m0 earned more than standing aside" in told(found, (-1, 1), superiority=better).words[1]
    none = told(found, (-1, 1), superiority=None, sessions=19).words[1]
    assert none == "No test against no trade: 19 sessions, at least 20 are needed."


def test_the_words_say_whether_choosing_helps(found):
    risk = Overfitting(0.62, 0.5, np.zeros(1), np.zeros(1), np.zeros(1), 0.0)
    assert told(found, (-1, 1), overfitting=(risk,)).words[2] == (
        "Probability of backtest overfitting 0.62: how often the best run on one half of the sessions lies below the median "
        "on the other half; choosing by one half is no help on the other."
    )
    paths = told(found, (-1, 1), overfitting=(risk, replace(risk, probability=0.18))).words[2]
    assert paths.startswith("Probability of backtest overfitting 0.40 (mean of 2 paths, 0.18 to 0.62): how often")
    steady = replace(risk, probability=0.1)
    assert told(found, (-1, 1), overfitting=(steady,)).words[2].endswith("what is best tends to stay so.")
    short = told(found, (-1, 1), overfitting=(), sessions=31).words[2]
    assert short == "No probability of overfitting: 31 sessions, at least 32 are needed."
    assert len(told(found).words) == 2  # of one run nothing was chosen


def test_looks_at_the_test_part_are_said(found):
    looked = [
        replace(run, evaluation={**run.evaluation, "test_looks": looks})
        for run, looks in zip(found.runs, (1, 4), strict=True)
    ]
    assert "looked at 4 times" in replace(found, runs=tuple(looked)).words[-1]


def test_runs_without_their_predictions_are_ranked_and_nothing_more(runs, tmp_path):
    copy = FinishedRun.read(shutil.copytree(runs[0].path, tmp_path / runs[0].path.name))
    (copy.path / "predictions" / "val_path.parquet").unlink()
    found = compared(copy.group, [copy, runs[1]], "sharpe_ratio")
    assert found.words == (f"No paired comparison: the predictions of {copy.path.name} are gone.",)
    assert found.standings is None and found.superiority is None and len(found.runs) == 2


def test_other_labels_of_the_same_bars_are_compared_by_money_alone(runs, monkeypatch):
    real = session_record
    marked = {runs[1].path: "other labels"}
    monkeypatch.setattr(
        "ohlcv_factory.studies.comparison.session_record",
        lambda run: replace(real(run), truth=marked.get(run.path, real(run).truth)),
    )
    with pytest.raises(DataError, match="on other labels of the same bars, so log_loss cannot be compared") as refused:
        compared(runs[0].group, runs, "log_loss")
    assert all(run.path.name in str(refused.value) for run in runs)
    assert compared(runs[0].group, runs, "sharpe_ratio").standings is not None


def test_a_score_without_paired_intervals_ranks_all_the_same(runs):
    found = compared(runs[0].group, runs, "max_drawdown")
    assert found.standings is None and found.superiority is not None
    assert found.words[0].startswith("max_drawdown has no paired intervals; these have: sharpe_ratio, ")
    with pytest.raises(UsageError, match="unknown score 'sharp'"):
        compared(runs[0].group, runs, "sharp")


def test_another_seed_draws_other_resamples_and_the_same_seed_the_same(runs, found):
    assert compared(runs[0].group, runs, "sharpe_ratio", seed=3).standings == found.standings
    assert compared(runs[0].group, runs, "sharpe_ratio", seed=4).standings != found.standings
