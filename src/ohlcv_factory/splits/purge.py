"""Which rows may be learnt from while some blocks are tested: purge and embargo, by boundaries and not by masks.

A training set is a few stretches of rows in time order, found by searching running maxima. Only the rows between "no
label can reach the block" and the block, at most as many as the longest label has, are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.splits.spans import LabelSpans, Stretch, rows_of

Stretches = tuple[Stretch, ...]


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of n rows; stretches count rows in time order, which is the order given where `spans.order` is None.

    Then `X[first:stop]` for the stretches of `train` are views, and nothing needs to be copied.
    """

    number: int
    """From 1."""
    groups: tuple[int, ...]
    """Which blocks are tested, from 0."""
    blocks: Stretches
    """The rows of each of them."""
    train: Stretches
    embargo: tuple[int, ...]
    """Beside each stretch of `test`, in the unit of the moments."""
    notes: tuple[str, ...]
    """Where `auto` lowered an embargo."""
    spans: LabelSpans

    @property
    def test(self) -> Stretches:
        """The rows under test, blocks that touch each other joined."""
        return joined(self.blocks)

    @property
    def train_rows(self) -> np.ndarray:
        """Places of the training rows among the rows as given, int64, ascending."""
        return self.spans.given(rows_of(self.train))

    @property
    def test_rows(self) -> np.ndarray:
        """Places of the rows under test among the rows as given, int64, ascending."""
        return self.spans.given(rows_of(self.blocks))

    def group_rows(self, group: int) -> np.ndarray:
        """Places of the rows of one of the tested blocks among the rows as given."""
        return self.spans.given(rows_of((self.blocks[self.groups.index(group)],)))


def joined(stretches: Iterable[Stretch]) -> Stretches:
    """Ascending stretches with empty ones left out and touching ones made one."""
    found: list[Stretch] = []
    for first, stop in stretches:
        if first >= stop:
            continue
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((first, stop))
    return tuple(found)


def size(stretches: Stretches) -> int:
    """Number of rows."""
    return sum(stop - first for first, stop in stretches)


def purged_around(
    spans: LabelSpans, test: Stretches, embargo: Sequence[int], *, purge_windows: bool = False
) -> Stretches:
    """All rows outside `test` whose label does not reach it, from after its labels and the embargo on.

    Before a block a row goes when its end reaches the block's first moment. After it, rows resume after the latest end in
    the block plus its embargo (López de Prado 2018, chapter 7); with `purge_windows` also not before their own window
    lies after the block's last moment.
    """
    kept: list[Stretch] = []
    resume, taboo, block_end = 0, -1, None
    for (first, stop), gap in zip(test, embargo, strict=True):
        kept += _clear(spans, (resume, first), block_end, int(spans.moment[first]))
        taboo = max(taboo, spans.latest_end((first, stop)) + gap)
        resume = max(stop, int(np.searchsorted(spans.moment, taboo, side="right")))
        block_end = int(spans.moment[stop - 1]) if purge_windows else None
    kept += _clear(spans, (resume, len(spans)), block_end, None)
    return joined(kept)


def purged_before(spans: LabelSpans, block: Stretch, embargo: int, first_row: int = 0) -> Stretches:
    """The rows from `first_row` on that lie more than the embargo before a block and whose label does not reach it."""
    begin = int(spans.moment[block[0]])
    stop = int(np.searchsorted(spans.moment, begin - embargo, side="left"))
    return joined(_clear(spans, (first_row, min(stop, block[0])), None, begin))


def overlap_rows(fold: Fold) -> np.ndarray:
    """Training rows of a fold, in time order, whose span [moment, end] meets the span of a row under test."""
    spans, train = fold.spans, rows_of(fold.train)
    meets = np.zeros(len(train), dtype=bool)
    for first, stop in fold.test:
        begins, ends = spans.moment[first], spans.latest_end((first, stop))
        meets |= (spans.moment[train] <= ends) & (spans.end[train] >= begins)
    return train[meets]


def _clear(spans: LabelSpans, stretch: Stretch, after: int | None, before: int | None) -> list[Stretch]:
    """The rows of a stretch whose window begins after `after` and whose label ends before `before`."""
    first, stop = stretch
    if first >= stop:
        return []
    from_row = first if after is None else int(np.searchsorted(spans.clear_from, after, side="right"))
    to_row = stop if before is None else int(np.searchsorted(spans.reach, before, side="left"))
    from_row, to_row = max(from_row, first), min(to_row, stop)  # all rows between them are clear
    if from_row >= to_row:
        return _one_by_one(spans, stretch, after, before)
    edges = ((first, from_row), (to_row, stop))
    early, late = (_one_by_one(spans, edge, after, before) for edge in edges)
    return [*early, (from_row, to_row), *late]


def _one_by_one(spans: LabelSpans, stretch: Stretch, after: int | None, before: int | None) -> list[Stretch]:
    first, stop = stretch
    clear = np.ones(stop - first, dtype=bool)
    if after is not None:
        clear &= spans.reads_from[first:stop] > after
    if before is not None:
        clear &= spans.end[first:stop] < before
    changes = np.flatnonzero(np.diff(np.concatenate([[False], clear, [False]]).astype(np.int8))) + first
    return [(int(begin), int(finish)) for begin, finish in changes.reshape(-1, 2)]
