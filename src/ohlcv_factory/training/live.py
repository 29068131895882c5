"""A live session: warmed once, then one bar at a time, at a cost that does not grow with its length."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from talib import stream

from ohlcv_factory.bars.growing import GrowingBars
from ohlcv_factory.bars.rolls import forward_adjusted, forward_factor, roll_ratios, rolls_within, with_rolls
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.market import row_market
from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.errors import DataError, FactoryWarning
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.live import LiveFeatures
from ohlcv_factory.labels.fixed_horizon import FixedHorizonRule
from ohlcv_factory.labels.rules import LabelRule
from ohlcv_factory.labels.triple_barrier import ATR_PERIOD
from ohlcv_factory.training.bundle import BarRows, ModelBundle


class RecomputedColumnsWarning(FactoryWarning):
    """Columns of the user's have no way to go on from bar to bar: each is computed over thousands of bars at each update."""


class LiveSession:
    """Bars one by one; each prediction has the bytes that `ModelBundle.predict` gives for the same first bar.

    What an update costs and what is remembered do not depend on the bars so far. Warns (RecomputedColumnsWarning) of columns
    that are computed from the start of their block at each bar; `recomputed` names them.
    """

    def __init__(self, bundle: ModelBundle, bars: Bars) -> None:
        sized = bundle.sized(bars)
        self.bundle, self.pipeline = bundle, bundle.pipeline.for_single_rows()
        self.newest = _last_of(sized, named=bars.contract is not None)
        """The newest bar, as it came."""
        self.count = len(sized)
        """Bars so far."""
        self._is_adjusted = bundle.rolls.handling == "adjust"
        self._factor = forward_factor(sized) if self._is_adjusted else 1.0
        self._begin(forward_adjusted(sized) if self._is_adjusted else _last_contract(sized))
        reads_market = any(each.model.input_spec.needs_market for each in self.pipeline.pipelines)
        self._market = LiveMarket(_last_contract(sized), bundle.label_rule(bars.symbol)) if reads_market else None
        if self.recomputed:
            what = f"computed from the start of their block at each bar: {', '.join(self.recomputed)}."
            warnings.warn(what, RecomputedColumnsWarning, stacklevel=3)

    @property
    def recomputed(self) -> tuple[str, ...]:
        """Columns of the user's that have no way to go on from bar to bar: their cost is that of a block of bars."""
        return self._features.recomputed

    def update(self, bar: Bars) -> Predictions:
        """Take the next bar (a series of one, of the run's bar size) and predict it.

        Raises DataError (65) when it does not follow, where a feature is not finite, or when the session is not warm yet.
        """
        self._append(bar)
        since_start = len(self._features.bars)
        if since_start <= self.bundle.first_eligible:
            raise DataError(
                f"{bar.symbol}: the session is not warm yet.", help=f"needs {self.bundle.first_eligible} bars before"
            )
        rows = self._newest_rows()
        bars = self._features.bars.slice(since_start - len(rows), since_start)
        market = self._market.newest() if self._market else None
        source = NewestRow(self.bundle, bars, rows, np.array([len(rows) - 1]), market)
        return self.bundle.answered(self.pipeline, source, rows_before=self.count - len(rows))

    def _append(self, bar: Bars) -> None:
        """Take a bar that follows, on the scale on which features see it."""
        _refuse_stranger(self.newest, bar)
        two = self.newest.followed_by(bar)
        two = with_rolls(two, rolls_within(two, self.bundle.rolls.at))
        rolled = len(two.roll_rows) > 0
        if rolled and self._is_adjusted:
            self._factor *= float(roll_ratios(two)[0])
        if rolled and not self._is_adjusted:
            self._begin(bar)
        else:
            self._features.append(_scaled(bar, self._factor))
        if self._market:
            self._market.append(bar, rolled=rolled)
        self.newest, self.count = bar, self.count + 1

    def _begin(self, bars: Bars) -> None:
        """Start from bars without a roll."""
        instrument = self.bundle.instrument(bars.symbol)
        names = self.bundle.pipeline.columns
        self._features = LiveFeatures(bars, instrument.sessions, [catalogue.find(name) for name in names])
        self._rows: np.ndarray | None = None

    def _newest_rows(self) -> np.ndarray:
        """Feature rows of the newest window, float32 `(lookback, F)`, fewer where there are no more."""
        wanted = self.pipeline.lookback or 1
        before = self._rows_before(wanted - 1) if self._rows is None else self._rows
        row = np.full((1, len(self.bundle.pipeline.columns)), np.nan, np.float32)
        try:
            row[0] = self._features.newest()
        finally:  # a row that failed stays broken in the windows that hold it
            self._rows = np.concatenate((before, row))[-wanted:]
        return self._rows

    def _rows_before(self, count: int) -> np.ndarray:
        """The feature rows of up to `count` bars before the newest, computed as a batch: once, when it gets warm."""
        bars, features = self._features.bars, self._features
        known = bars.slice(0, len(bars) - 1)
        names = [each.name for each in features.features]
        return catalogue.compute(known, features.calendar, names, first_row=max(0, len(known) - count))


