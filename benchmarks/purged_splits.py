"""Row 6: purged 5-fold and combinatorial (6 groups, 2 tested) folds of 1M label spans, against skfolio and purgedcv.

All give index arrays, one fold after the other as a fit takes them, and all start from the same rows. Labels look up to 60
rows ahead. skfolio knows one length of label only, so that comparison gives all of them 60, and its folds must then have
the digest of ours. purgedcv takes most of a minute for what is asked: it is timed on 100,000 spans and scaled; its folds are
compared with ours in tests/splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Bench, Line, Timing, Work, against, serve

ROWS, LABEL, EMBARGO = 1_000_000, 60, 1440
FEWER = 100_000
FILE = "purged_splits.npz"
SECOND = 1_000_000_000


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    found = bench.take_turns(
        __file__, ["kfold", "cpcv", "cpcv_fixed"], peers=["skfolio", "purgedcv_kfold", "purgedcv_cpcv"]
    )
    kfold, cpcv = "purged 5-fold, 1M spans, index arrays", "CPCV(6, 2), 1M spans, index arrays"
    name = f"purgedcv ({FEWER:,} spans, scaled)"
    return [
        against(6, kfold, found["kfold"], ">= 150 x", name, scaled(found["purgedcv_kfold"])),
        against(6, cpcv, found["cpcv"], ">= 150 x", name, scaled(found["purgedcv_cpcv"])),
        against(6, f"{cpcv}, labels of one length", found["cpcv_fixed"], ">= 8 x", "skfolio", found["skfolio"]),
    ]


def scaled(timing: Timing | str) -> Timing | str:
    """The times of all rows by those of fewer."""
    if isinstance(timing, str):
        return timing
    factor = ROWS / FEWER
    return replace(timing, wall_seconds=timing.wall_seconds * factor, cpu_seconds=timing.cpu_seconds * factor)


def prepare(folder: Path) -> None:
    """Moments a second apart and label ends up to 60 of them away."""
    import numpy as np

    time = np.arange(ROWS, dtype=np.int64) * SECOND
    end = time + np.random.default_rng(0).integers(1, LABEL + 1, ROWS) * SECOND
    np.savez(folder / FILE, time=time, end=end)


def read(folder: Path, rows: int = ROWS) -> tuple[Any, Any]:
    """Moments and ends of the first rows."""
    import numpy as np

    given = np.load(folder / FILE)
    return given["time"][:rows], given["end"][:rows]


def digest(folds: Iterable[tuple[Any, Any]]) -> str:
    """Digest of the index arrays of all folds."""
    found = hashlib.sha256()
    for train, test in folds:
        found.update(train.astype("<i8").tobytes() + b"|" + test.astype("<i8").tobytes())
    return found.hexdigest()


def folds_of(make: Any, *, compare: bool = False) -> Work:
    """The work: one pass over the folds of a splitter that `make` returns; a second one, untimed, for their digest."""

    def work() -> Any:
        rows = sum(len(train) + len(test) for train, test in make())
        return lambda: {"rows": rows, **({"digest": digest(make())} if compare else {})}

    return work


def kfold(folder: Path) -> Work:
    """Ours, from moments and ends to index arrays."""
    from ohlcv_factory.splits.purged_kfold import PurgedKFold
    from ohlcv_factory.splits.spans import LabelSpans

    time, end = read(folder)
    days = EMBARGO / 86_400
    return folds_of(lambda: PurgedKFold(5, spans=LabelSpans.of_times(time, end), embargo_days=days).split())


def cpcv(folder: Path) -> Work:
    """Ours, the same."""
    from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV
    from ohlcv_factory.splits.spans import LabelSpans

    time, end = read(folder)
    days = EMBARGO / 86_400
    return folds_of(
        lambda: CombinatorialPurgedCV(6, 2, spans=LabelSpans.of_times(time, end), embargo_days=days).split()
    )


def cpcv_fixed(folder: Path) -> Work:
    """Ours with labels of one length."""
    import numpy as np

    from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV

    values = np.zeros((ROWS - ROWS % 6, 1))
    return folds_of(lambda: CombinatorialPurgedCV(6, 2, spans=LABEL, embargo_bars=EMBARGO).split(values), compare=True)


def skfolio(folder: Path) -> Work:
    """skfolio with labels of one length; its tested blocks joined, as ours are."""
    import numpy as np
    from skfolio.model_selection import CombinatorialPurgedCV

    values = np.zeros((ROWS - ROWS % 6, 1))
    splitter = CombinatorialPurgedCV(6, 2, purged_size=LABEL, embargo_size=EMBARGO)
    return folds_of(lambda: ((train, np.concatenate(test)) for train, test in splitter.split(values)), compare=True)


def purgedcv_kfold(folder: Path) -> Work:
    """purgedcv on the first rows."""
    from purgedcv import PurgedKFold

    return _purgedcv(folder, lambda times: PurgedKFold(5, **times))


def purgedcv_cpcv(folder: Path) -> Work:
    """purgedcv on the first rows."""
    from purgedcv import CombinatorialPurgedCV

    return _purgedcv(folder, lambda times: CombinatorialPurgedCV(6, 2, **times))


def _purgedcv(folder: Path, make: Any) -> Work:
    """Its spans are half open and its embargo closed, hence the nanosecond more and less."""
    import numpy as np
    import pandas as pd

    time, end = read(folder, FEWER)
    times = {"prediction_times": pd.to_datetime(time), "evaluation_times": pd.to_datetime(end + 1)}
    embargo = pd.Timedelta(EMBARGO * SECOND - 1, "ns")
    values = np.zeros((FEWER, 1))
    return folds_of(lambda: make({**times, "embargo": embargo}).split(values))


if __name__ == "__main__":
    CASES = {"kfold": kfold, "cpcv": cpcv, "cpcv_fixed": cpcv_fixed, "skfolio": skfolio}
    serve({**CASES, "purgedcv_kfold": purgedcv_kfold, "purgedcv_cpcv": purgedcv_cpcv}, prepare)
