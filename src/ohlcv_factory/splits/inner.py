"""Inner rows of one fit: fit, then stop, then calibrate, in time order and purged.

Whatever is fitted is fitted on rows that it never scores: the model on *fit*, its best round on *stop*, its calibrator on
*calibrate*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_SHARE = 0.075
MAX_SHARE = 0.15
MIN_ROWS = 500
MIN_UNIQUENESS = 50.0


@dataclass(frozen=True)
class InnerRows:
    """Positions among the n training rows given; `stop` and `calibrate` may be empty, and `notes` then say why."""

    fit: np.ndarray
    stop: np.ndarray
    calibrate: np.ndarray
    notes: tuple[str, ...]


def inner_rows(time_ns: np.ndarray, scheduled_end_ns: np.ndarray, uniqueness: np.ndarray) -> InnerRows:
    """Divide n scored training rows, arrays of shape `(n,)`.

    *Stop* and *calibrate* each take the latest rows that make max(7.5 %, 500 rows, sum of uniqueness >= 50), at most
    15 % of all; where that cannot be had the block is empty: fixed rounds, or no calibrator. An earlier block loses the
    rows whose scheduled label end reaches the next one.
    """
    order = np.argsort(time_ns, kind="stable")
    rest, calibrate = _cut_latest(order, len(order), time_ns, scheduled_end_ns, uniqueness)
    rest, stop = _cut_latest(rest, len(order), time_ns, scheduled_end_ns, uniqueness)
    notes = []
    if not len(stop):
        notes.append("no stop rows (too few training rows): fixed number of rounds")
    if not len(calibrate):
        notes.append(
            "no calibrate rows (too few training rows): probabilities as the model gives them, decision by argmax"
        )
    return InnerRows(np.sort(rest), np.sort(stop), np.sort(calibrate), tuple(notes))


def halves(time_ns: np.ndarray, scheduled_end_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the earlier and the later half of n rows in time; labels of the earlier end before the later begins.

    Rows of one moment stay together. Either may be empty.
    """
    if not len(time_ns):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    border = np.sort(time_ns)[len(time_ns) // 2]
    return np.flatnonzero((time_ns < border) & (scheduled_end_ns < border)), np.flatnonzero(time_ns >= border)


def _cut_latest(
    order: np.ndarray, total: int, time_ns: np.ndarray, scheduled_end_ns: np.ndarray, uniqueness: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The time-ordered rows before the latest block, purged, and that block (empty when it would be too large)."""
    size = _block_size(uniqueness[order], total)
    if size is None:
        return order, order[:0]
    border = time_ns[order[len(order) - size]]
    later = time_ns[order] >= border
    earlier = ~later & (scheduled_end_ns[order] < border)
    return order[earlier], order[later]


def _block_size(uniqueness: np.ndarray, total: int) -> int | None:
    """Rows that a block needs, counted from the latest; None when that is more than 15 % of all."""
    reached = np.searchsorted(np.cumsum(uniqueness[::-1]), MIN_UNIQUENESS) + 1
    size = max(int(np.ceil(MIN_SHARE * total)), MIN_ROWS, int(reached))
    return size if size <= MAX_SHARE * total else None
