"""Do labels of what is learnt from meet labels of what is scored? A property of two sets of spans, however they were made.

A missing purge is invisible to a test on noise (z = +0.06 was measured), so it is looked for where it is: no label of a
training row may be scheduled to end at or after the beginning of a held-out label that it began before the end of. Both
sides count, because a training row may lie after the rows under test as well as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from ohlcv_factory.audit.violation import Violation, overall
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.chronological import PART_NAMES
from ohlcv_factory.training.fitting import inner_parts

TEST = "span overlap"
INNER_NAMES = ("fit", "stop", "calibrate")


def meeting_rows(moment: np.ndarray, end: np.ndarray, held_moment: np.ndarray, held_end: np.ndarray) -> np.ndarray:
    """Which of n spans [moment, end] meet one of m held-out spans, bool `(n,)`; any order, any unit, arrays int64.

    Of the held-out spans that begin by the end of a span, the one that ends last decides.
    """
    if not len(held_moment):
        return np.zeros(len(moment), dtype=bool)
    order = np.argsort(held_moment, kind="stable")
    latest = np.maximum.accumulate(held_end[order])
    begun = np.searchsorted(held_moment[order], end, side="right")
    meets: np.ndarray = (begun > 0) & (latest[np.maximum(begun - 1, 0)] >= moment)
    return meets


def overlapping_parts(container: TimeSeriesDataContainer) -> Iterator[Violation]:
    """Rows of train, val and test whose scheduled label meets one of a later part; and of fit, stop and calibrate rows.

    Also a violation: a label that ended later than it was scheduled to, because then the purge knows too little.
    """
    parts = [(name, container.rows(name)) for name in PART_NAMES if len(container.rows(name))]
    train = container.rows("train", scored=True)
    inner = inner_parts(container, train)
    rows_of = {"fit": inner.fit, "stop": inner.stop, "calibrate": inner.calibrate}
    for named in (parts, [(name, train[rows_of[name]]) for name in INNER_NAMES]):
        for (name, rows), (other, held) in combinations(named, 2):
            yield from overlapping(container, rows, held, f"{name} against {other}")
    yield from _late_ends(container)


def overlapping(
    container: TimeSeriesDataContainer, rows: np.ndarray, held: np.ndarray, name: str
) -> Iterator[Violation]:
    """A violation for some rows whose scheduled label meets that of a held-out row; `size` is how many there are."""
    time, end = container.index["time_ns"], container.labels.scheduled_end_ns
    meets = meeting_rows(time[rows], end[rows], time[held], end[held])
    if meets.any():
        count = int(meets.sum())
        first = time_text(time[rows][np.argmax(meets)])
        complaint = f"{count} of {len(rows)} rows have labels that meet held-out ones, the first at {first}"
        yield overall(TEST, name, ", ".join(container.symbols), complaint, float(count))


def gap_days(container: TimeSeriesDataContainer) -> float | None:
    """Days between the last scheduled end of a train label and the first held-out row; None without held-out rows."""
    held = np.concatenate([container.rows("val"), container.rows("test")])
    train = container.rows("train")
    if not len(held) or not len(train):
        return None
    last, first = container.labels.scheduled_end_ns[train].max(), container.index["time_ns"][held].min()
    return float((first - last) / 86_400e9)


def twice_in(rows_by_block: Sequence[np.ndarray]) -> int:
    """How many rows stand in more than one of some blocks."""
    together = np.concatenate([np.empty(0, np.int64), *rows_by_block])
    return len(together) - len(np.unique(together))


def _late_ends(container: TimeSeriesDataContainer) -> Iterator[Violation]:
    labels = container.labels
    late = labels.labelled & (labels.end_ns > labels.scheduled_end_ns)
    if late.any():
        first = time_text(container.index["time_ns"][np.argmax(late)])
        complaint = f"{int(late.sum())} labels end after their scheduled end, the first at {first}"
        yield overall(TEST, "labels", ", ".join(container.symbols), complaint, float(late.sum()))
