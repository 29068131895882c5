"""Features of 15-minute to daily bars, from the last one complete by the close of the base bar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ohlcv_factory.bars.growing import GrowingBars
from ohlcv_factory.bars.resample import bucket_end_ns, higher_bars
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.features import bar_shape, momentum, volatility, volume
from ohlcv_factory.features.feature import Category, Column, FeatureInputs, carried, wilder_lookback
from ohlcv_factory.features.kernels import Floats, Integers, held
from ohlcv_factory.features.streams import CarriedColumns, CarriedPast

TIMEFRAMES = Category("multi_timeframe", carried=True)
FRAME_SECONDS = {"15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400}
SPELLINGS = {"15min": "15m", "30min": "30m", "1h": "1h", "4h": "4h", "1d": "1d"}
"""How configurations write a timeframe, and the suffix of its columns."""
LONGEST_LOOKBACK = max(wilder_lookback(14), momentum.MACD_LOOKBACK)
CUT_BARS = 2
"""Higher bars that tell nothing: the first may be cut by the series' start, the last is not complete."""
NEWEST_BARS = 2 * LONGEST_LOOKBACK
"""Complete higher bars that a live session holds at hand for columns that read a window."""


def frame_of(name: str) -> str | None:
    """The timeframe suffix of a column (`15m`), or None for a column of the base bars."""
    suffix = name.rpartition("_")[2]
    return suffix if suffix in FRAME_SECONDS else None


def on_frames(
    name: str,
    *,
    formula: str,
    lookback: int,
    unit: str = "ratio",
    needs_volume: bool = False,
    scale_free: bool = True,
) -> Callable[[Column], Column]:
    """Declare a column for every timeframe; `lookback` counts higher bars. All reach back equally far, to share them."""
    return TIMEFRAMES.feature(
        name,
        over=tuple(FRAME_SECONDS),
        formula=formula,
        lookback_seconds=lambda frame: (lookback + CUT_BARS) * FRAME_SECONDS[frame],
        history_seconds=lambda frame: 2 * (LONGEST_LOOKBACK + CUT_BARS) * FRAME_SECONDS[frame],
        unit=unit,
        needs_volume=needs_volume,
        scale_free=scale_free,
    )


class HigherBars:
    """Higher bars that go on: those complete, the base bars of the one to come, and what is carried of them."""

    def __init__(self, inputs: FeatureInputs, frame: str) -> None:
        self.seconds, self.calendar = FRAME_SECONDS[frame], inputs.calendar
        self.bucket = inputs.bars.head(0)
        """Base bars of the higher bar that is not complete."""
        self.end_ns = 0
        higher, last_complete = higher_bars(inputs.bars, self.seconds, self.calendar)
        self.places = CarriedColumns((last_complete,), lambda _: (len(self.higher) - 1,))
        self.higher = GrowingBars(higher.head(int(last_complete[-1]) + 1))
        self.past = CarriedPast(self._before_newest, 0)
        self.inputs = self._newest()
        self._open(inputs.bars, higher, len(self.higher))

    def __call__(self, inputs: FeatureInputs) -> tuple[FeatureInputs, Integers]:
        """Inputs of the newest higher bars, and for each base bar of `inputs` the place of the last complete one."""
        self._take(inputs.bars.slice(len(inputs) - 1, len(inputs)))
        (places,) = self.places(inputs)
        forgotten = len(self.higher) - len(self.inputs)
        return self.inputs, np.maximum(places - forgotten, -1)

    def _take(self, bar: Bars) -> None:
        """The next base bar: into the bucket as long as that can take more, else see what is complete."""
        bucket = self.bucket.followed_by(bar)
        if len(self.bucket) and bar.close_time_ns[0] < self.end_ns:
            self.bucket = bucket
            return
        higher, last_complete = higher_bars(bucket, self.seconds, self.calendar)
        complete = int(last_complete[-1]) + 1
        for place in range(complete):
            self.higher.append(higher.slice(place, place + 1))
        if complete:
            self.past.row += complete
            self.inputs = self._newest()
        self._open(bucket, higher, complete)

    def _open(self, bars: Bars, higher: Bars, complete: int) -> None:
        """Keep the base bars of a last bucket that is not complete, none where it is."""
        first = len(bars) if complete == len(higher) else int(np.searchsorted(bars.time_ns, higher.time_ns[-1]))
        self.bucket = bars.slice(first, len(bars))
        if len(self.bucket):
            self.end_ns = bucket_end_ns(self.bucket, self.seconds, self.calendar)

    def _newest(self) -> FeatureInputs:
        stop = len(self.higher)
        return FeatureInputs(self.higher.slice(max(0, stop - NEWEST_BARS), stop), self.calendar, self.past)

    def _before_newest(self) -> FeatureInputs:
        return FeatureInputs(self.higher.slice(0, len(self.higher) - 1), self.calendar)


@on_frames("close_{}", formula="close of the last complete {} bar", lookback=0, unit="price", scale_free=False)
def frame_close(inputs: FeatureInputs, frame: str) -> Floats:
    """Close of the last complete higher bar."""
    return known(inputs, frame, lambda higher: higher.close)


@on_frames("close_to_now_{}", formula="close / close of the last complete {} bar - 1", lookback=1)
def close_to_now(inputs: FeatureInputs, frame: str) -> Floats:
    """The move since the higher bar closed."""
    return inputs.close / frame_close(inputs, frame) - 1.0


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


@on_frames("macd_line_{}", formula="macd_line of {} bars", lookback=momentum.MACD_LOOKBACK)
def frame_macd_line(inputs: FeatureInputs, frame: str) -> Floats:
    """MACD line of higher bars as a share of their close."""
    return known(inputs, frame, momentum.macd_line)


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
    return held(column(higher), last_complete)


@carried(HigherBars)
def higher_inputs(inputs: FeatureInputs, frame: str) -> tuple[FeatureInputs, Integers]:
    """Inputs of the higher bars, and for each base bar the position of the last one complete by its close."""
    higher, last_complete = higher_bars(inputs.bars, FRAME_SECONDS[frame], inputs.calendar)
    return FeatureInputs(higher, inputs.calendar), last_complete
