"""Bar sizes as people write them: `5min`, `1h`, `1d`."""

from __future__ import annotations

import re

from ohlcv_factory.errors import UsageError

UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_SIZE = re.compile(r"([1-9]\d{0,8})(s|min|h|d)")


def bar_seconds(text: str) -> int:
    """Seconds of a bar size: `bar_seconds("5min") -> 300`. Raises UsageError (2) on anything else.

    A lone `m` is refused: some vendors mean a minute by it, others a month.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(
            f"a bar size is a whole number with s, min, h or d, got {text!r}.",
            where="bar size",
            help="for example: 5min",
        )
    return int(match[1]) * UNIT_SECONDS[match[2]]


def size_text(seconds: int) -> str:
    """The shortest exact bar size: `size_text(300) -> "5min"`. Raises UsageError (2) below one second."""
    if seconds < 1:
        raise UsageError(f"a bar lasts at least 1 second, got {seconds}.", where="bar size", help="for example: 300")
    unit = next(unit for unit in reversed(UNIT_SECONDS) if seconds % UNIT_SECONDS[unit] == 0)
    return f"{seconds // UNIT_SECONDS[unit]}{unit}"
