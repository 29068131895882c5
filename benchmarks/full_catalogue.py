"""Row 3: every column that one-minute bars can carry, wavelets and three timeframes among them, from 10k to 10M bars.

No peer has such a catalogue. `cpu_seconds_per_million_bars` in results.json should stay the same from 1M to 10M bars, and
`slope` is the exponent of CPU time in the number of bars from 100k on: 1 is linear. The 10M bars make a matrix of 7.2 GB and
are left out where less than 9 GB of memory are free. The peak includes the making of the synthetic bars.
"""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

from common import Bench, Case, Line, Timing, Work, required, serve
from indicator_columns import peak_bytes

SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000, "10M": 10_000_000}
NEEDED_BYTES = 9e9
TARGET = "<= 2.5 CPU-s per 1M"


def lines(bench: Bench) -> list[Line]:
    """One line for each number of bars."""
    sizes = [size for size in SIZES if size != "10M" or memory_bytes() > NEEDED_BYTES]
    found = {size: required(taken, size) for size, taken in bench.take_turns(__file__, sizes).items()}
    return [
        Line(3, f"full catalogue, {size} bars", replace(timing, facts=timing.facts | slope(found, size)), TARGET)
        for size, timing in found.items()
    ]


def slope(found: dict[str, Timing], size: str) -> dict[str, float]:
    """CPU time per million bars, and its exponent between 100k bars and this many."""
    cpu, bars = found[size].cpu_seconds, SIZES[size]
    facts = {"cpu_seconds_per_million_bars": cpu / bars * 1e6}
    if bars > SIZES["100k"]:
        facts["slope"] = log(cpu / found["100k"].cpu_seconds) / log(bars / SIZES["100k"])
    return facts


def factory(bar_count: int) -> Case:
    """Ours, on that many bars."""

    def case(_: Path) -> Work:
        from ohlcv_factory.bars.sessions import CALENDARS
        from ohlcv_factory.bars.synthetic import random_walk
        from ohlcv_factory.features.catalogue import available, compute

        bars, calendar = random_walk(bar_count, 1, bar_seconds=60), CALENDARS["cme_equity"]
        names = available(random_walk(200_000, 1, bar_seconds=60), calendar).names
        compute(bars.head(40_000), calendar, names)  # compiled kernels are loaded, not timed
        before = peak_bytes()

        def work() -> Any:
            matrix = compute(bars, calendar, names)
            facts = {"columns": len(names), "peak_over_output": (peak_bytes() - before) / matrix.nbytes}
            return lambda: facts

        return work

    return case


def memory_bytes() -> float:
    """Memory that is free now."""
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return float(facts["MemAvailable"].split()[0]) * 1024


if __name__ == "__main__":
    serve({size: factory(bar_count) for size, bar_count in SIZES.items()})
