"""Label spans of any number of symbols, drawn for tests of purge and embargo, and the rule in plain Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

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