@dataclass(frozen=True)
class NewestRow(BarRows):
    """The newest bar as a source for any model of a bundle; the bars reach back as far as the feature rows."""

    known_market: RowMarket | None = None

    def market(self) -> RowMarket:
        """The label rule at the newest bar."""
        assert self.known_market is not None
        return self.known_market


class LiveMarket:
    """The label rule at the newest bar of a contract, whose average true range goes on from its first bar."""

    def __init__(self, bars: Bars, rule: LabelRule) -> None:
        self.rule = rule
        self._begin(bars)

    def append(self, bar: Bars, *, rolled: bool) -> None:
        """Take the next bar, of a new contract where `rolled`."""
        if rolled:
            self._begin(bar)
            return
        self.bars.append(bar)
        if self._handle is None:
            self._open()
        else:
            self._atr = self._handle.update(bar.high[0], bar.low[0], bar.close[0])
            self.bars.forget_before(len(self.bars) - self._remembered)

    def newest(self) -> RowMarket:
        """What is known of the rule at the close of the newest bar, one row."""
        bars = self.bars.kept()
        atr = np.full(len(bars), np.nan)
        atr[-1] = self._atr
        return row_market(bars, atr, self.rule, np.array([len(bars) - 1]))

    @property
    def _remembered(self) -> int:
        return self.rule.sigma_bars + 1 if isinstance(self.rule, FixedHorizonRule) else 1

    def _begin(self, bars: Bars) -> None:
        self.bars, self._atr = GrowingBars(bars), np.nan
        self._handle: stream.ATR | None = None
        self._open()

    def _open(self) -> None:
        """Open the average once there are bars enough, as `barrier_atr` has it."""
        if len(self.bars) > ATR_PERIOD:
            bars = self.bars.kept()
            self._handle = stream.ATR(bars.high, bars.low, bars.close, timeperiod=ATR_PERIOD)
            self._atr = self._handle.value


def _last_of(bars: Bars, *, named: bool) -> Bars:
    """The last bar, without a contract where the user's bars name none."""
    last = bars.slice(len(bars) - 1, len(bars))
    return last if named else replace(last, contract=None, contract_names=())


def _last_contract(bars: Bars) -> Bars:
    """The bars since the last roll."""
    first = int(bars.roll_rows[-1]) if len(bars.roll_rows) else 0
    return bars.slice(first, len(bars))


def _scaled(bar: Bars, factor: float) -> Bars:
    """A bar on the scale of the first contract."""
    return replace(bar, **{name: getattr(bar, name) * factor for name in ("open", "high", "low", "close")})


def _refuse_stranger(newest: Bars, bar: Bars) -> None:
    """Raise DataError (65) for what does not continue the series."""
    if bar.bar_seconds != newest.bar_seconds or bar.symbol != newest.symbol:
        raise DataError(
            f"a {bar.bar_seconds} s bar of {bar.symbol} does not continue {newest.symbol}.", help="same symbol and size"
        )
    if len(bar) != 1 or bar.time_ns[0] <= newest.time_ns[-1]:
        raise DataError(
            f"{bar.symbol}: the next bar must be one bar later than the last.", help="send bars in time order"
        )
