"""Numeric building blocks of the features, each exact for every prefix of the series.

A window function here is a pure function of its window: it joins the same values in the same order wherever the series
started, so nothing accumulates, and a flat window gives exactly 0. Windows are joined from halves: two neighbouring
windows of k bars make one of 2k, so a window of w bars costs log2(w) steps per bar, as cheap as running sums but
without their memory and with the small rounding of pairwise sums. The compiled loops take blocks of bars with the age
outside, so that the compiler vectorises over bars without reordering any sum.
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

BLOCK = 1024
NOTHING = 1e-14
"""What TA-Lib takes for 0 when it divides by it."""
EXPONENT = np.uint32(0x7F800000)


def window_sum(values: Floats, window: int) -> Floats:
    """Sum of the last `window` values, shape `(n,)`; NaN where the window is not full."""
    out = np.empty(len(values))
    _join_sums(_frozen(values), window, out)
    return out


def window_mean(values: Floats, window: int) -> Floats:
    """Mean of the last `window` values, shape `(n,)`; NaN where the window is not full.

    The mean of equal values is exactly that value.
    """
    out = np.empty(len(values))
    _join_means(_frozen(values), window, out)
    return out


def window_moments(values: Floats, window: int) -> tuple[Floats, Floats]:
    """Mean and population variance of the last `window` values, each `(n,)`; NaN where the window is not full.

    No cancellation at high prices; the mean of equal values is exactly that value and their variance exactly 0.
    """
    mean, variance = np.empty(len(values)), np.empty(len(values))
    _join_moments(_frozen(values), window, mean, variance)
    return mean, variance


def window_variance(values: Floats, window: int) -> Floats:
    """Population variance of the last `window` values, shape `(n,)`; NaN where the window is not full."""
    return window_moments(values, window)[1]


def window_std(values: Floats, window: int) -> Floats:
    """Population standard deviation of the last `window` values, shape `(n,)`."""
    deviation: Floats = np.sqrt(window_variance(values, window))
    return deviation


def window_shape(values: Floats, window: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean and second, third and fourth central moment of the last `window` values, each `(n,)` (Pebay 2008)."""
    mean, second, third, fourth = (_empty_until(window - 1, len(values)) for _ in range(4))
    _join_shapes(_frozen(values), window, mean, second, third, fourth)
    return mean, second, third, fourth


def window_line(values: Floats, window: int) -> tuple[Floats, Floats]:
    """Least-squares slope per bar and population variance of the last `window` values, each `(n,)`."""
    slope, variance = np.empty(len(values)), np.empty(len(values))
    _join_lines(_frozen(values), window, slope, variance)
    return slope, variance


def window_median(values: Floats, window: int) -> Floats:
    """Median of the last `window` values, shape `(n,)`; NaN where the window is not full or holds a NaN."""
    out = np.full(len(values), np.nan)
    _sorted_medians(_frozen(values), window, out)
    return out


def mean_deviation(values: Floats, mean: Floats, window: int) -> Floats:
    """Mean absolute distance of the last `window` values from `mean` at the newest, shape `(n,)`."""
    out = _empty_until(window - 1, len(values))
    _add_distances(_frozen(values), _frozen(mean), window, out)
    return out


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


def session_mean(values: Floats, session: Integers, window: int) -> Floats:
    """Mean of the session's last `window` values, of fewer at its start, shape `(n,)`."""
    out = np.empty(len(values))
    _average_within(_frozen(values), session, window, out)
    return out


def held(values: Floats, position: Integers) -> Floats:
    """`values[position]`, shape `(n,)`; NaN where the position is negative."""
    out = np.empty(len(position))
    _gather(_frozen(values), position, out)
    return out


def ratchet(middle: Floats, reach: Floats, close: Floats, state: Floats | None = None) -> tuple[Floats, Floats]:
    """Supertrend's line and side (1 up, -1 down), each `(n,)`: bands at middle -+ reach that only tighten.

    A band starts afresh after a close beyond it, which also turns the side. NaN until `reach` is a number; there the
    side begins up. `state`, of `ratchet_state`, goes on from the bars before these, and is changed.
    """
    line, side = np.full(len(close), np.nan), np.full(len(close), np.nan)
    _tighten(_frozen(middle), _frozen(reach), _frozen(close), ratchet_state() if state is None else state, line, side)
    return line, side


