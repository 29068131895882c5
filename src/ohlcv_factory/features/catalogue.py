"""Every feature the factory knows, and the matrix that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.errors import DataError, unknown_name
from ohlcv_factory.features.averages import AVERAGES
from ohlcv_factory.features.bar_shape import BAR_SHAPE
from ohlcv_factory.features.calendar import CALENDAR
from ohlcv_factory.features.feature import Category, Feature, FeatureInputs
from ohlcv_factory.features.microstructure import MICROSTRUCTURE
from ohlcv_factory.features.momentum import MOMENTUM
from ohlcv_factory.features.plugins import user_features
from ohlcv_factory.features.raw import RAW
from ohlcv_factory.features.regime import REGIME
from ohlcv_factory.features.returns import RETURNS
from ohlcv_factory.features.timeframes import FRAME_SECONDS, SPELLINGS, TIMEFRAMES, frame_of
from ohlcv_factory.features.trend import TREND
from ohlcv_factory.features.volatility import VOLATILITY
from ohlcv_factory.features.volume import VOLUME
from ohlcv_factory.features.wavelets import WAVELETS
from ohlcv_factory.runtime.clock import time_text

VERSION = 1
"""Of names, formulas and look-backs; goes into every dataset manifest."""

CATEGORIES: tuple[Category, ...] = (
    RETURNS,
    BAR_SHAPE,
    AVERAGES,
    MOMENTUM,
    VOLATILITY,
    VOLUME,
    TREND,
    CALENDAR,
    REGIME,
    MICROSTRUCTURE,
    WAVELETS,
    TIMEFRAMES,
    RAW,
)
MINUTES_PER_DAY = 1440
WARM_UP_SHARE = 0.1
STAGED_COLUMNS = 4
STAGED_ROWS = 4096


@dataclass(frozen=True)
class Available:
    """The columns that some bars can carry, in the catalogue's order, and why the others cannot."""

    names: tuple[str, ...]
    left_out: dict[str, str]


def catalogue() -> tuple[Feature, ...]:
    """Every feature, names unique: the built-in ones in declared order, then the user's own."""
    return (*builtin_features(), *user_features())


@cache
def builtin_features() -> tuple[Feature, ...]:
    """The features of this package, in declared order."""
    return tuple(feature for category in CATEGORIES for feature in category.features)


def available(bars: Bars, calendar: SessionCalendar, timeframes: Sequence[str] = ("15min", "30min", "1h")) -> Available:
    """The columns that these bars can carry, with those timeframes.

    Raises UnknownNameError (2) for a timeframe that is not offered.
    """
    wanted = {_frame(spelling) for spelling in timeframes}
    refused = {frame: _frame_refusal(bars, frame, wanted) for frame in FRAME_SECONDS}
    left_out: dict[str, str] = {}
    for feature in catalogue():
        frame = frame_of(feature.name)
        reason = refused[frame] if frame else _calendar_refusal(feature, calendar)
        reason = reason or _volume_refusal(feature, bars)
        if reason:
            left_out[feature.name] = reason
    return Available(tuple(feature.name for feature in catalogue() if feature.name not in left_out), left_out)


def warm_up(names: Sequence[str], bar_seconds: int) -> int:
    """The longest declared look-back of these columns, in bars of `bar_seconds`; 0 without columns."""
    return max((find(name).lookback_bars(bar_seconds) for name in names), default=0)


def compute(bars: Bars, calendar: SessionCalendar, names: Sequence[str]) -> np.ndarray:
    """The columns `names` of these bars, float32 `(n, len(names))`, C-contiguous; row t is known at the close of bar t.

    Rows before a feature's look-back may be NaN. Each prefix of the bars gives the same bits. Raises
    UnknownNameError (2) for an unknown column, DataError (65) where a value after its look-back is not finite.
    """
    features = [find(name) for name in names]
    matrix = np.empty((len(bars), len(features)), np.float32)
    inputs, category = FeatureInputs(bars, calendar), ""
    staged = np.empty((STAGED_COLUMNS, len(bars)), np.float32)
    for first in range(0, len(features), STAGED_COLUMNS):
        for row, feature in zip(staged, features[first:], strict=False):
            if feature.category != category:
                inputs, category = FeatureInputs(bars, calendar), feature.category
            _fill(row, feature, inputs)
        _transpose_into(matrix[:, first : first + STAGED_COLUMNS], staged)
    return matrix


def find(name: str) -> Feature:
    """The feature of that name. Raises UnknownNameError (2)."""
    if name not in _by_name():
        raise unknown_name("feature", name, _by_name(), see="ohlcv-factory features list")
    return _by_name()[name]


def category_of(name: str) -> str:
    """The category of a column, for tables of importance; `other` for a column that is not in the catalogue."""
    return _by_name()[name].category if name in _by_name() else "other"


def _by_name() -> dict[str, Feature]:
    return _table(user_features())


@cache
def _table(own: tuple[Feature, ...]) -> dict[str, Feature]:
    return {feature.name: feature for feature in (*builtin_features(), *own)}


def _frame(spelling: str) -> str:
    if spelling not in SPELLINGS:
        raise unknown_name("timeframe", spelling, SPELLINGS)
    return SPELLINGS[spelling]


def _frame_refusal(bars: Bars, frame: str, wanted: set[str]) -> str:
    """Why a timeframe cannot be had from these bars, or an empty text."""
    seconds = FRAME_SECONDS[frame]
    if frame not in wanted:
        return f"timeframe {frame} was not asked for"
    if seconds <= bars.bar_seconds or seconds % bars.bar_seconds:
        return f"{frame} is not a larger multiple of the bar size, {bars.bar_seconds} s"
    needed = warm_up(
        [feature.name for feature in TIMEFRAMES.features if frame_of(feature.name) == frame], bars.bar_seconds
    )
    if needed > WARM_UP_SHARE * len(bars):
        return f"its warm-up of {needed} bars is more than 10 % of {len(bars)} bars"
    return ""


def _calendar_refusal(feature: Feature, calendar: SessionCalendar) -> str:
    always_regular = calendar.regular_close_minute - calendar.regular_open_minute == MINUTES_PER_DAY
    return "every hour is a regular one" if feature.name == "is_rth" and always_regular else ""


def _volume_refusal(feature: Feature, bars: Bars) -> str:
    return "the bars carry no volume" if feature.needs_volume and not bars.has_volume else ""


def _fill(row: np.ndarray, feature: Feature, inputs: FeatureInputs) -> None:
    """Write one column, checked from its look-back on."""
    with np.errstate(over="ignore"):  # what overflows float32 is refused below
        row[:] = feature.column(inputs)
    start = feature.lookback_bars(inputs.bars.bar_seconds)
    finite = np.isfinite(row[start:])
    if not finite.all():
        _refuse(feature, inputs.bars, start + int(np.argmin(finite)), row)


def _refuse(feature: Feature, bars: Bars, position: int, row: np.ndarray) -> None:
    raise DataError(
        f"{bars.symbol}: {feature.name} is {row[position]} at {time_text(bars.time_ns[position])}, bar {position}.",
        where=feature.formula,
        help=f"after its look-back of {feature.lookback_bars(bars.bar_seconds)} bars each value must be finite: "
        "look for a price or volume out of any range near that bar",
    )


def _transpose_into(columns: np.ndarray, staged: np.ndarray) -> None:
    """Write rows as columns, few rows at a time, so that each stretch of memory is visited once."""
    for start in range(0, len(columns), STAGED_ROWS):
        columns[start : start + STAGED_ROWS] = staged[: columns.shape[1], start : start + STAGED_ROWS].T
