"""What a feature is, how one is declared, and what it reads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, cast

import numpy as np

from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sessions import SessionCalendar
from ohlcv_factory.features.kernels import Floats, Integers

Role = Literal["observed", "known"]
"""`known`: also for bars to come, because only the clock decides it."""

Column = Callable[..., Floats]
Opened = Callable[..., Callable[["FeatureInputs"], Any]]
"""Gets all bars since the start and arguments, gives what goes on bar by bar; see `carried`."""
Inputs = ParamSpec("Inputs")
Result = TypeVar("Result")

MEMORY = 48
"""Shared intermediates that are kept: enough for a block of bars to be computed once, and a bound for whole series."""
SMALLEST_OVERLAP = 1024
"""Bars that every block of a computation reaches back at least, so that almost all features share their inputs."""


@dataclass(frozen=True)
class Feature:
    """One column: what was known at the close of bar t."""

    name: str
    category: str
    formula: str
    """In words of the market; `x[k]` is x of k bars ago."""
    lookback: int
    """Bars after which the value no longer depends on where the series started, to 1e-5 relative."""
    lookback_seconds: int
    """The same in time, for sessions and higher timeframes; the two add up."""
    unit: str
    scale_free: bool
    """Whether the column stays the same when prices or volumes are quoted in another unit."""
    source: str
    needs_volume: bool
    role: Role
    column: Callable[[FeatureInputs], Floats]
    windowed: bool = False
    """Whether, after the look-back, a value has the same bits wherever the computation started."""
    history_seconds: int = 0
    """How far back a block reaches where that is more than twice the look-back: columns that name the same share."""
    carried: bool = False
    """Whether whatever it remembers of bars before its look-back stands in `carried` intermediates."""

    def lookback_bars(self, bar_seconds: int) -> int:
        """The declared warm-up in bars of `bar_seconds`: the position of the first bar whose value counts."""
        return self.lookback + -(-self.lookback_seconds // bar_seconds)

    @property
    def lookback_text(self) -> str:
        """The declared warm-up for people: `20 bars`, `1 bar + 24 h`."""
        bars = f"{self.lookback} bar{'s' if self.lookback != 1 else ''}"
        hours = f"{self.lookback_seconds / 3600:g} h"
        return (
            f"{bars} + {hours}" if self.lookback and self.lookback_seconds else hours if self.lookback_seconds else bars
        )

    def overlap_bars(self, bar_seconds: int) -> int:
        """Bars that a block of a computation reaches back: a power of two and at least twice the look-back.

        After twice the look-back exp(-24) is left of the start, less than the rounding of float32.
        """
        needed = max(2 * self.lookback_bars(bar_seconds), -(-self.history_seconds // bar_seconds), SMALLEST_OVERLAP)
        return 1 << (needed - 1).bit_length()


class Past(Protocol):
    """What a live session knows of the bars before the few that its inputs hold."""

    def known(self, opened: Opened, inputs: FeatureInputs, args: tuple[Any, ...]) -> Any:
        """A carried intermediate at the bars of `inputs`, whose newest bar follows those known so far."""


class FeatureInputs:
    """The bars of one symbol, its calendar, and the intermediates that several features share.

    With a `past` they are the newest bars of a longer series, and what is carried comes from there.
    """

    def __init__(self, bars: Bars, calendar: SessionCalendar, past: Past | None = None) -> None:
        self.bars, self.calendar, self.past = bars, calendar, past
        self.open, self.high, self.low = (_column(values) for values in (bars.open, bars.high, bars.low))
        self.close, self.volume = _column(bars.close), _column(bars.volume)
        self.memory: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self.bars)

    @cached_property
    def log_return(self) -> Floats:
        """log(close / close[1]), shape `(n,)`; the first is NaN."""
        out = np.full(len(self), np.nan)
        out[1:] = np.log(self.close[1:] / self.close[:-1])
        return out

    @cached_property
    def close_change(self) -> Floats:
        """close - close[1], shape `(n,)`; the first is NaN."""
        return np.diff(self.close, prepend=np.nan)

    @cached_property
    def typical(self) -> Floats:
        """(high + low + close) / 3, shape `(n,)`."""
        return (self.high + self.low + self.close) / 3.0

    @cached_property
    def log_close(self) -> Floats:
        """log(close), shape `(n,)`."""
        return np.log(self.close)

    @cached_property
    def session_day(self) -> Integers:
        """The session that each bar belongs to, int64 `(n,)`."""
        return self.calendar.session_day(self.bars.time_ns)


def shared(
    function: Callable[Concatenate[FeatureInputs, Inputs], Result],
) -> Callable[Concatenate[FeatureInputs, Inputs], Result]:
    """Compute an intermediate once per inputs and arguments; the least recently used ones are forgotten."""

    @wraps(function)
    def remembered(inputs: FeatureInputs, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Result:
        key = (function, *args, *kwargs.items())
        if key not in inputs.memory:
            inputs.memory[key] = function(inputs, *args, **kwargs)
        inputs.memory.move_to_end(key)
        while len(inputs.memory) > MEMORY:
            inputs.memory.popitem(last=False)
        result: Result = inputs.memory[key]
        return result

    return cast(Callable[Concatenate[FeatureInputs, Inputs], Result], remembered)


def carried(
    opened: Opened,
) -> Callable[
    [Callable[Concatenate[FeatureInputs, Inputs], Result]], Callable[Concatenate[FeatureInputs, Inputs], Result]
]:
    """As `shared`, for an intermediate that remembers every bar: where there is a past, it goes on from there.

    `opened(inputs, *args)` gets all bars since the start and gives what goes on: called with inputs whose newest bar is the
    next one, it says what the intermediate is at all their bars, with the bits that it has from the start on.
    """

    def declare(
        function: Callable[Concatenate[FeatureInputs, Inputs], Result],
    ) -> Callable[Concatenate[FeatureInputs, Inputs], Result]:
        from_start = shared(function)

        @wraps(function)
        def known(inputs: FeatureInputs, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Result:
            if inputs.past is None:
                return from_start(inputs, *args, **kwargs)
            result: Result = inputs.past.known(opened, inputs, args)
            return result

        return cast(Callable[Concatenate[FeatureInputs, Inputs], Result], known)

    return declare


class Category:
    """A named group of features, in the order of their declaration.

    `windowed` says that its features are exact functions of their windows, `carried` that what the others remember stands in
    `carried` intermediates; both unless one declares otherwise.
    """

    def __init__(self, name: str, *, windowed: bool = False, carried: bool = False) -> None:
        self.name, self.windowed, self.carried = name, windowed, carried
        self.features: list[Feature] = []

    def feature(
        self,
        name: str,
        *,
        formula: str,
        lookback: int | Callable[[Any], int] = 0,
        lookback_seconds: int | Callable[[Any], int] = 0,
        over: Sequence[Any] = (),
        unit: str = "ratio",
        scale_free: bool = True,
        source: str = "",
        needs_volume: bool = False,
        role: Role = "observed",
        windowed: bool | None = None,
        history_seconds: int | Callable[[Any], int] = 0,
        carried: bool | None = None,
    ) -> Callable[[Column], Column]:
        """Declare `column(inputs)`, or a family `column(inputs, member)` with one column for each member of `over`.

        `{}` in name and formula stands for the member; a look-back may be a function of it.
        """

        def declare(column: Column) -> Column:
            members: list[tuple[Any, ...]] = [(value,) for value in over] or [()]
            for member in members:
                declared = Feature(
                    name=_named(name, member),
                    category=self.name,
                    formula=_named(formula, member),
                    lookback=_at(lookback, member),
                    lookback_seconds=_at(lookback_seconds, member),
                    unit=unit,
                    scale_free=scale_free,
                    source=source,
                    needs_volume=needs_volume,
                    role=role,
                    column=_bound(column, member),
                    windowed=self.windowed if windowed is None else windowed,
                    history_seconds=_at(history_seconds, member),
                    carried=self.carried if carried is None else carried,
                )
                self.features.append(declared)
            return column

        return declare


def window(extra: int = 0) -> Callable[[int], int]:
    """Look-back of a window: its bars, less the newest, and `extra` bars that its values reach further back."""
    return lambda bars: bars - 1 + extra


def ema_lookback(period: int) -> int:
    """Bars after which an EMA of that period has forgotten its start: exp(-12) is left."""
    return 6 * period


def wilder_lookback(period: int) -> int:
    """Bars after which a Wilder average of that period has forgotten its start: exp(-12) is left."""
    return 12 * period


def _named(text: str, member: tuple[Any, ...]) -> str:
    return text.replace("{}", str(member[0])) if member else text


def _at(rule: int | Callable[[Any], int], member: tuple[Any, ...]) -> int:
    return rule(*member) if callable(rule) else rule


def _bound(column: Column, member: tuple[Any, ...]) -> Callable[[FeatureInputs], Floats]:
    return lambda inputs: column(inputs, *member)


def _column(values: Floats) -> Floats:
    """float64 and contiguous: what TA-Lib takes, and one code path for every length."""
    return np.ascontiguousarray(values, dtype=np.float64)
