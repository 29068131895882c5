"""Bars with a planted drift, as windows of raw columns with each row's label rule: what the kit feeds forecasters with."""

from __future__ import annotations

import math

import numpy as np

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.bars.sessions import session_calendar
from ohlcv_factory.dataset.market import row_market
from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.raw import RAW
from ohlcv_factory.features.sets import feature_set, select
from ohlcv_factory.labels.triple_barrier import barrier_atr
from ohlcv_factory.models.given_rows import array_samples

STRETCHES = (800, 300)
"""Windows of two stretches of bars, the second as if another symbol began there: both start with padded windows."""
LEAST_BARS = 64
"""Bars that every window has: a dataset's rows have their warm-up and history too."""
BAR_MOVE = 1e-3
"""Standard deviation of the unexplained part of a bar's log return."""
DRIFT_MEMORY = 0.95
"""Share of the drift that the next bar keeps; its own standard deviation is that of the unexplained part."""
STEADY_DRIFT, STEADY_WINDOWS = 0.3, 64
"""Drift of a rising or falling close in those standard deviations, and windows that show it."""
RULE = BarrierRule(k_up=2.0, k_down=2.0, max_bars=16)
EXAMPLE_CLOSE, EXAMPLE_ATR = 100.0, 0.5


def reads_bars(spec: InputSpec) -> bool:
    """Whether a model reads prices as they are quoted and nothing else: raw columns in windows."""
    raw = {feature.name for feature in RAW.features}
    return spec.is_sequence and set(raw_columns(spec)) <= raw


def raw_columns(spec: InputSpec) -> tuple[str, ...]:
    """The columns of a model's own feature set."""
    return select(feature_set(spec.feature_set))


def planted_bars(spec: InputSpec, lookback: int, seed: int = 0) -> tuple[Samples, np.ndarray]:
    """Windows of a close that drifts now up, now down, and the drift `(n,)` that the class of each row follows, with noise."""
    generator = np.random.default_rng(seed)
    count = sum(STRETCHES) + len(STRETCHES) * LEAST_BARS
    drift = generator.standard_normal(count)
    for bar in range(1, count):
        drift[bar] = DRIFT_MEMORY * drift[bar - 1] + math.sqrt(1 - DRIFT_MEMORY**2) * drift[bar]
    starts = np.repeat((0, STRETCHES[0] + LEAST_BARS), STRETCHES)
    ends = LEAST_BARS + np.arange(len(starts)) + np.where(starts > 0, LEAST_BARS, 0)
    labels = np.digitize(drift[ends] + 0.3 * generator.standard_normal(len(ends)), (-0.6, 0.6))
    weight = generator.uniform(0.5, 1.5, len(ends))
    bars = _bars(generator, BAR_MOVE * (drift + generator.standard_normal(count)))
    return _samples(spec, lookback, bars, ends, starts, labels, weight), drift[ends]


def steady_bars(spec: InputSpec, lookback: int, sign: int, seed: int = 0) -> Samples:
    """Windows of a close that rises (+1) or falls (-1) all the time."""
    generator = np.random.default_rng(seed)
    ends = LEAST_BARS + np.arange(STEADY_WINDOWS)
    bars = _bars(generator, BAR_MOVE * (sign * STEADY_DRIFT + generator.standard_normal(ends[-1] + 1)))
    labels, weight = np.full(len(ends), 1 + sign), np.ones(len(ends))
    return _samples(spec, lookback, bars, ends, np.zeros(len(ends), np.int64), labels, weight)


def example_market(rows: int) -> RowMarket:
    """A label rule for rows that are no bars: the same for all of them."""
    one = np.ones(rows)
    max_bars = np.full(rows, RULE.max_bars, dtype=np.int64)
    distances = RULE.k_up * one, RULE.k_down * one
    return RowMarket(EXAMPLE_CLOSE * one, EXAMPLE_ATR * one, *distances, np.full(rows, np.nan), max_bars)


def _bars(generator: np.random.Generator, returns: np.ndarray) -> Bars:
    close = EXAMPLE_CLOSE * np.exp(np.cumsum(returns))
    open_ = np.append(EXAMPLE_CLOSE, close[:-1])
    beyond = BAR_MOVE * np.abs(generator.standard_normal((2, len(close))))
    high, low = np.maximum(open_, close) * (1 + beyond[0]), np.minimum(open_, close) * (1 - beyond[1])
    volume = np.exp(5 + 0.5 * generator.standard_normal(len(close)))
    time_ns = np.arange(len(close), dtype=np.int64) * 300 * NANOSECONDS
    return Bars("SYNTH", time_ns, open_, high, low, close, volume, 300)


def _samples(
    spec: InputSpec,
    lookback: int,
    bars: Bars,
    ends: np.ndarray,
    starts: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
) -> Samples:
    names = raw_columns(spec)
    table = catalogue.compute(bars, session_calendar("always_open"), names)
    source = WindowSource.padded(table, ends, lookback, starts)
    plain = array_samples(source, labels, weight)
    market = row_market(bars, barrier_atr(bars), RULE, ends) if spec.needs_market else None
    return Samples(source, plain.y, weight, plain.index, plain.label_end, names, market)
