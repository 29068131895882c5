"""Every feature the factory knows, and the matrix that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.errors import unknown_name
from ohlcv_factory.features import blocks
from ohlcv_factory.features.averages import AVERAGES
from ohlcv_factory.features.bar_shape import BAR_SHAPE
from ohlcv_factory.features.calendar import CALENDAR
from ohlcv_factory.features.feature import Category, Feature, Role
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

VERSION = 2
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
CLOCK_TURNS = {
    **dict.fromkeys(("minute_sin", "minute_cos"), 3600),
    **dict.fromkeys(("hour_sin", "hour_cos", "minutes_since_open", "is_rth"), 86_400),
    **dict.fromkeys(("session_asia", "session_london", "session_ny"), 86_400),
}
"""Seconds after which a column of the clock comes again: longer bars see it stand still."""
WARM_UP_SHARE = 0.1


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
        reason = refused[frame] if frame else _calendar_refusal(feature, bars, calendar)
        reason = reason or _volume_refusal(feature, bars)
        if reason:
            left_out[feature.name] = reason
    return Available(tuple(feature.name for feature in catalogue() if feature.name not in left_out), left_out)


def warm_up(names: Sequence[str], bar_seconds: int) -> int:
    """The longest declared look-back of these columns, in bars of `bar_seconds`; 0 without columns."""
    return max((find(name).lookback_bars(bar_seconds) for name in names), default=0)


def compute(bars: Bars, calendar: SessionCalendar, names: Sequence[str], *, first_row: int = 0) -> np.ndarray:
    """The columns `names` of the bars from `first_row` on, float32 `(n - first_row, len(names))`, C-contiguous.

    Row t is known at the close of bar t. Rows before a feature's look-back may be NaN. Each prefix of the bars, each
    choice of columns and each `first_row` gives the same bits, and a late `first_row` costs little more than its rows.
    Raises UnknownNameError (2) for an unknown column, DataError (65) where a value after its look-back is not finite.
    """
    matrix = np.empty((max(len(bars) - first_row, 0), len(names)), np.float32)
    blocks.fill(matrix, bars, calendar, [find(name) for name in names], first_row)
    return matrix


def find(name: str) -> Feature:
    """The feature of that name. Raises UnknownNameError (2)."""
    if name not in _by_name():
        raise unknown_name("feature", name, _by_name(), see="ohlcv-factory features list")
    return _by_name()[name]


def category_of(name: str) -> str:
    """The category of a column, for tables of importance; `other` for a column that is not in the catalogue."""
    return _by_name()[name].category if name in _by_name() else "other"


def role_of(name: str) -> Role:
    """Whether a column's coming values are known in advance; `observed` for a column that is not in the catalogue."""
    return _by_name()[name].role if name in _by_name() else "observed"


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


def _calendar_refusal(feature: Feature, bars: Bars, calendar: SessionCalendar) -> str:
    """Why a column of the clock would stand still on these bars, or an empty text."""
    always_regular = calendar.regular_close_minute - calendar.regular_open_minute == MINUTES_PER_DAY
    if feature.name == "is_rth" and always_regular:
        return "every hour is a regular one"
    turn = CLOCK_TURNS.get(feature.name, bars.bar_seconds + 1)
    return f"bars of {size_text(bars.bar_seconds)} see this clock stand still" if bars.bar_seconds % turn == 0 else ""


def _volume_refusal(feature: Feature, bars: Bars) -> str:
    return "the bars carry no volume" if feature.needs_volume and not bars.has_volume else ""
