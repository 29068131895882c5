"""Row 9: 10M one-minute bars, three symbols of about ten years each, to a dataset of 5-minute bars, by the whole command.

One timed run after one warm-up: it lasts long enough. No peer does this whole job.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from common import Bench, Line, factory_command, serve, time_command

DAYS_BACK_NS = 3653 * 86_400 * 1_000_000_000
"""The synthetic series starts in 2024; ten years earlier it ends before today."""
SYMBOL_BARS = {"SYNTH1": 3_333_334, "SYNTH2": 3_333_333, "SYNTH3": 3_333_333}


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    sources, out = [str(bench.folder / f"{symbol}.parquet") for symbol in SYMBOL_BARS], bench.folder / "ten_million"
    command = [*factory_command(), "data", "build", *sources, "--out", str(out), "--bar-size", "5min"]
    timing = time_command(command, before=lambda: shutil.rmtree(out, ignore_errors=True), runs=1)
    work = "10M 1-min bars of three symbols (Parquet) to dataset, 4 horizons, whole command"
    return [Line(9, work, timing, "<= 120 s, <= 8 GB")]


def prepare(folder: Path) -> None:
    """The raw files."""
    from ohlcv_factory.bars.synthetic import random_walk

    for seed, (symbol, bars) in enumerate(SYMBOL_BARS.items()):
        series = random_walk(bars, seed, bar_seconds=60, symbol=symbol)
        past = replace(series, time_ns=series.time_ns - DAYS_BACK_NS)
        past.frame().write_parquet(folder / f"{symbol}.parquet")


if __name__ == "__main__":
    serve({}, prepare)
