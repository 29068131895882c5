"""Numbers, spans and lists as a person reads them. An undefined number is a dash, never NaN or None."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

DASH = "–"
MINUS = "\N{MINUS SIGN}"
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"
BAR_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))

Form = Callable[[float | None], str]


def is_defined(value: float | None) -> bool:
    """Whether there is a number to show."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 2) -> str:
    """`-1234.5` as `−1 234.50`."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{digits}f}"
    if not any(letter in "123456789" for letter in text):
        text = text.removeprefix("-")
    return text.replace(",", THIN_SPACE).replace("-", MINUS)


def score(value: float | None) -> str:
    """A score between 0 and 1, or a loss: three digits."""
    return number(value, 3)


def count(value: float | None) -> str:
    """A number of things."""
    return number(value, 0)


def percent(value: float | None, digits: int = 1) -> str:
    """`0.0273` as `2.7 %`."""
    return f"{number(100 * value, digits)}{THIN_SPACE}%" if value is not None and is_defined(value) else DASH


def points(value: float | None) -> str:
    """A difference of two shares, signed, in percentage points: `0.0141` as `+1.4 pp`."""
    if value is None or not is_defined(value):
        return DASH
    return f"{'+' if value > 0 else ''}{number(100 * value, 1)}{THIN_SPACE}pp"


def interval(ends: Sequence[float] | None, form: Form = number) -> str:
    """Both ends of an interval, or a dash."""
    return DASH if ends is None else f"{form(ends[0])} to {form(ends[1])}"


def duration(seconds: float | None) -> str:
    """`7.148` as `7.1 s`, `754` as `12 min 34 s`."""
    if seconds is None or not is_defined(seconds):
        return DASH
    if seconds < 60:
        return f"{number(seconds, 1)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def bar_size(seconds: int) -> str:
    """`300` as `5-minute`."""
    size, unit = next(pair for pair in BAR_UNITS if seconds % pair[0] == 0)
    return f"{seconds // size}-{unit}"


def moment(iso: str) -> str:
    """`2024-01-08T23:20:00Z` as `2024-01-08 23:20`."""
    return iso.replace("T", " ").removesuffix("Z").removesuffix(":00")


def listing(items: Iterable[Any]) -> str:
    """`a, b and c`."""
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else DASH


def plural(amount: int, noun: str) -> str:
    """`1 model`, `6 models`."""
    return f"{count(amount)} {noun}{'' if amount == 1 else 's'}"


def costs(instrument: Mapping[str, Any]) -> str:
    """What one side of a trade costs, from an instrument's plain fields."""
    currency, parts = instrument["currency"], []
    if instrument["fee_bps"]:
        parts.append(f"{instrument['fee_bps']:g} bp of the traded value")
    if instrument["slippage_ticks"]:
        tick = f"{instrument['tick_size']:f}".rstrip("0").rstrip(".")
        ticks = "tick" if instrument["slippage_ticks"] == 1 else "ticks"
        parts.append(f"{instrument['slippage_ticks']:g} {ticks} of {tick} {currency}")
    if instrument["commission"]:
        parts.append(f"{instrument['commission']:g} {currency} per contract")
    return " + ".join(parts) or "none"


def label_rule(rule: Mapping[str, Any]) -> str:
    """A label rule: barrier distances in ATR(14) and the time-out, or the threshold of a fixed horizon."""
    if "theta" in rule:
        return f"±{rule['theta']:g} σ of {rule['horizon']} bars, σ of {rule['sigma_bars']} returns"
    return f"+{rule['k_up']:g} / {MINUS}{rule['k_down']:g} ATR, {rule['max_bars']} bars"
