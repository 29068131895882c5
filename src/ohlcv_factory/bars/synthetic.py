"""A seeded synthetic market for tests and null checks. Nothing here is a real price."""

from __future__ import annotations

import numpy as np
from numba import njit

from ohlcv_factory.bars.schema import NANOSECONDS, Bars
from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime.seeding import component_generator

SYMBOL_PREFIX = "SYNTH"
START_NS = 1_704_067_200 * NANOSECONDS
"""2024-01-01 00:00 UTC."""
FIRST_PRICE = 100.0
STEPS_PER_BAR = 8
"""Points of the path inside a bar that decide its high and low."""


def random_walk(
    n: int,
    seed: int,
    *,
    bar_seconds: int = 300,
    symbol: str = SYMBOL_PREFIX,
    volatility: float = 3e-4,
    beta: float = 0.0,
    half_life: float = 10.0,
) -> Bars:
    """n bars of a random walk in the log price, without a gap from 2024-01-01 UTC on.

    `volatility` is the standard deviation of one bar's log return over a whole day; it swings with the time of day.
    Volume is lognormal and shows an AR(1) signal of unit variance with a `half_life` in bars. The signal at the close
    of bar t moves the return of bar t+1 by `beta` standard deviations per unit; with beta 0 nothing can be predicted.
    The same arguments give the same bytes; a longer series need not begin like a shorter one.
    Raises UsageError (2) for a symbol that does not begin with SYNTH or an impossible number.
    """
    _check(n, symbol, volatility, half_life)
    generator = component_generator(seed, "random_walk")
    time_ns = START_NS + np.arange(n, dtype=np.int64) * (bar_seconds * NANOSECONDS)
    scale = volatility * _day_shape(time_ns)
    signal = _signal(generator, n, half_life)
    drift = beta * scale * np.append(0.0, signal[:-1])
    path = _paths(generator, scale, drift)
    close = FIRST_PRICE * np.exp(np.cumsum(path[:, -1]))
    open_ = np.append(FIRST_PRICE, close[:-1])
    high = np.maximum(open_ * np.exp(path.max(axis=1)), np.maximum(open_, close))
    low = np.minimum(open_ * np.exp(path.min(axis=1)), np.minimum(open_, close))
    volume = np.exp(5.0 + 0.3 * signal + 0.5 * generator.standard_normal(n))
    return Bars(symbol, time_ns, open_, high, low, close, volume, bar_seconds)


def _check(n: int, symbol: str, volatility: float, half_life: float) -> None:
    if not symbol.startswith(SYMBOL_PREFIX):
        raise UsageError(
            f"a synthetic symbol must begin with {SYMBOL_PREFIX}, got {symbol!r}.",
            help=f"for example: {SYMBOL_PREFIX}2",
        )
    for name, value in (("n", n), ("volatility", volatility), ("half_life", half_life)):
        if not value > 0:
            raise UsageError(f"{name} must be above 0, got {value}.", help="see random_walk")


def _day_shape(time_ns: np.ndarray) -> np.ndarray:
    """Volatility by time of day, highest at 14:00 UTC; its mean square over a day is 1."""
    hour = time_ns // NANOSECONDS % 86_400 / 3600
    shape: np.ndarray = (1 + 0.5 * np.cos((hour - 14) * (np.pi / 12))) / np.sqrt(1.125)
    return shape


def _signal(generator: np.random.Generator, n: int, half_life: float) -> np.ndarray:
    """A stationary AR(1) series of unit variance, shape `(n,)`."""
    memory = 0.5 ** (1 / half_life)
    noise = generator.standard_normal(n)
    noise[1:] *= np.sqrt(1 - memory**2)
    _remember(noise, memory)
    return noise


@njit(cache=True, nogil=True)
def _remember(values: np.ndarray, memory: float) -> None:
    """In place; scipy's filter gives the same bits, but its import takes longer than a build's own work."""
    for i in range(1, len(values)):
        values[i] += memory * values[i - 1]


def _paths(generator: np.random.Generator, scale: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """Log price inside each bar relative to its open, shape `(n, STEPS_PER_BAR)`."""
    steps = generator.standard_normal((len(scale), STEPS_PER_BAR))
    steps *= (scale / np.sqrt(STEPS_PER_BAR))[:, None]
    steps += (drift / STEPS_PER_BAR)[:, None]
    return np.cumsum(steps, axis=1)
