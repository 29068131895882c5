"""Row 10: 50,000 windows of 60 bars and 50 features, gathered per batch of 256, against the same windows materialised.

`extra memory` is what each way needs beside the table of features: end rows and steps here, all windows there. A run
gathers every window once, in one random order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, serve

WINDOWS, LOOKBACK, FEATURES = 50_000, 60, 50
BATCH = 256


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    found = bench.take_turns(__file__, ["view", "materialised"])
    work = f"gather {WINDOWS} windows by {BATCH}{measured(found)}"
    reach = f"extra memory <= 5 % of theirs, <= 0.6 ms per {BATCH} windows"
    return [against(10, work, found["view"], reach, "materialised", found["materialised"])]


def measured(found: dict[str, Timing | str]) -> str:
    """Milliseconds per batch, and extra memory as a share of that of materialised windows."""
    view, whole = found["view"], found["materialised"]
    if isinstance(view, str) or isinstance(whole, str):
        return ""
    milliseconds = 1000 * view.cpu_seconds / view.facts["batches"]
    share = view.facts["extra_bytes"] / whole.facts["extra_bytes"]
    return f" ({milliseconds:.2f} ms CPU each, {100 * share:.2f} % extra memory)"


def view(folder: Path) -> Work:
    """A case: the factory's windows."""
    import torch

    torch.set_num_threads(1)
    windows = _source().torch()
    order = _order()

    def work() -> Any:
        batches = [float(windows.batch(rows)[0, 0, 0]) for rows in order]
        extra = windows.ends.nbytes + windows.steps.nbytes + _peak_of_one_batch()
        return lambda: {"batches": len(batches), "extra_bytes": extra}

    return work


def materialised(folder: Path) -> Work:
    """A case: all windows as one tensor, batches taken by index."""
    import torch

    torch.set_num_threads(1)
    windows = torch.from_numpy(_source()[:])
    order = _order()

    def work() -> Any:
        batches = [float(windows.index_select(0, rows)[0, 0, 0]) for rows in order]
        return lambda: {"batches": len(batches), "extra_bytes": windows.nbytes + _peak_of_one_batch()}

    return work


def _peak_of_one_batch() -> int:
    """Bytes of the batch itself and of the positions that it is gathered from."""
    return BATCH * LOOKBACK * (FEATURES * 4 + 8)


def _source() -> Any:
    """Windows over one table of random numbers, one ending at each row."""
    import numpy as np

    from ohlcv_factory.dataset.windows import WindowSource

    rows = WINDOWS + LOOKBACK - 1
    table = np.random.default_rng(0).standard_normal((rows, FEATURES), dtype=np.float32)
    return WindowSource(table, np.arange(LOOKBACK - 1, rows), LOOKBACK)


def _order() -> Any:
    import torch

    return torch.randperm(WINDOWS, generator=torch.Generator().manual_seed(0)).split(BATCH)


if __name__ == "__main__":
    serve({"view": view, "materialised": materialised})
