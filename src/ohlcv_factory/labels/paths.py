"""What came of the path after every bar, whichever rule labelled it, and how far a path may reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numba import njit

from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.labels.classes import NEUTRAL, SHORT

TIMED_OUT, CLEAN, GAPPED = 0, 1, 2
TOUCH_NAMES = ("timed_out", "clean", "gapped")

Entry = Literal["next_open", "close"]
Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Cost of both sides in price units per unit traded, from entry and exit prices of shape `(n,)`."""


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
class Paths:
    """The same before it is known whether a move pays: what a rule's kernel finds, arrays of shape `(n,)`."""

    label: np.ndarray
    labelled: np.ndarray
    ambiguous: np.ndarray
    resolved: np.ndarray
    end_row: np.ndarray
    entry_price: np.ndarray
    """float64; 1 where there is no label, as the exit price."""
    exit_price: np.ndarray
    rise: np.ndarray
    """float64: highest price up to the exit, above the entry, as a share of the upper distance."""
    fall: np.ndarray
    """float64: lowest price up to the exit, below the entry, as a share of the lower distance."""
    touch: np.ndarray

    def labels(self, cost: Cost | None = None) -> PathLabels:
        """The labels; with a cost, a move that does not earn more than both sides cost is neutral, its touch is kept."""
        label = self.label if cost is None else self._paying(cost)
        adverse, favourable = _excursions(label, self.rise, self.fall)
        return PathLabels(
            label=label,
            labelled=self.labelled,
            ambiguous=self.ambiguous,
            resolved=self.resolved,
            end_row=self.end_row,
            bars_to_hit=(self.end_row - np.arange(len(label))).astype(np.int32),
            realised_return=self.exit_price / self.entry_price - 1.0,
            adverse=adverse,
            favourable=favourable,
            touch=self.touch,
        )

    def _paying(self, cost: Cost) -> np.ndarray:
        """The labels of moves that earn more than their cost, neutral elsewhere."""
        gain = (self.label - np.float64(NEUTRAL)) * (self.exit_price - self.entry_price)
        pays = gain > cost(self.entry_price, self.exit_price)
        return np.where(pays, self.label, np.int8(NEUTRAL))


@njit(cache=True, nogil=True)
def _excursions(label, rise, fall):  # type: ignore[no-untyped-def]
    """Excursion against and for each label; of neutral ones the larger and the smaller."""
    adverse, favourable = np.empty(len(label)), np.empty(len(label))
    for row in range(len(label)):
        is_against = label[row] == SHORT or (label[row] == NEUTRAL and rise[row] > fall[row])
        adverse[row] = rise[row] if is_against else fall[row]
        favourable[row] = fall[row] if is_against else rise[row]
    return adverse, favourable


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

    def cost(entry_price: np.ndarray, exit_price: np.ndarray) -> np.ndarray:
        sides = (instrument.cost_per_unit(price) for price in (entry_price, exit_price))  # type: ignore[arg-type]
        return np.asarray(sum(sides))

    return cost


def contract_slices(bars: Bars) -> list[slice]:
    """The rows of each contract; one slice over all rows for bars without rolls."""
    edges = [0, *bars.roll_rows.tolist(), len(bars)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
