"""Memory that this machine has, and that this process took."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from ohlcv_factory.errors import ResourceError

EXHAUSTED = ("bad_alloc", "cannot allocate memory", "can't allocate memory", "out of memory", "unable to allocate")
"""What libraries say when an allocation fails, in small letters."""


def available_bytes() -> int | None:
    """Memory that this process can still take, by the system and by its own limit; None where neither is told."""
    told = [free for free in (_free_in_system(), _free_below_limit()) if free is not None]
    return min(told, default=None)


def is_exhausted(error: BaseException) -> bool:
    """Whether an error, of whatever library, says that memory ran out."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in EXHAUSTED)


def _free_in_system() -> int | None:
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _free_below_limit() -> int | None:
    """What `ulimit -v` leaves; None where there is no limit."""
    limit, statm = resource.getrlimit(resource.RLIMIT_AS)[0], Path("/proc/self/statm")
    if limit == resource.RLIM_INFINITY or not statm.exists():
        return None
    return max(0, limit - int(statm.read_text().split()[0]) * resource.getpagesize())


def peak_bytes() -> int:
    """The most memory that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Let `peak_bytes` count from now on, where the system offers that: one process may do several jobs."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def require(needed_bytes: float, what: str, knob: str) -> None:
    """Refuse work that cannot fit, before it starts. Raises ResourceError (70) with the arithmetic and the knob."""
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise ResourceError(
            f"{what} needs about {needed_bytes / 1e9:.1f} GB, {available / 1e9:.1f} GB are free.", help=f"lower {knob}"
        )
