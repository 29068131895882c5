"""Features of 15-minute, 30-minute and hourly bars, from the last one complete by the close of the base bar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ohlcv_factory.bars.resample import higher_bars
from ohlcv_factory.features import bar_shape, momentum, volatility, volume
from ohlcv_factory.features.feature import Category, Column, FeatureInputs, shared, wilder_lookback
from ohlcv_factory.features.kernels import Floats

TIMEFRAMES = Category("multi_timeframe")
FRAME_SECONDS = {"15m": 900, "30m": 1800, "1h": 3600}
SPELLINGS = {"15min": "15m", "30min": "30m", "1h": "1h"}
"""How configurations write a timeframe, and the suffix of its columns."""


def frame_of(name: str) -> str | None:
    """The timeframe suffix of a column (`15m`), or None for a column of the base bars."""
    suffix = name.rpartition("_")[2]
    return suffix if suffix in FRAME_SECONDS else None


def on_frames(
    name: str, *, formula: str, lookback: int, unit: str = "ratio", needs_volume: bool = False
) -> Callable[[Column], Column]:
    """Declare a column for every timeframe; `lookback` counts higher bars."""
    return TIMEFRAMES.feature(
        name,
        over=tuple(FRAME_SECONDS),
        formula=formula,
        lookback_seconds=lambda frame: (lookback + 2) * FRAME_SECONDS[frame],  # a cut first bar, an unfinished last one
        unit=unit,
        needs_volume=needs_volume,
    )


@on_frames("close_to_now_{}", formula="close / close of the last complete {} bar - 1", lookback=1)
def close_to_now(inputs: FeatureInputs, frame: str) -> Floats:
    """The move since the higher bar closed."""
    return inputs.close / known(inputs, frame, lambda higher: higher.close) - 1.0


@on_frames("range_pct_{}", formula="range_pct of {} bars", lookback=1)
def frame_range(inputs: FeatureInputs, frame: str) -> Floats:
    """Range of the last complete higher bar."""
    return known(inputs, frame, bar_shape.range_pct)


@on_frames("volume_ratio_{}", formula="volume_ratio of {} bars", lookback=volume.VOLUME_BARS, needs_volume=True)
def frame_volume_ratio(inputs: FeatureInputs, frame: str) -> Floats:
    """Volume of the last complete higher bar against its usual size."""
    return known(inputs, frame, volume.volume_ratio)


@on_frames("rsi_14_{}", formula="rsi_14 of {} bars", lookback=wilder_lookback(14), unit="0 to 100")
def frame_rsi(inputs: FeatureInputs, frame: str) -> Floats:
    """Relative strength index of higher bars."""
    return known(inputs, frame, lambda higher: momentum.rsi(higher, 14))


@on_frames("macd_hist_{}", formula="macd_hist of {} bars", lookback=momentum.MACD_LOOKBACK)
def frame_macd_hist(inputs: FeatureInputs, frame: str) -> Floats:
    """MACD histogram of higher bars as a share of their close."""
    return known(inputs, frame, momentum.macd_hist)


@on_frames("atr_pct_14_{}", formula="atr_pct_14 of {} bars", lookback=wilder_lookback(14))
def frame_atr_pct(inputs: FeatureInputs, frame: str) -> Floats:
    """Average true range of higher bars as a share of their close."""
    return known(inputs, frame, lambda higher: volatility.atr_pct(higher, 14))


@on_frames(
    "bb_position_{}",
    formula="bb_position of {} bars",
    lookback=volatility.BAND_BARS,
    unit="0 at the lower, 1 at the upper band",
)
def frame_bb_position(inputs: FeatureInputs, frame: str) -> Floats:
    """Place of the higher bars' close between their Bollinger bands."""
    return known(inputs, frame, volatility.bb_position)


def known(inputs: FeatureInputs, frame: str, column: Column) -> Floats:
    """A column of the higher bars as each base bar knew it, shape `(n,)`; NaN before the first complete one."""
    higher, last_complete = higher_inputs(inputs, frame)
    values = column(higher)[np.maximum(last_complete, 0)]
    return np.where(last_complete >= 0, values, np.nan)


@shared
def higher_inputs(inputs: FeatureInputs, frame: str) -> tuple[FeatureInputs, Floats]:
    """Inputs of the higher bars, and for each base bar the position of the last one complete by its close."""
    higher, last_complete = higher_bars(inputs.bars, FRAME_SECONDS[frame])
    return FeatureInputs(higher, inputs.calendar), last_complete
