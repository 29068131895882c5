"""Does the same row stand in two parts? By its bar, by the bits of its features, and by the bars that lead to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ohlcv_factory.audit.violation import Violation, overall
from ohlcv_factory.bars.schema import COLUMNS, Bars
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.runtime.clock import time_text
from ohlcv_factory.splits.chronological import NO_PART, PART_NAMES

TEST = "duplicated rows"
RUN_BARS = 16
"""Bars that must be the same, price for price and volume for volume, to be called a copy: no market repeats so many."""
FEWEST_COLUMNS = 5
"""Features below which two rows may well be equal by chance."""


def duplicated_rows(container: TimeSeriesDataContainer) -> Iterator[Violation]:
    """Rows that also stand in another part. Stretches in which the price stands still are equal by nature and left out."""
    alive = ~_standing_still(container)
    keys = {"bar": (_bar_keys(container), "stand in two parts under the same symbol and time")}
    if len(container.feature_names) >= FEWEST_COLUMNS:
        keys["features"] = (_feature_keys(container), "have the features of a row of another part, bit for bit")
    keys["bars"] = (_stretch_keys(container), f"follow {RUN_BARS} bars that another part has too")
    for name, (key, complaint) in keys.items():
        rows = _in_two_parts(key, container.part, alive if name != "bar" else np.ones(len(container), dtype=bool))
        if len(rows):
            index = container.index[rows[0]]
            symbol = container.symbols[index["symbol_code"]]
            part = PART_NAMES[container.part[rows[0]]]
            words = f"{len(rows)} rows {complaint}, the first in {part} at {time_text(index['time_ns'])}"
            yield overall(TEST, name, symbol, words, float(len(rows)))


def _in_two_parts(key: np.ndarray, part: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Rows of a later part whose key an earlier part has too."""
    rows = np.flatnonzero((part != NO_PART) & counted)
    _, group = np.unique(key[rows], return_inverse=True)
    first = np.full(group.max(initial=-1) + 1, len(PART_NAMES), dtype=np.int64)
    np.minimum.at(first, group, part[rows])
    found: np.ndarray = rows[part[rows] > first[group]]
    return found


def _bar_keys(container: TimeSeriesDataContainer) -> np.ndarray:
    return _digest([container.index["symbol_code"].astype(np.uint64), container.index["time_ns"].view(np.uint64)])


def _feature_keys(container: TimeSeriesDataContainer) -> np.ndarray:
    bits = np.ascontiguousarray(container.features).view(np.uint32)
    return _digest(bits[:, column].astype(np.uint64) for column in range(bits.shape[1]))


def _stretch_keys(container: TimeSeriesDataContainer) -> np.ndarray:
    keys = np.zeros(len(container), dtype=np.uint64)
    for code, market in enumerate(container.markets):
        own = container.index["symbol_code"] == code
        keys[own] = _stretches(market.bars)[container.index["row"][own]]
    return keys


def _stretches(bars: Bars) -> np.ndarray:
    """A number for the `RUN_BARS` bars up to each bar, uint64 `(n,)`; bars before the first full stretch get their own."""
    newest = _digest(getattr(bars, name).view(np.uint64) for name in COLUMNS)
    before = [np.r_[np.arange(back, dtype=np.uint64), newest[: len(bars) - back]] for back in range(RUN_BARS)]
    return _digest(each[: len(bars)] for each in before)


def _digest(columns: Iterable[np.ndarray]) -> np.ndarray:
    """64 bits for each row of some columns: among 10^7 different rows two agree with a chance of 3 in a million."""
    mixed: Any = np.uint64(0)
    for column in columns:
        mixed = _scrambled(mixed * np.uint64(0x9E3779B97F4A7C15) + column)
    return np.asarray(mixed)


def _scrambled(bits: np.ndarray) -> np.ndarray:
    """Each number spread over all 64 bits (the finaliser of splitmix64): neighbouring prices share most of theirs."""
    mixed = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _standing_still(container: TimeSeriesDataContainer) -> np.ndarray:
    """Rows whose close has not moved for `RUN_BARS` bars, bool `(n,)`."""
    still = np.zeros(len(container), dtype=bool)
    for code, market in enumerate(container.markets):
        own, close = container.index["symbol_code"] == code, market.bars.close
        changed = np.cumsum(np.r_[0, np.diff(close) != 0])
        rows = container.index["row"][own]
        still[own] = changed[rows] == changed[np.maximum(rows - RUN_BARS + 1, 0)]
    return still
