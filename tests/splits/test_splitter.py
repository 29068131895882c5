from __future__ import annotations

import doctest
import importlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.runtime.threads import one_blas_thread
from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.splits.spans import LabelSpans
from ohlcv_factory.splits.walk_forward import WalkForward

DAY = 86_400_000_000_000
SPLITTERS = [PurgedKFold(3), WalkForward(3), CombinatorialPurgedCV(4, 2)]


def daily(count):
    """Rows a day apart with labels of one day."""
    time = np.arange(count) * DAY
    return LabelSpans.of_times(time, time + DAY)


@pytest.mark.parametrize("module", ["purged_kfold", "walk_forward", "combinatorial"])
def test_the_examples_in_the_docstrings_are_true(module):
    found = doctest.testmod(importlib.import_module(f"ohlcv_factory.splits.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_the_embargo_is_five_days_unless_another_is_named():
    time = np.arange(400) * DAY
    found = LabelSpans.of_times(time, time)
    assert PurgedKFold(2).folds(found)[0].train_rows[0] == 205  # the block's last row is 199
    assert PurgedKFold(2, embargo_days=1.5).folds(found)[0].train_rows[0] == 201
    assert PurgedKFold(2, embargo_days=0.0).folds(found)[0].train_rows[0] == 200


def test_auto_lowers_the_embargo_to_a_tenth_of_the_tested_blocks_span_and_says_so():
    time = np.arange(2000) * (DAY // 100)  # 20 days in two blocks
    folds = PurgedKFold(2, embargo_days="auto").folds(LabelSpans.of_times(time, time))
    assert [fold.embargo[0] for fold in folds] == pytest.approx([0.999 * DAY] * 2)
    assert folds[0].notes == ("embargo lowered from 5 to 1.00 days (10 % of the tested block's span)",)
    long = PurgedKFold(2, embargo_days="auto").folds(daily(200))
    assert (long[0].embargo, long[0].notes) == ((5 * DAY,), ())


def test_rows_of_a_frame_with_a_time_index_get_calendar_days():
    frame = pd.DataFrame({"x": np.arange(100.0)}, index=pd.date_range("2024-01-01", periods=100, tz="UTC"))
    first, *_ = PurgedKFold(4, spans=2).split(frame)
    assert first[0][0] == 24 + 2 + 5 + 1
    first, *_ = PurgedKFold(4, spans=2, embargo_days=1.0).split(frame)
    assert first[0][0] == 24 + 2 + 1 + 1


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_scikit_learn_searches_and_scores_with_it(splitter):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_score

    generator = np.random.default_rng(0)
    X = generator.standard_normal((400, 3))
    y = (X[:, 0] + 0.3 * generator.standard_normal(400) > 0).astype(int)
    own = replace(splitter, spans=LabelSpans.of_bars(400, 5), embargo_bars=5)
    with one_blas_thread():
        scores = cross_val_score(LogisticRegression(), X, y, cv=own)
        search = GridSearchCV(LogisticRegression(), {"C": [1e-4, 1.0]}, cv=own).fit(X, y)
    assert len(scores) == own.get_n_splits(X, y)
    assert scores.min() > 0.8
    assert search.n_splits_ == own.get_n_splits()
    assert search.best_params_ == {"C": 1.0}


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_the_number_of_folds_is_known_without_data(splitter):
    assert splitter.get_n_splits() == len(splitter.folds(daily(300)))


def test_without_spans_a_splitter_says_what_it_needs():
    with pytest.raises(UsageError, match="must know how far each label looks ahead") as caught:
        next(PurgedKFold(3).split(range(10)))
    assert "spans=20" in caught.value.help


def test_rows_that_are_not_those_of_the_spans_are_refused():
    with pytest.raises(DataError, match="X has 9 rows, the splitter's spans have 10"):
        next(PurgedKFold(2, spans=LabelSpans.of_bars(10, 1)).split(np.zeros((9, 2))))


@pytest.mark.parametrize(
    ("options", "spans", "rule"),
    [
        ({"embargo_bars": 3}, daily(30), "known by their times, so embargo_bars=3 has no meaning"),
        ({"embargo_days": 2.0}, LabelSpans.of_bars(30, 1), "known by their bars, so embargo_days=2.0 has no meaning"),
        ({"embargo_days": "auto"}, LabelSpans.of_bars(30, 1), "embargo_days=auto has no meaning"),
        ({"embargo_days": -1.0}, daily(30), "embargo_days must be at least 0, got -1.0"),
        ({"embargo_bars": -1}, LabelSpans.of_bars(30, 1), "embargo_bars must be at least 0, got -1"),
    ],
)
def test_an_embargo_that_means_nothing_is_refused(options, spans, rule):
    with pytest.raises(UsageError, match=rule):
        PurgedKFold(3, **options).folds(spans)


def test_more_blocks_than_moments_are_refused_with_both_counts():
    with pytest.raises(DataError, match="5 blocks cannot be cut from 4 distinct times"):
        PurgedKFold(5).folds(daily(4))


def test_a_fold_without_training_rows_is_refused_with_the_arithmetic():
    with pytest.raises(DataError) as caught:
        PurgedKFold(2, embargo_days=30.0).folds(daily(40))
    assert caught.value.exit_code == 65
    assert caught.value.what == (
        "fold 1 of 2 keeps no training row: 20 of 40 rows are tested, 20 others may teach, of these 1 have labels that "
        "meet the tested ones, 19 lie in the embargo of 30.00 days."
    )
    assert caught.value.help == "give more rows, fewer folds, or a smaller embargo"


def test_windows_stand_in_the_arithmetic_where_they_are_purged():
    with pytest.raises(DataError, match=r"5 lie in the embargo of 5 bars, 14 read bars of the block\."):
        PurgedKFold(2, embargo_bars=5, purge_windows=True).folds(LabelSpans.of_bars(40, 1, lookback=30))
