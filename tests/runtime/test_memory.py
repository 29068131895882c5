"""Work that cannot fit is refused before it starts, with the arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ohlcv_factory.errors import ResourceError
from ohlcv_factory.runtime import memory
from ohlcv_factory.runtime.memory import available_bytes, forget_peak, peak_bytes, require


def test_work_beyond_what_is_free_is_refused_with_both_figures_and_the_knob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2_000_000_000)
    require(2_000_000_000, "the window matrix", "batch_size")
    with pytest.raises(ResourceError) as caught:
        require(3_500_000_000, "the window matrix", "batch_size")
    assert caught.value.exit_code == 70
    assert caught.value.what == "the window matrix needs about 3.5 GB, 2.0 GB are free."
    assert caught.value.help == "lower batch_size"


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    require(1e18, "the window matrix", "batch_size")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n", 2_097_152),
        ("MemTotal:       16384 kB\n", None),
    ],
)
def test_free_memory_is_what_linux_calls_available(
    text: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/proc/meminfo")
    monkeypatch.setattr(Path, "read_text", lambda self: text)
    assert available_bytes() == expected


def test_without_meminfo_free_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert available_bytes() is None


def test_the_peak_never_falls_and_sees_what_was_taken() -> None:
    before = peak_bytes()
    block = np.ones(8_000_000)
    assert peak_bytes() >= block.nbytes
    del block
    assert peak_bytes() >= before > 1_000_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system keeps one peak per process")
def test_a_peak_that_is_forgotten_is_counted_anew() -> None:
    block = np.ones(40_000_000)
    high = peak_bytes()
    del block
    forget_peak()
    assert peak_bytes() < high - 200_000_000
