"""Label spans of any number of symbols, drawn for tests of purge and embargo, and the rule in plain Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from ohlcv_factory.splits.spans import LabelSpans

DAY = 86_400_000_000_000


@dataclass(frozen=True)
class Spans:
    """Rows in any order: when each is, and when its label is scheduled to end."""

    time_ns: np.ndarray
    end_ns: np.ndarray


@st.composite
def spans(draw, least=12, most=90):
    """Irregular times that several rows may share, and labels of very different length, in quarters of a day."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(least, most))
    time = generator.integers(0, draw(st.integers(count, 4 * count)), count)
    longest = draw(st.sampled_from([1, 4, 20]))
    end = time + generator.integers(0, longest, count)
    if draw(st.booleans()):
        order = np.argsort(time, kind="stable")
        time, end = time[order], end[order]
    return Spans(time * (DAY // 4), end * (DAY // 4))


def overlap(spans_: Spans, earlier: np.ndarray, later: np.ndarray) -> bool:
    """Whether any label of the earlier rows shares a moment with any label of the later ones."""
    return any(
        spans_.time_ns[i] <= spans_.end_ns[j] and spans_.time_ns[j] <= spans_.end_ns[i] for i in earlier for j in later
    )


def blocks_of(spans_: LabelSpans, data: st.DataObject) -> tuple[tuple[int, int], ...]:
    """One to three blocks of whole moments that do not touch, in time order."""
    borders = [*spans_.beginnings.tolist(), len(spans_)]
    count = data.draw(st.integers(1, min(3, (len(borders) - 1) // 2)))
    places = sorted(data.draw(st.sets(st.integers(0, len(borders) - 1), min_size=2 * count, max_size=2 * count)))
    return tuple((borders[a], borders[b]) for a, b in zip(places[::2], places[1::2], strict=True))


def training_by_definition(
    spans_: LabelSpans, test: tuple[tuple[int, int], ...], embargo: int, purge_windows: bool
) -> list[int]:
    """The rows that may be learnt from, one row and one tested block at a time."""

    def may_teach(row: int, first: int, stop: int) -> bool:
        if row < first:
            return bool(spans_.end[row] < spans_.moment[first])
        clear = spans_.moment[row] > max(spans_.end[first:stop]) + embargo
        return bool(row >= stop and clear and (not purge_windows or spans_.reads_from[row] > spans_.moment[stop - 1]))

    return [row for row in range(len(spans_)) if all(may_teach(row, first, stop) for first, stop in test)]
