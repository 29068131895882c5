"""Numeric building blocks of the features, each exact for every prefix of the series.

A window function here is a pure function of its window: it sums the same values in the same order wherever the series
started, so nothing accumulates, and a flat window gives exactly 0. That is why there are no running sums. The compiled
loops take blocks of bars with the age outside, so that the compiler vectorises over bars without reordering any sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

BLOCK = 512


def window_sum(values: Floats, window: int) -> Floats:
    """Sum of the last `window` values, shape `(n,)`; NaN where the window is not full."""
    out = _empty_until(window - 1, len(values))
    _add_ages(_frozen(values), window, out)
    return out


def window_mean(values: Floats, window: int) -> Floats:
    """Mean of the last `window` values, shape `(n,)`; NaN where the window is not full."""
    return window_sum(values, window) / window


def window_variance(values: Floats, window: int) -> Floats:
    """Population variance of the last `window` values, shape `(n,)`; NaN where the window is not full.

    Two passes about the newest value: no cancellation at high prices, exactly 0 where nothing moved.
    """
    out = _empty_until(window - 1, len(values))
    _add_squares(_frozen(values), window, np.empty(BLOCK), out)
    return out


def window_std(values: Floats, window: int) -> Floats:
    """Population standard deviation of the last `window` values, shape `(n,)`."""
    deviation: Floats = np.sqrt(window_variance(values, window))
    return deviation


def causal_filter(values: Floats, taps: tuple[float, ...], stride: int) -> Floats:
    """Sum over k of `taps[k] * values[t - k * stride]`, shape `(n,)`; NaN where that reaches before the start."""
    out = _empty_until((len(taps) - 1) * stride, len(values))
    _add_taps(_frozen(values), np.array(taps), stride, out)
    return out


def session_sum(values: Floats, session: Integers) -> Floats:
    """Sum of the values since the session's first bar, shape `(n,)`; `session` is any number that changes with it."""
    out = np.empty(len(values))
    _add_within(_frozen(values), session, out)
    return out


def lagged(values: Floats, bars: int) -> Floats:
    """The value of `bars` bars ago, shape `(n,)`; NaN before the start."""
    out = np.full(len(values), np.nan)
    out[bars:] = values[: max(len(values) - bars, 0)]
    return out


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """`numerator / denominator`, and `otherwise` where the denominator is exactly 0, shape `(n,)`."""
    out = np.full(len(numerator), otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def _empty_until(first: int, count: int) -> Floats:
    """Zeros to add to, shape `(n,)`; NaN before `first`."""
    out = np.zeros(count)
    out[:first] = np.nan
    return out


def _frozen(values: Floats) -> Floats:
    """A read-only view, so that a kernel is compiled once for arrays that may be written and arrays that may not."""
    view = values.view()
    view.flags.writeable = False
    return view


def _compiled(kernel: Kernel) -> Kernel:
    """Compile with numba, once per machine; without fast math, which would reorder sums."""
    jitted: Any = njit(cache=True, nogil=True)(kernel)
    return cast(Kernel, jitted)


@_compiled
def _add_ages(values: Floats, window: int, out: Floats) -> None:
    for start in range(window - 1, len(values), BLOCK):
        stop = min(start + BLOCK, len(values))
        total = out[start:stop]
        for age in range(window):
            aged = values[start - age : stop - age]
            for i in range(len(aged)):
                total[i] += aged[i]


@_compiled
def _add_squares(values: Floats, window: int, mean: Floats, out: Floats) -> None:
    for start in range(window - 1, len(values), BLOCK):
        stop = min(start + BLOCK, len(values))
        newest, total = values[start:stop], out[start:stop]
        for i in range(len(newest)):
            mean[i] = 0.0
        for age in range(1, window):
            aged = values[start - age : stop - age]
            for i in range(len(aged)):
                mean[i] += aged[i] - newest[i]
        for i in range(len(newest)):
            mean[i] /= window
        for age in range(window):
            aged = values[start - age : stop - age]
            for i in range(len(aged)):
                deviation = aged[i] - newest[i] - mean[i]
                total[i] += deviation * deviation
        for i in range(len(total)):
            total[i] /= window


@_compiled
def _add_taps(values: Floats, taps: Floats, stride: int, out: Floats) -> None:
    for start in range((len(taps) - 1) * stride, len(values), BLOCK):
        stop = min(start + BLOCK, len(values))
        total = out[start:stop]
        for k in range(len(taps)):
            tap, aged = taps[k], values[start - k * stride : stop - k * stride]
            for i in range(len(aged)):
                total[i] += tap * aged[i]


@_compiled
def _add_within(values: Floats, session: Integers, out: Floats) -> None:
    total = 0.0
    for i in range(len(values)):
        if i == 0 or session[i] != session[i - 1]:
            total = 0.0
        total += values[i]
        out[i] = total
