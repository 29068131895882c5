from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.out_of_fold import OutOfFold, out_of_fold, part_name
from ohlcv_factory.studies.settings import CrossValidationConfig

pytestmark = pytest.mark.usefixtures("quick")


def test_every_eligible_train_row_is_predicted_once_labelled_or_not(two_symbols, config):
    labels = two_symbols.labels
    unknown = labels.labelled & (np.arange(len(labels.labelled)) % 7 != 0)  # every seventh row loses its label
    container = replace(
        two_symbols, labels=replace(labels, labelled=unknown, scored=labels.scored & unknown), origin=None
    )
    result = cross_validate(config(), container, CrossValidationConfig(folds=3))
    rows = container.rows("train")
    found = result.predictions
    assert np.array_equal(found.index, container.index[rows])
    assert np.array_equal(found.labelled, container.labels.labelled[rows])
    assert not found.labelled.all()
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_each_row_comes_from_the_fold_that_tests_it(study, container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    (path,) = study.paths
    for fold, result in zip(folds.folds, study.folds, strict=True):
        own = path.fold == fold.number
        assert path.predictions.index[own].tobytes() == container.index[folds.tested(fold)].tobytes()
        assert path.predictions.probabilities[own].tobytes() == result.predictions.probabilities.tobytes()


def test_walk_forward_covers_each_covered_row_once(container, config):
    cv = CrossValidationConfig(scheme="walk_forward", folds=2, train_share=0.6)
    result = cross_validate(config(), container, cv)
    rows = container.rows("train")
    covered = rows[round(0.6 * len(rows)) :]
    assert np.array_equal(result.predictions.index, container.index[covered])
    assert result.metrics["rows"] == {"train": len(rows), "covered": len(covered)}


def test_each_combinatorial_path_covers_each_row_once_by_another_choice_of_folds(container, config):
    result = cross_validate(config(), container, CrossValidationConfig(scheme="combinatorial", folds=4))
    assert len(result.paths) == 3
    for path in result.paths:
        assert np.array_equal(path.predictions.index, container.index[container.rows("train")])
    by_block = [[int(path.fold[block]) for block in (0, -1)] for path in result.paths]
    assert by_block == [[1, 3], [2, 5], [3, 6]]  # groups 0 and 3 of folds (0,1) (0,2) (0,3) (1,2) (1,3) (2,3)
    with pytest.raises(ValueError, match="3 paths"):
        _ = result.predictions
    again = OutOfFold.read(result.path, path=2)
    assert again.predictions.raw.tobytes() == result.paths[1].predictions.raw.tobytes()
    assert np.array_equal(again.fold, result.paths[1].fold)
    with pytest.raises(InputMissingError, match=r"has no oof_predictions\.parquet"):
        OutOfFold.read(result.path)


def test_it_is_read_back_as_it_was(study):
    again = OutOfFold.read(study.path)
    (path,) = study.paths
    for name in ("index", "raw", "probabilities", "decision", "labelled", "scored"):
        assert getattr(again.predictions, name).tobytes() == getattr(path.predictions, name).tobytes()
    assert np.array_equal(again.fold, path.fold)


def test_what_is_no_study_is_refused(tmp_path):
    with pytest.raises(InputMissingError, match="is not a finished study of kind 'cv'"):
        OutOfFold.read(tmp_path)


def test_a_path_that_holds_a_row_twice_is_refused(study, container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    twice = replace(folds, folds=(folds.folds[0], replace(folds.folds[0], groups=(1,)), folds.folds[2]))
    with pytest.raises(DataError, match="two blocks of a path hold the same row"):
        out_of_fold(twice, [study.folds[0], study.folds[0], study.folds[2]], [1, 2, 3])


def test_files_of_one_path_carry_no_number():
    assert (part_name(None), part_name(2)) == ("oof", "oof_2")


def test_predictions_of_different_horizons_are_not_joined(study):
    one = study.folds[0].predictions
    with pytest.raises(DataError, match="predictions differ in horizon"):
        Predictions.concat([one, replace(one, horizon=20)])
