"""Row 8: a CSV file of 200k one-minute bars to a dataset of 5-minute bars with four horizons, by the whole command.

The warm-up fills numba's cache of compiled kernels; the timed runs are the second to the sixth. There is no peer to
install: an earlier attempt at the same system took 85.9 s and 1.9 GB for its whole pipeline on another day.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from common import Bench, Line, factory_command, serve, time_command

BARS = 200_000
SOURCE = "SYNTH.csv"


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    source, out = bench.folder / SOURCE, bench.folder / "dataset"
    command = [*factory_command(), "data", "build", str(source), "--out", str(out), "--bar-size", "5min"]
    timing = time_command(command, before=lambda: shutil.rmtree(out, ignore_errors=True))
    work = "raw 200k 1-min bars (CSV) to dataset, 4 horizons, whole command"
    return [Line(8, work, timing, "<= 5 s, <= 700 MB")]


def prepare(folder: Path) -> None:
    """The raw file."""
    from ohlcv_factory.bars.synthetic import random_walk

    random_walk(BARS, 7, bar_seconds=60).frame().write_csv(folder / SOURCE)


if __name__ == "__main__":
    serve({}, prepare)
