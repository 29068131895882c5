"""Memory that this machine has, and that this process took."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from ohlcv_factory.errors import ResourceError


def available_bytes() -> int | None:
    """Memory that can still be taken, or None where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


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
