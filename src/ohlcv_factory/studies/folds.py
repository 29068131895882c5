"""The folds of a container's train part; rows of val and test, and of the gaps, are in none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.errors import DataError, FactoryError, VerificationError
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.chronological import MIN_SCORED_ROWS, NANOSECONDS_PER_DAY, NO_PART, PART_NAMES
from ohlcv_factory.splits.purge import Fold, overlap_rows
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.fitting import input_columns, refuse_missing_class
from ohlcv_factory.training.memory_estimate import refuse_too_large
from ohlcv_factory.training.settings import TrainerConfig

TRAIN, HELD_OUT = PART_NAMES.index("train"), PART_NAMES.index("val")
"""Parts of a fold: what it learns from, and what it predicts."""


@dataclass(frozen=True)
class TrainFolds:
    """How the eligible train rows of a container, labelled or not, are divided."""

    container: TimeSeriesDataContainer
    rows: np.ndarray
    """`(n,)` int64: the rows of the train part."""
    splitter: Splitter
    folds: tuple[Fold, ...]

    @classmethod
    def of(cls, container: TimeSeriesDataContainer, cv: CrossValidationConfig, lookback: int) -> TrainFolds:
        """The folds that `cv` makes of a train part, for a model that reads `lookback` bars.

        Raises DataError (65) with the arithmetic for a fold with under 200 scored rows to learn from or to be tested on.
        """
        rows = container.rows("train")
        if not len(rows):
            raise DataError("the train part is empty.", where=container.origin or "", help="give more bars")
        splitter = cv.splitter(container.config.embargo_days)
        made = cls(container, rows, splitter, splitter.folds(container.label_spans(rows, lookback)))
        for fold in made.folds:
            made._refuse_overlap(fold)
            made._refuse_small(fold)
        return made

    def part(self, fold: Fold) -> TimeSeriesDataContainer:
        """The container as a fold sees it: train is what it learns from, val what it predicts, the rest is in no part."""
        code = np.full(len(self.container), NO_PART, dtype=np.int8)
        code[self.rows[fold.train_rows]], code[self.rows[fold.test_rows]] = TRAIN, HELD_OUT
        return self.container.with_split(code)

    def learnt(self, fold: Fold) -> np.ndarray:
        """The scored rows of the container that a fold learns from, ascending."""
        rows = self.rows[fold.train_rows]
        scored: np.ndarray = rows[self.container.labels.scored[rows]]
        return scored

    def tested(self, fold: Fold) -> np.ndarray:
        """The rows of the container that a fold predicts, ascending."""
        tested: np.ndarray = self.rows[fold.test_rows]
        return tested

    def block(self, fold: Fold, group: int) -> np.ndarray:
        """Those of one of its blocks."""
        tested: np.ndarray = self.rows[fold.group_rows(group)]
        return tested

    def covered(self) -> np.ndarray:
        """The rows that some fold predicts, ascending."""
        return np.unique(np.concatenate([self.tested(fold) for fold in self.folds]))

    def records(self) -> Iterator[dict[str, Any]]:
        """What is written down of each fold: spans in time, rows, embargo, digest of its rows."""
        for fold in self.folds:
            yield {
                "fold": fold.number,
                "blocks": list(fold.groups),
                "tested": [self._times(stretch) for stretch in fold.test],
                "learnt_from": [self._times(stretch) for stretch in fold.train],
                "label_ends": [time_text(fold.spans.latest_end(stretch)) for stretch in fold.test],
                "embargo_days": [gap / NANOSECONDS_PER_DAY for gap in fold.embargo],
                "rows": self._counts(fold),
                "row_digest": self.part(fold).row_digest(),
                "notes": list(fold.notes),
            }

    def _times(self, stretch: tuple[int, int]) -> list[str]:
        spans = self.folds[0].spans
        return [time_text(spans.moment[row]) for row in (stretch[0], stretch[1] - 1)]

    def _counts(self, fold: Fold) -> dict[str, int]:
        scored = self.container.labels.scored[self.rows]
        train, test = fold.train_rows, fold.test_rows
        return {
            "train": len(train),
            "train_scored": int(scored[train].sum()),
            "test": len(test),
            "test_scored": int(scored[test].sum()),
        }

    def _refuse_overlap(self, fold: Fold) -> None:
        """No plan of a splitter is trusted blindly: this is the property that everything else rests on."""
        meeting = overlap_rows(fold)
        if len(meeting):
            raise FactoryError(
                f"fold {fold.number} would learn from {len(meeting)} labels that meet the tested ones.",
                help="a defect of the splitter: please report it",
            )

    def _refuse_small(self, fold: Fold) -> None:
        counts = self._counts(fold)
        for name, does in (("train", "learn from"), ("test", "be tested on")):
            if counts[f"{name}_scored"] < MIN_SCORED_ROWS:
                gaps = ", ".join(f"{gap / NANOSECONDS_PER_DAY:.2f}" for gap in fold.embargo)
                raise DataError(
                    f"fold {fold.number} of {len(self.folds)} has {counts[f'{name}_scored']} scored rows to {does}, at "
                    f"least {MIN_SCORED_ROWS} are needed: of {len(self.rows)} train rows {counts['test']} are tested and "
                    f"{counts['train']} are left by purge and embargo of {gaps} days.",
                    help="fewer folds, --embargo auto, or more bars",
                )


def same_rows(part: TimeSeriesDataContainer, digest: str, fold: int) -> None:
    """Raise VerificationError (76) where a fold does not hold the rows that were planned."""
    if part.row_digest() != digest:
        raise VerificationError(
            f"fold {fold} holds other rows than were planned.",
            where=part.origin or "",
            help="the dataset was built again, or the code is another: start the study again",
        )


def planned_folds(
    config: TrainerConfig, model: BaseModel, cv: CrossValidationConfig, container: TimeSeriesDataContainer
) -> TrainFolds:
    """The folds of a study of one config, with everything checked that can be without a fit.

    Raises UsageError (2), DataError (65) or ResourceError (70).
    """
    columns = input_columns(config, model, container)
    refuse_missing_class(container, container.rows("train", scored=True), config)
    refuse_too_large(model, len(container), len(columns))
    return TrainFolds.of(container, cv, model.lookback)
