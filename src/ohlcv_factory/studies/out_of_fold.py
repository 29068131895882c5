"""Predictions of rows by models that never saw them, put together from the folds: the only food of ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.storage.parquet import read_table
from ohlcv_factory.studies.fold_job import FoldResult
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.study_folder import CROSS_VALIDATION, open_study
from ohlcv_factory.training.scoring import Scores, score_rows

PART = "oof"
"""Prefix of the files under `predictions/`, where a run has the name of a part."""


@dataclass(frozen=True)
class OutOfFold:
    """One path through the tested blocks: n rows, each predicted once by a model that never saw it."""

    predictions: Predictions
    """Symbol after symbol, each in time order; calibrated by each fold's own calibrator."""
    fold: np.ndarray
    """`(n,)` int64: the fold (from 1) whose model predicted each row."""

    @classmethod
    def read(cls, study: Path | str, path: int | None = None) -> OutOfFold:
        """Of a finished cross-validation; `path` (from 1) where it has several.

        Raises InputMissingError (66) where there is no such study or path.
        """
        study = Path(study)
        manifest = open_study(study, CROSS_VALIDATION)
        file = study / "predictions" / f"{part_name(path)}_predictions.parquet"
        if not file.is_file():
            raise InputMissingError(
                f"{study} has no {file.name}.", where=str(study), help="give path=1, 2, … for a combinatorial study"
            )
        frame = read_table(file)
        return cls(Predictions.from_frame(frame, manifest["horizon"]), frame["fold"].to_numpy())


def part_name(path: int | None) -> str:
    """`oof`, or `oof_2` for the second of several paths."""
    return PART if path is None else f"{PART}_{path}"


def out_of_fold(folds: TrainFolds, results: Sequence[FoldResult], path: Sequence[int]) -> OutOfFold:
    """Join the blocks of one path: `path` holds the fold (from 1) that predicts each block.

    Raises DataError (65) where a row would be there twice.
    """
    pieces, rows, numbers = [], [], []
    for group, number in enumerate(path):
        fold, result = folds.folds[number - 1], results[number - 1]
        own = folds.block(fold, group)
        pieces.append(result.predictions.take(np.searchsorted(folds.tested(fold), own)))
        rows.append(own)
        numbers.append(np.full(len(own), number, dtype=np.int64))
    together = np.concatenate(rows)
    if len(np.unique(together)) < len(together):
        raise DataError("two blocks of a path hold the same row.", help="a defect of the splitter: please report it")
    order = np.argsort(together)
    return OutOfFold(Predictions.concat(pieces).take(order), np.concatenate(numbers)[order])


def path_scores(name: str, found: OutOfFold, folds: TrainFolds, *, seed: int) -> Scores:
    """One path scored as a whole; its class-prior baseline knows the shares of all train rows."""
    container = folds.container
    train = container.rows("train", scored=True)
    return score_rows(name, found.predictions, container, folds.covered(), train, seed=seed, rule=None)
