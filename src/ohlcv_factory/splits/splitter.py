"""What all splitters share: scikit-learn's `split` and `get_n_splits`, the embargo, and refusals with the arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.splits.chronological import (
    AUTO_EMBARGO_SHARE,
    DEFAULT_EMBARGO_DAYS,
    NANOSECONDS_PER_DAY,
    Embargo,
)
from ohlcv_factory.splits.purge import Fold, Stretches, joined, purged_around, size
from ohlcv_factory.splits.spans import LabelSpans, Stretch


@dataclass(frozen=True, kw_only=True, eq=False)
class Splitter(ABC):
    """Blocks of rows in time order, tested in turn, and what may be learnt from while they are.

    Blocks are equal shares of the distinct moments, so rows of several symbols at one time stay together.
    """

    spans: LabelSpans | int | None = None
    """Spans of the rows that `split` will get; a number says that these are consecutive bars of one series whose labels
    look that many bars ahead, with times where X has a pandas DatetimeIndex. None where `folds` is given them."""
    embargo_days: Embargo | None = None
    """Calendar days, for spans in time: none is 5; `"auto"` lowers 5 to at most 10 % of the tested block's time span."""
    embargo_bars: int | None = None
    """Bars, for spans that count bars; none is 0."""
    purge_windows: bool = False
    """Keep training windows off the tested blocks too, not labels alone."""

    @property
    @abstractmethod
    def tested(self) -> tuple[tuple[int, ...], ...]:
        """The blocks that each fold tests, from 0."""

    @property
    def paths(self) -> np.ndarray:
        """The number (from 1) of the fold that predicts each block on each path through them, int64 `(paths, blocks)`."""
        return np.arange(1, len(self.tested) + 1, dtype=np.int64)[None]

    @abstractmethod
    def block_borders(self, spans: LabelSpans) -> np.ndarray:
        """The first row of each block, and one past the last row."""

    def training(self, spans: LabelSpans, test: Stretches, embargo: tuple[int, ...]) -> Stretches:
        """The rows that may be learnt from while `test` is tested."""
        return purged_around(spans, test, embargo, purge_windows=self.purge_windows)

    def offered(self, spans: LabelSpans, test: Stretches) -> int:
        """How many rows might be learnt from, before purge and embargo."""
        return len(spans) - size(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return len(self.tested)

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Training rows and rows under test of each fold, int64 places in X, ascending.

        Raises what `folds` raises, and DataError (65) when X has not as many rows as the spans.
        """
        for fold in self.folds(self._spans_of(X)):
            yield fold.train_rows, fold.test_rows

    def folds(self, spans: LabelSpans | None = None) -> tuple[Fold, ...]:
        """The folds over these spans, or over the splitter's own.

        Raises UsageError (2) for an embargo in the wrong unit, DataError (65) with the arithmetic for too few rows, or
        where purge and embargo leave a fold without training rows.
        """
        found = self._spans_of(None) if spans is None else spans
        self._refuse_other_unit(found)
        borders = self.block_borders(found)
        return tuple(self._fold(number, groups, found, borders) for number, groups in enumerate(self.tested, start=1))

    def _fold(self, number: int, groups: tuple[int, ...], spans: LabelSpans, borders: np.ndarray) -> Fold:
        blocks = tuple((int(borders[group]), int(borders[group + 1])) for group in groups)
        test = joined(blocks)
        gaps = [self._embargo(spans, stretch) for stretch in test]
        embargo, notes = tuple(gap for gap, _ in gaps), tuple(note for _, note in gaps if note)
        train = self.training(spans, test, embargo)
        fold = Fold(number, groups, blocks, train, embargo, notes, spans)
        if not train:
            raise DataError(self._arithmetic(fold), help="give more rows, fewer folds, or a smaller embargo")
        return fold

    def _embargo(self, spans: LabelSpans, stretch: Stretch) -> tuple[int, str]:
        """Embargo beside one tested stretch in the unit of the moments, and a note where `auto` lowered it."""
        if not spans.in_time:
            return self.embargo_bars or 0, ""
        if self.embargo_days != "auto":
            days = DEFAULT_EMBARGO_DAYS if self.embargo_days is None else self.embargo_days
            return int(days * NANOSECONDS_PER_DAY), ""
        first, last = (int(spans.moment[row]) for row in (stretch[0], stretch[1] - 1))
        wanted, allowed = int(DEFAULT_EMBARGO_DAYS * NANOSECONDS_PER_DAY), int(AUTO_EMBARGO_SHARE * (last - first))
        if wanted <= allowed:
            return wanted, ""
        lowered = f"{allowed / NANOSECONDS_PER_DAY:.2f} days (10 % of the tested block's span)"
        return allowed, f"embargo lowered from {DEFAULT_EMBARGO_DAYS:g} to {lowered}"

    def _spans_of(self, X: Any) -> LabelSpans:
        """The spans of the rows of X."""
        if isinstance(self.spans, LabelSpans):
            _refuse_other_count(len(self.spans), X)
            return self.spans
        if self.spans is None or X is None:
            raise UsageError(
                "a purged splitter must know how far each label looks ahead.",
                where="spans",
                help="spans=20 for bars of one series, spans=LabelSpans.of_times(times, ends) for any rows",
            )
        index = getattr(X, "index", None)
        if type(index).__name__ == "DatetimeIndex":
            return LabelSpans.of_index(index, self.spans)
        return LabelSpans.of_bars(_count(X), self.spans)

    def _refuse_other_unit(self, spans: LabelSpans) -> None:
        wrong, right = ("embargo_bars", "embargo_days") if spans.in_time else ("embargo_days", "embargo_bars")
        given = getattr(self, wrong)
        if given is not None:
            unit = "times" if spans.in_time else "bars"
            raise UsageError(
                f"the rows are known by their {unit}, so {wrong}={given} has no meaning.",
                where=wrong,
                help=f"give {right} instead",
            )
        embargo = getattr(self, right)
        if embargo not in (None, "auto") and embargo < 0:
            raise UsageError(
                f"{right} must be at least 0, got {embargo}.", where=right, help="0 leaves the purge alone"
            )

    def _arithmetic(self, fold: Fold) -> str:
        """Where the rows went that a fold without training rows might have learnt from, as one sentence."""
        spans, test = fold.spans, fold.test
        labels_only = replace(self, purge_windows=False)
        clear = size(labels_only.training(spans, test, tuple(0 for _ in fold.embargo)))
        beyond = size(labels_only.training(spans, test, fold.embargo))
        offered = self.offered(spans, test)
        windows = f", {beyond} read bars of the block" if self.purge_windows else ""
        gaps = ", ".join(_gap_text(spans, gap) for gap in fold.embargo)
        return (
            f"fold {fold.number} of {self.get_n_splits()} keeps no training row: {size(test)} of {len(spans)} rows are "
            f"tested, {offered} others may teach, of these {offered - clear} have labels that meet the tested ones, "
            f"{clear - beyond} lie in the embargo of {gaps}{windows}."
        )


def equal_blocks(spans: LabelSpans, count: int, first: float = 0.0) -> np.ndarray:
    """Borders of `count` blocks with equal shares of the distinct moments, from a share `first` of them on.

    Raises DataError (65) when there are fewer moments than blocks.
    """
    moments = len(spans.beginnings)
    places = np.round(np.linspace(first, 1.0, count + 1) * moments).astype(np.int64)
    if np.any(np.diff(places) < 1):
        raise DataError(
            f"{count} blocks cannot be cut from {moments - int(places[0])} distinct times.",
            help="give more rows or fewer blocks",
        )
    return np.concatenate([spans.beginnings, [len(spans)]])[places]


def _gap_text(spans: LabelSpans, gap: int) -> str:
    return f"{gap / NANOSECONDS_PER_DAY:.2f} days" if spans.in_time else f"{gap} bars"


def _count(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _refuse_other_count(rows: int, X: Any) -> None:
    if X is not None and _count(X) != rows:
        raise DataError(
            f"X has {_count(X)} rows, the splitter's spans have {rows}.",
            where="spans",
            help="one span for each row of X",
        )
