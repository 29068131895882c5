"""What came of the path after every bar, whichever rule labelled it, and how far a path may reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars

TIMED_OUT, CLEAN, GAPPED = 0, 1, 2
TOUCH_NAMES = ("timed_out", "clean", "gapped")

Entry = Literal["next_open", "close"]


@dataclass(frozen=True)
class PathLabels:
    """Labels of every bar t of one symbol, arrays of shape `(n,)`; meaningless where `labelled` is False."""

    label: np.ndarray
    """int8: 0 short, 1 neutral, 2 long."""
    labelled: np.ndarray
    """bool: the distances are known at t, and the vertical barrier stands at or before the row's limit."""
    ambiguous: np.ndarray
    """bool: one bar touched both barriers and no finer bar says which first; neither trained on nor scored."""
    resolved: np.ndarray
    """bool: one bar touched both barriers, and the finer bars told which one first."""
    end_row: np.ndarray
    """int64: row of the bar that ended the path, t + 1 to t + max_bars."""
    bars_to_hit: np.ndarray
    """int32: end_row - t."""
    realised_return: np.ndarray
    """float64: exit price over entry price - 1; a gap through a barrier exits at the open."""
    adverse: np.ndarray
    """float64: worst excursion against the trade as a share of its stop's distance; neutral: the larger of both sides."""
    favourable: np.ndarray
    """float64: best excursion for the trade as a share of its target's distance; neutral: the smaller of both sides."""
    touch: np.ndarray
    """int8: 0 timed out, 1 clean touch, 2 gap through the barrier."""


@dataclass(frozen=True)
class Cost:
    """What both sides of a trade cost in price units per unit traded: fixed + share x (entry price + exit price)."""

    fixed: float
    share: float


FREE = Cost(-math.inf, 0.0)
"""Every move pays."""


def label_limits(bars: Bars, session_day: np.ndarray | None = None) -> np.ndarray:
    """The last row at which each row's vertical barrier may stand, int64 `(n,)`: the end of its contract or of the data.

    With the session of each bar, `session_day` of shape `(n,)`, also the last bar of row t's session.
    """
    starts = bars.roll_rows
    if session_day is not None:
        starts = np.union1d(starts, np.flatnonzero(np.diff(session_day)) + 1)
    edges = np.concatenate(([0], starts, [len(bars)])).astype(np.int64)
    return np.repeat(edges[1:] - 1, np.diff(edges))


def round_trip_cost(instrument: Instrument) -> Cost:
    """What entering and leaving costs with the instrument's commission, slippage and fee."""
    nothing = instrument.cost_per_unit(0.0)
    return Cost(2 * nothing, instrument.cost_per_unit(1.0) - nothing)


def contract_slices(bars: Bars) -> list[slice]:
    """The rows of each contract; one slice over all rows for bars without rolls."""
    edges = [0, *bars.roll_rows.tolist(), len(bars)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
