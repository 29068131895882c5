from __future__ import annotations

import math

import numpy as np
import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV
from ohlcv_factory.splits.purge import overlap_rows
from ohlcv_factory.splits.spans import LabelSpans

SHAPES = [(2, 1), (3, 2), (4, 2), (5, 3), (6, 2), (6, 4), (10, 3)]


def test_two_of_three_groups_in_literal_rows():
    splitter = CombinatorialPurgedCV(3, 2, spans=1, embargo_bars=1)
    assert [(train.tolist(), test.tolist()) for train, test in splitter.split(range(12))] == [
        ([10, 11], [0, 1, 2, 3, 4, 5, 6, 7]),  # two groups that touch are one block: rows 8 and 9 go
        ([6], [0, 1, 2, 3, 8, 9, 10, 11]),
        ([0, 1, 2], [4, 5, 6, 7, 8, 9, 10, 11]),
    ]


def test_groups_that_touch_are_one_block_with_one_embargo():
    (fold, *_) = CombinatorialPurgedCV(6, 2, embargo_bars=2).folds(LabelSpans.of_bars(60, 3))
    assert (fold.groups, fold.blocks, fold.test) == ((0, 1), ((0, 10), (10, 20)), ((0, 20),))
    assert fold.embargo == (2,)
    assert fold.group_rows(1).tolist() == list(range(10, 20))


@pytest.mark.parametrize(("groups", "tested"), SHAPES)
def test_there_are_as_many_folds_and_paths_as_the_binomials_say(groups, tested):
    splitter = CombinatorialPurgedCV(groups, tested)
    assert splitter.get_n_splits() == len(splitter.tested) == math.comb(groups, tested)
    assert splitter.n_paths == math.comb(groups, tested) * tested // groups
    assert splitter.paths.shape == (splitter.n_paths, groups)


@pytest.mark.parametrize(("groups", "tested"), SHAPES)
def test_each_path_covers_each_row_once_and_all_paths_use_each_tested_block_once(groups, tested):
    splitter = CombinatorialPurgedCV(groups, tested)
    folds = splitter.folds(LabelSpans.of_bars(200, 2))
    used = set()
    for path in splitter.paths:
        pieces = [folds[number - 1].group_rows(group) for group, number in enumerate(path)]
        assert np.concatenate(pieces).tolist() == list(range(200))
        used |= set(enumerate(path.tolist()))
    assert used == {(group, fold.number) for fold in folds for group in fold.groups}
    assert not any(len(overlap_rows(fold)) for fold in folds)


@pytest.mark.parametrize(("groups", "tested"), [(6, 6), (3, 0), (0, 0)])
def test_groups_that_leave_nothing_to_learn_from_are_refused(groups, tested):
    with pytest.raises(UsageError, match=f"got {tested} of {groups} groups"):
        CombinatorialPurgedCV(groups, tested)


@pytest.mark.parametrize(
    ("groups", "tested", "label", "embargo"), [(6, 2, 3, 0), (6, 2, 3, 4), (5, 3, 0, 2), (8, 2, 2, 0)]
)
def test_folds_and_paths_are_those_of_skfolio(groups, tested, label, embargo):
    selection = pytest.importorskip("skfolio.model_selection", reason="an oracle, installed by hand")
    values = np.zeros((groups * 20, 1))
    theirs = selection.CombinatorialPurgedCV(groups, tested, purged_size=label, embargo_size=embargo)
    ours = CombinatorialPurgedCV(groups, tested, spans=label, embargo_bars=embargo)
    expected = [(train.tolist(), np.concatenate(test).tolist()) for train, test in theirs.split(values)]
    assert [(train.tolist(), test.tolist()) for train, test in ours.split(values)] == expected
    assert (ours.paths - 1).tolist() == theirs.recombined_paths.T.tolist()


def test_folds_are_those_of_purgedcv():
    purgedcv = pytest.importorskip("purgedcv", reason="an oracle, installed by hand")
    import pandas as pd

    generator = np.random.default_rng(5)
    time = np.cumsum(generator.integers(1, 4, 120)) * 10**9
    end = time + generator.integers(0, 6, 120) * 10**9
    times = {"prediction_times": pd.to_datetime(time), "evaluation_times": pd.to_datetime(end + 1)}
    theirs = purgedcv.CombinatorialPurgedCV(6, 2, **times)
    ours = CombinatorialPurgedCV(6, 2, spans=LabelSpans.of_times(time, end), embargo_days=0.0)
    expected = [(train.tolist(), test.tolist()) for train, test in theirs.split(np.zeros((120, 1)))]
    assert [(train.tolist(), test.tolist()) for train, test in ours.split(range(120))] == expected