def ratchet_state() -> Floats:
    """What `ratchet` knows before the first bar: upper and lower band, side, close before."""
    return np.array([np.inf, -np.inf, 1.0, np.nan])


def lagged(values: Floats, bars: int) -> Floats:
    """The value of `bars` bars ago, shape `(n,)`; NaN before the start."""
    out = np.full(len(values), np.nan)
    out[bars:] = values[: max(len(values) - bars, 0)]
    return out


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """`numerator / denominator`, and `otherwise` where the denominator is exactly 0, shape `(n,)`."""
    out = np.empty(len(numerator))
    _divide(_frozen(numerator), _frozen(denominator), otherwise, out)
    return out


def growth(values: Floats, bars: int) -> Floats:
    """The value over that of `bars` bars ago, less 1, shape `(n,)`; NaN before the start."""
    out = np.empty(len(values))
    out[:bars] = np.nan
    _grow(_frozen(values), bars, out)
    return out


def directional(
    high: Floats, low: Floats, close: Floats, period: int, state: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Wilder's +DI, -DI and ADX, each 0 to 100, `(n,)`: first numbers and standstills as TA-Lib has them.

    Where nothing moves +DI and -DI are 0 and the ADX stays as it was. `state`, `(5,)` and first 0, goes on from the bars
    before these, of which the first of these is the last, and is changed.
    """
    plus, minus, average = (np.full(len(close), np.nan) for _ in range(3))
    state = np.zeros(5) if state is None else state
    _direct(_frozen(high), _frozen(low), _frozen(close), period, state, plus, minus, average)
    return plus, minus, average


def relative_strength(values: Floats, period: int, state: Floats | None = None) -> Floats:
    """Wilder's RSI, 0 to 100, shape `(n,)`; 50 where the last `period` changes were 0, NaN before as many changes.

    `state`, `(4,)` and first 0, goes on from the values before these, of which the first of these is the last, and is
    changed.
    """
    out = np.full(len(values), np.nan)
    _weigh(_frozen(values), period, np.zeros(4) if state is None else state, out)
    return out


def money_flows(price: Floats, volume: Floats) -> tuple[Floats, Floats]:
    """Price x volume of bars whose price rose, and of bars whose price moved, else 0; each `(n,)`, the first NaN."""
    inflow, flow = np.full(len(price), np.nan), np.full(len(price), np.nan)
    _flow(_frozen(price), _frozen(volume), inflow, flow)
    return inflow, flow


def transpose_into(values: NDArray[np.float32], columns: Integers, matrix: NDArray[np.float32]) -> None:
    """Write row j of `values` `(columns, n)` into column `columns[j]` of `matrix` `(n, all columns)`."""
    _transpose(values, columns, matrix)


def store(values: Floats, row: NDArray[np.float32]) -> bool:
    """Write `values` into `row`, both `(n,)`, and say whether each is finite there."""
    return int(_store(_frozen(values), row, row.view(np.uint32))) != int(EXPONENT)


def flag(raised: NDArray[np.bool_], known: Floats) -> Floats:
    """1 where `raised`, else 0, shape `(n,)`; NaN where `known` is NaN."""
    out = raised.astype(np.float64)
    out[np.isnan(known)] = np.nan
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
    """Compile with numba, once per machine; without fast math, which would reorder sums.

    A division by 0 gives what numpy gives: a check of each would keep the compiler from vectorising.
    """
    jitted: Any = njit(cache=True, nogil=True, error_model="numpy")(kernel)
    return cast(Kernel, jitted)


@_compiled
def _add(near: Floats, far: Floats, out: Floats) -> None:
    for i in range(len(out)):
        out[i] = near[i] + far[i]


@_compiled
def _add_to(total: Floats, far: Floats) -> None:
    for i in range(len(total)):
        total[i] += far[i]


@_compiled
def _mix(near: Floats, far: Floats, share: float, out: Floats) -> None:
    for i in range(len(out)):
        out[i] = near[i] + (far[i] - near[i]) * share


@_compiled
def _mix_in(mean: Floats, far: Floats, share: float) -> None:
    for i in range(len(mean)):
        mean[i] = mean[i] + (far[i] - mean[i]) * share


@_compiled
def _join_moment(near: Floats, far: Floats, near2: Floats, far2: Floats, size: int, out: Floats, out2: Floats) -> None:
    """Means and sums of squared distances of two neighbouring windows of `size` bars."""
    weight = 0.5 * size
    for i in range(len(out)):
        d = far[i] - near[i]
        out[i] = near[i] + d * 0.5
        out2[i] = near2[i] + far2[i] + d * d * weight


@_compiled
def _add_moment(mean: Floats, squares: Floats, far: Floats, far2: Floats, taken: int, size: int) -> None:
    """The same for a window of `taken` bars, in place, and an older one of `size`."""
    share, weight = size / (taken + size), taken * size / (taken + size)
    for i in range(len(mean)):
        d = far[i] - mean[i]
        mean[i] = mean[i] + d * share
        squares[i] = squares[i] + far2[i] + d * d * weight


@_compiled
def _join_products(near: Floats, far: Floats, near_mean: Floats, far_mean: Floats, size: int, out: Floats) -> None:
    """Sums of products of place and value about their means; to be joined before the means."""
    weight = 0.5 * size * size
    for i in range(len(out)):
        out[i] = near[i] + far[i] - (far_mean[i] - near_mean[i]) * weight


@_compiled
def _add_products(products: Floats, far: Floats, mean: Floats, far_mean: Floats, taken: int, size: int) -> None:
    weight = taken * size / (taken + size) * 0.5 * (taken + size)
    for i in range(len(products)):
        products[i] = products[i] + far[i] - (far_mean[i] - mean[i]) * weight


@_compiled
def _join_sums(values: Floats, window: int, out: Floats) -> None:
    out[: window - 1] = np.nan
    spare, other = np.empty(BLOCK + window), np.empty(BLOCK + window)
    for start in range(window - 1, len(values), BLOCK):
        rows = min(BLOCK, len(values) - start)
        count, total = rows + window - 1, out[start : start + rows]
        sums = values[start - window + 1 : start + rows]
        size, taken = 1, 0
        while True:
            if window & size:
                older = window - 1 - taken
                if taken:
                    _add_to(total, sums[older : older + rows])
                else:
                    total[:] = sums[older : older + rows]
                taken += size
            if 2 * size > window:
                break
            _add(sums[size:count], sums[: count - size], spare[size:count])
            sums, spare, other = spare, other, spare
            size *= 2


@_compiled
def _join_means(values: Floats, window: int, out: Floats) -> None:
    out[: window - 1] = np.nan
    spare, other = np.empty(BLOCK + window), np.empty(BLOCK + window)
    for start in range(window - 1, len(values), BLOCK):
        rows = min(BLOCK, len(values) - start)
        count, mean = rows + window - 1, out[start : start + rows]
        means = values[start - window + 1 : start + rows]
        size, taken = 1, 0
        while True:
            if window & size:
                older = window - 1 - taken
                if taken:
                    _mix_in(mean, means[older : older + rows], size / (taken + size))
                else:
                    mean[:] = means[older : older + rows]
                taken += size
            if 2 * size > window:
                break
            _mix(means[size:count], means[: count - size], 0.5, spare[size:count])
            means, spare, other = spare, other, spare
            size *= 2


@_compiled
def _join_moments(values: Floats, window: int, mean: Floats, variance: Floats) -> None:
    """Windows as (mean, sum of squared distances from it), joined after Chan, Golub and LeVeque (1983)."""
    mean[: window - 1], variance[: window - 1] = np.nan, np.nan
    width = BLOCK + window
    spare, other, squares, doubled = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    for start in range(window - 1, len(values), BLOCK):
        rows = min(BLOCK, len(values) - start)
        count, m, v = rows + window - 1, mean[start : start + rows], variance[start : start + rows]
        means = values[start - window + 1 : start + rows]
        squares[:count] = 0.0
        size, taken = 1, 0
        while True:
            if window & size:
                older = window - 1 - taken
                end = older + rows
                if taken:
                    _add_moment(m, v, means[older:end], squares[older:end], taken, size)
                else:
                    m[:], v[:] = means[older:end], squares[older:end]
                taken += size
            if 2 * size > window:
                break
            near, far = slice(size, count), slice(0, count - size)
            _join_moment(means[near], means[far], squares[near], squares[far], size, spare[near], doubled[near])
            means, spare, other, squares, doubled = spare, other, spare, doubled, squares
            size *= 2
        _divide_by(v, float(window))


@_compiled
def _divide_by(values: Floats, number: float) -> None:
    for i in range(len(values)):
        values[i] /= number


@_compiled
def _join_lines(values: Floats, window: int, slope: Floats, variance: Floats) -> None:
    """As `_join_moments`, with the sum of products of place and value about their means."""
    slope[: window - 1], variance[: window - 1] = np.nan, np.nan
    width = BLOCK + window
    spare, other, mean = np.empty(width), np.empty(width), np.empty(BLOCK)
    squares, doubled = np.empty(width), np.empty(width)
    products, doubled_products = np.empty(width), np.empty(width)
    for start in range(window - 1, len(values), BLOCK):
        rows = min(BLOCK, len(values) - start)
        count, p, v, m = rows + window - 1, slope[start : start + rows], variance[start : start + rows], mean[:rows]
        means = values[start - window + 1 : start + rows]
        squares[:count] = 0.0
        products[:count] = 0.0
        size, taken = 1, 0
        while True:
            if window & size:
                older = window - 1 - taken
                end = older + rows
                if taken:
                    _add_products(p, products[older:end], m, means[older:end], taken, size)
                    _add_moment(m, v, means[older:end], squares[older:end], taken, size)
                else:
                    m[:], v[:], p[:] = means[older:end], squares[older:end], products[older:end]
                taken += size
            if 2 * size > window:
                break
            near, far = slice(size, count), slice(0, count - size)
            _join_products(products[near], products[far], means[near], means[far], size, doubled_products[near])
            _join_moment(means[near], means[far], squares[near], squares[far], size, spare[near], doubled[near])
            means, spare, other, squares, doubled = spare, other, spare, doubled, squares
            products, doubled_products = doubled_products, products
            size *= 2
        places = window * (window * window - 1) / 12.0  # sum of squared places about their mean
        _divide_by(v, float(window))
        _divide_by(p, places)


@_compiled
def _join_shapes(values: Floats, window: int, mean: Floats, second: Floats, third: Floats, fourth: Floats) -> None:
    """Windows as mean and sums of powers of the distance from it; row j of `held` is power j + 1 of windows of `size`."""
    width = BLOCK + window
    held, doubled, step = np.empty((4, width)), np.empty((4, width)), np.empty(width)
    for start in range(window - 1, len(values), BLOCK):
        rows = min(BLOCK, len(values) - start)
        count, stop = rows + window - 1, start + rows
        out = (mean[start:stop], second[start:stop], third[start:stop], fourth[start:stop])
        held[0, :count] = values[start - window + 1 : stop]
        held[1:, :count] = 0.0
        size, taken = 1, 0
        while True:
            if window & size:
                older = window - 1 - taken
                end = older + rows
                piece = (held[0, older:end], held[1, older:end], held[2, older:end], held[3, older:end])
                _join_shape(float(taken), float(size), out, piece, step[:rows], out)
                taken += size
            if 2 * size > window:
                break
            end = count - size
            near = (held[0, size:count], held[1, size:count], held[2, size:count], held[3, size:count])
            far = (held[0, :end], held[1, :end], held[2, :end], held[3, :end])
            into = (doubled[0, size:count], doubled[1, size:count], doubled[2, size:count], doubled[3, size:count])
            _join_shape(float(size), float(size), near, far, step[size:count], into)
            held, doubled = doubled, held
            size *= 2
        for i in range(rows):
            out[1][i] /= window
            out[2][i] /= window
            out[3][i] /= window


@_compiled
def _step(near: Floats, far: Floats, step: Floats) -> None:
    for i in range(len(step)):
        step[i] = far[i] - near[i]


@_compiled
def _move(near: Floats, step: Floats, share: float, out: Floats) -> None:
    for i in range(len(out)):
        out[i] = near[i] + step[i] * share


@_compiled
def _join_squares(near: Floats, far: Floats, step: Floats, weight: float, out: Floats) -> None:
    for i in range(len(out)):
        out[i] = near[i] + far[i] + step[i] * step[i] * weight


@_compiled
def _join_shape(a: float, b: float, near: Any, far: Any, step: Floats, out: Any) -> None:
    """Join windows of `b` older bars to windows of `a` bars; highest power first, for `out` may be `near`."""
    n = a + b
    weight, of_near, of_far = a * b / n, a / n, b / n
    _step(near[0], far[0], step)
    _join_fourth(near[3], far[3], near[2], far[2], near[1], far[1], step, weight, of_near, of_far, out[3])
    _join_third(near[2], far[2], near[1], far[1], step, weight, of_near, of_far, out[2])
    _join_squares(near[1], far[1], step, weight, out[1])
    _move(near[0], step, of_far, out[0])


@_compiled
def _join_third(
    a3: Floats, b3: Floats, a2: Floats, b2: Floats, step: Floats, weight: float, of_a: float, of_b: float, out: Floats
) -> None:
    scale = weight * (of_a - of_b)
    for i in range(len(out)):
        d = step[i]
        out[i] = a3[i] + b3[i] + d * (d * d * scale + 3.0 * (of_a * b2[i] - of_b * a2[i]))


@_compiled
def _join_fourth(
    a4: Floats,
    b4: Floats,
    a3: Floats,
    b3: Floats,
    a2: Floats,
    b2: Floats,
    step: Floats,
    weight: float,
    of_a: float,
    of_b: float,
    out: Floats,
) -> None:
    scale = weight * (of_a * of_a - of_a * of_b + of_b * of_b)
    for i in range(len(out)):
        d = step[i]
        squared = d * d
        twos = of_a * of_a * b2[i] + of_b * of_b * a2[i]
        out[i] = a4[i] + b4[i] + squared * (squared * scale + 6.0 * twos) + 4.0 * d * (of_a * b3[i] - of_b * a3[i])


@_compiled
def _sorted_medians(values: Floats, window: int, out: Floats) -> None:
    """The window kept in order: what came takes its place, and what stood between it and what left moves up by one."""
    ordered, full = np.empty(window), 0
    for t in range(len(values)):
        new = values[t]
        if np.isnan(new):
            full = 0
            continue
        gone = full
        if full < window:
            full += 1
        else:
            gone = _count_below(ordered, full, values[t - window])
        place = _count_below(ordered, gone, new) if gone == full - 1 else _count_below(ordered, full, new)
        if place > gone:
            place -= 1
            for j in range(gone, place):
                ordered[j] = ordered[j + 1]
        else:
            for j in range(gone - place):
                ordered[gone - j] = ordered[gone - j - 1]
        ordered[place] = new
        if full == window:
            out[t] = 0.5 * (ordered[(window - 1) // 2] + ordered[window // 2])


@njit(nogil=True, inline="always")
def _count_below(ordered: Floats, count: int, value: float) -> int:
    below = 0
    for j in range(count):
        below += ordered[j] < value
    return below


@_compiled
def _add_distances(values: Floats, mean: Floats, window: int, out: Floats) -> None:
    for start in range(window - 1, len(values), BLOCK):
        stop = min(start + BLOCK, len(values))
        middle, total = mean[start:stop], out[start:stop]
        for age in range(window):
            aged = values[start - age : stop - age]
            for i in range(len(aged)):
                total[i] += abs(aged[i] - middle[i])
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


@_compiled
def _average_within(values: Floats, session: Integers, window: int, out: Floats) -> None:
    inside = 0
    for i in range(len(values)):
        inside = min(inside + 1, window) if i > 0 and session[i] == session[i - 1] else 1
        total = 0.0
        for age in range(inside):
            total += values[i - age]
        out[i] = total / inside


@_compiled
def _gather(values: Floats, position: Integers, out: Floats) -> None:
    for i in range(len(position)):
        out[i] = values[position[i]] if position[i] >= 0 else np.nan


@_compiled
def _tighten(middle: Floats, reach: Floats, close: Floats, state: Floats, line: Floats, side: Floats) -> None:
    upper, lower, now, before = state[0], state[1], state[2], state[3]
    for i in range(len(close)):
        if np.isnan(reach[i]):
            continue
        above, below = middle[i] + reach[i], middle[i] - reach[i]
        upper = above if before > upper else min(above, upper)
        lower = below if before < lower else max(below, lower)
        before = close[i]
        if close[i] > upper:
            now = 1.0
        elif close[i] < lower:
            now = -1.0
        line[i] = lower if now > 0 else upper
        side[i] = now
    state[0], state[1], state[2], state[3] = upper, lower, now, before


@_compiled
def _transpose(values: NDArray[np.float32], columns: Integers, matrix: NDArray[np.float32]) -> None:
    """Row by row: one line of memory of each column is read for many rows, and the matrix is written as a stream."""
    for i in range(matrix.shape[0]):
        for j in range(len(columns)):
            matrix[i, columns[j]] = values[j, i]


@_compiled
def _divide(numerator: Floats, denominator: Floats, otherwise: float, out: Floats) -> None:
    for i in range(len(out)):
        out[i] = numerator[i] / denominator[i] if denominator[i] != 0.0 else otherwise


@_compiled
def _grow(values: Floats, bars: int, out: Floats) -> None:
    later = out[bars:]
    now = values[bars:]
    for i in range(len(later)):
        later[i] = now[i] / values[i] - 1.0


@_compiled
def _direct(
    high: Floats, low: Floats, close: Floats, period: int, state: Floats, plus: Floats, minus: Floats, average: Floats
) -> None:
    """Sums of `period - 1` bars, then each forgets 1 / period a bar; the ADX starts as a mean of `period` bars."""
    keep, up_sum, down_sum, range_sum, strength = 1.0 - 1.0 / period, state[0], state[1], state[2], state[3]
    changes = int(state[4])
    for i in range(1, len(close)):
        changes += 1
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        rise = up if (up > down) & (up > 0.0) else 0.0
        fall = down if (down > up) & (down > 0.0) else 0.0
        reach = max(high[i], close[i - 1]) - min(low[i], close[i - 1])
        kept = 1.0 if changes < period else keep
        up_sum, down_sum, range_sum = up_sum * kept + rise, down_sum * kept + fall, range_sum * kept + reach
        if changes < period:
            continue
        scale = 100.0 / range_sum if range_sum > NOTHING else 0.0
        plus[i], minus[i] = up_sum * scale, down_sum * scale
        moved = plus[i] + minus[i] > NOTHING
        index = 100.0 * abs(plus[i] - minus[i]) / (plus[i] + minus[i])
        if changes < 2 * period:
            strength += (index if moved else 0.0) / period
        else:
            strength = strength * keep + index * (1.0 - keep) if moved else strength
        if changes >= 2 * period - 1:
            average[i] = strength
    state[0], state[1], state[2], state[3], state[4] = up_sum, down_sum, range_sum, strength, changes


@_compiled
def _weigh(values: Floats, period: int, state: Floats, out: Floats) -> None:
    keep, rises, falls, still, changes = 1.0 - 1.0 / period, state[0], state[1], int(state[2]), int(state[3])
    for i in range(1, len(values)):
        changes += 1
        change = values[i] - values[i - 1]
        still = still + 1 if change == 0.0 else 0
        kept, share = (1.0, 1.0 / period) if changes <= period else (keep, 1.0 - keep)
        rises, falls = rises * kept + max(change, 0.0) * share, falls * kept + max(-change, 0.0) * share
        if changes >= period:
            out[i] = 50.0 if still >= period else 100.0 * (rises / (rises + falls))
    state[0], state[1], state[2], state[3] = rises, falls, still, changes


@_compiled
def _flow(price: Floats, volume: Floats, inflow: Floats, flow: Floats) -> None:
    now, before, traded, came, moved = price[1:], price[:-1], volume[1:], inflow[1:], flow[1:]
    for i in range(len(now)):
        came[i] = now[i] * traded[i] if now[i] > before[i] else 0.0
    for i in range(len(now)):
        moved[i] = now[i] * traded[i] if now[i] != before[i] else 0.0


@_compiled
def _store(values: Floats, row: NDArray[np.float32], bits: NDArray[np.uint32]) -> np.uint32:
    """The largest exponent in `bits`, a view of `row`: a float32 is infinite or NaN where all bits of it are set."""
    largest = np.uint32(0)
    for start in range(0, len(row), BLOCK):
        source, target, stored = values[start : start + BLOCK], row[start : start + BLOCK], bits[start : start + BLOCK]
        for i in range(len(target)):
            target[i] = source[i]
        for i in range(len(stored)):
            largest = max(largest, stored[i] & EXPONENT)
    return largest
