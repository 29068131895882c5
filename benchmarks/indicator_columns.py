"""Row 1: 60 common indicator columns of 1M bars, against TA-Lib called column by column.

TA-Lib leaves 60 float64 columns, ours a float32 matrix in rows. The first result of both is compared, column by column,
before the clock starts; `peak_over_output` in results.json is the rise of the process's peak memory during the work, as
a share of the matrix.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from common import Bench, Line, Work, against, serve
from indicators import NAMES, PRICES, columns_of, prepare, talib_columns

WORK = "60 indicator columns, 1M bars"


def lines(bench: Bench) -> list[Line]:
    """The line of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, ["factory", "talib"])
    return [against(1, WORK, found["factory"], "<= 1.2 x", "TA-Lib, column by column", found["talib"])]


def factory(folder: Path) -> Work:
    """Ours, into a float32 matrix."""
    from ohlcv_factory.features.catalogue import compute

    bars, calendar = factory_bars(folder)
    compute(bars.head(40_000), calendar, NAMES)  # compiled kernels are loaded, not timed
    before = peak_bytes()

    def work() -> Any:
        matrix = compute(bars, calendar, NAMES)
        return lambda: {"peak_over_output": (peak_bytes() - before) / matrix.nbytes}

    return work


def talib_case(folder: Path) -> Work:
    """TA-Lib; its 60 columns must be those of the factory."""
    bars = columns_of(folder)
    differences = compared(folder, talib_columns(bars))

    def work() -> Any:
        talib_columns(bars)
        return lambda: {"largest_difference_in_deviations": differences}

    return work


def factory_bars(folder: Path) -> tuple[Any, Any]:
    """Our bars and their calendar."""
    from ohlcv_factory.bars.schema import Bars
    from ohlcv_factory.bars.sessions import CALENDARS

    columns = columns_of(folder)
    prices = {name: columns[name] for name in PRICES}
    return Bars("SYNTH", columns["time_ns"], bar_seconds=60, **prices), CALENDARS["always_open"]


def compared(folder: Path, theirs: dict[str, Any]) -> float:
    """The largest difference of any column, in its standard deviations, on 20,000 bars. Raises above 1e-3."""
    import numpy as np

    from ohlcv_factory.features.catalogue import compute

    rows = slice(2000, 22_000)
    bars, calendar = factory_bars(folder)
    ours = compute(bars.head(22_000), calendar, NAMES)[rows]
    worst = max(
        float(np.max(np.abs(column - theirs[name][rows])) / np.std(theirs[name][rows]))
        for name, column in zip(NAMES, ours.T, strict=True)
    )
    if worst > 1e-3:
        raise SystemExit(f"columns differ by {worst} deviations")
    return worst


def peak_bytes() -> int:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    serve({"factory": factory, "talib": talib_case}, prepare)
