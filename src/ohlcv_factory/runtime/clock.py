"""The clock, injectable for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def utc_text(moment: datetime) -> str:
    """ISO 8601 with a Z: `2026-11-23T08:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise_utc_text(moment: datetime) -> str:
    """The same to the microsecond, where order within a second matters: `2026-11-23T08:30:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_text(time_ns: int) -> str:
    """A bar's time, given in nanoseconds since 1970 UTC, as ISO 8601 to the second."""
    return utc_text(datetime.fromtimestamp(int(time_ns) // 10**9, tz=UTC))
