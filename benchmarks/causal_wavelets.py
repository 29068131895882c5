"""Row 5: causal db4 wavelets at level 3 with windows of 64 bars, 1M bars, against PyWavelets.

Eight columns each: the newest coefficient and the mean energy of a3, d1, d2, d3. PyWavelets transforms the window that
ends at each bar, one call per window (20,000 windows, scaled) or many windows in one call; at the window's edge its newest
coefficients are extrapolated, ours are those of the endless series. Times are of the same work, not of the same values;
that ours are PyWavelets' own coefficients is proved in tests/features/test_wavelets.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, serve
from indicator_columns import factory_bars
from indicators import BARS, columns_of, prepare

WORK = "db4 level-3 causal wavelets, window 64, 1M bars"
NAMES = (
    *("wavelet_close_approx", "wavelet_close_d1", "wavelet_close_d2", "wavelet_close_d3"),
    *("wavelet_close_energy_d1", "wavelet_close_energy_d2", "wavelet_close_energy_d3", "wavelet_close_trend_strength"),
)
WINDOW, SINGLE_WINDOWS, BATCH = 64, 20_000, 50_000


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(__file__, ["factory"], peers=["per_window", "batched"])
    single = found["per_window"]
    if isinstance(single, Timing):
        scale = BARS / SINGLE_WINDOWS
        single = replace(single, wall_seconds=single.wall_seconds * scale, cpu_seconds=single.cpu_seconds * scale)
    return [
        against(5, WORK, found["factory"], ">= 300 x", "PyWavelets per window, scaled", single),
        against(5, WORK, found["factory"], ">= 10 x", "PyWavelets batched", found["batched"]),
    ]


def factory(folder: Path) -> Work:
    """Ours, eight columns of the catalogue."""
    from ohlcv_factory.features.catalogue import compute

    bars, calendar = factory_bars(folder)

    def work() -> Any:
        matrix = compute(bars, calendar, NAMES)
        return lambda: {"columns": matrix.shape[1]}

    return work


def windows(folder: Path) -> Any:
    """The window of log returns that ends at each bar, `(n, 64)`, a view."""
    import numpy as np

    moves = np.diff(np.log(columns_of(folder)["close"]))
    return np.lib.stride_tricks.sliding_window_view(moves, WINDOW)


def per_window(folder: Path) -> Work:
    """One transform per window."""
    import numpy as np
    import pywt

    each = windows(folder)[:SINGLE_WINDOWS].copy()
    out = np.empty((SINGLE_WINDOWS, 8), np.float32)

    def work() -> Any:
        for row, window in zip(out, each, strict=True):
            found = pywt.wavedec(window, "db4", level=3)
            row[:4] = [band[-1] for band in found]
            row[4:] = [np.mean(band * band) for band in found]
        return lambda: {"windows": SINGLE_WINDOWS}

    return work


def batched(folder: Path) -> Work:
    """Transforms of 50,000 windows at a time."""
    import numpy as np
    import pywt

    each = windows(folder)
    out = np.empty((len(each), 8), np.float32)

    def work() -> Any:
        for start in range(0, len(each), BATCH):
            found = pywt.wavedec(each[start : start + BATCH], "db4", level=3, axis=1)
            rows = out[start : start + BATCH]
            for place, band in enumerate(found):
                rows[:, place], rows[:, 4 + place] = band[:, -1], np.mean(band * band, axis=1)
        return lambda: {"windows": len(each)}

    return work


if __name__ == "__main__":
    serve({"factory": factory, "per_window": per_window, "batched": batched}, prepare)
