"""Row 17: a sweep of 20 runs with two workers against the same with one, one thread per job on both sides.

Whole commands, so the driver's own work and the start of each worker count. `equal` in results.json says that both left
the same table, byte for byte.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from common import Bench, Line, Timing, factory_command, serve, time_command

BARS = 20_000
SEEDS = range(1, 21)
ROUNDS = 120
SOURCE = "SYNTH.csv"


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    bench.prepare(__file__)
    two, one = (swept(bench.folder, workers) for workers in (2, 1))
    work = f"sweep of {len(SEEDS)} LightGBM runs with two workers, one thread each"
    return [Line(17, work, two, ">= 1.8 x", "one worker", one)]


def swept(folder: Path, workers: int) -> Timing:
    """The command, on a study folder that is new every time."""
    out = folder / f"study_{workers}"
    settings = (
        f"hyper_parameters.lightgbm.n_estimators={ROUNDS}",
        f"hyper_parameters.lightgbm.early_stopping_rounds={ROUNDS}",
    )
    command = [*factory_command(), "sweep", "--dataset", str(folder / "dataset"), "--out", str(out)]
    command += [
        "--models",
        "lightgbm",
        "--seeds",
        ",".join(map(str, SEEDS)),
        "--workers",
        str(workers),
        "--threads",
        "1",
    ]
    command += [part for setting in settings for part in ("--set", setting)]
    timing = time_command(command, before=lambda: shutil.rmtree(out, ignore_errors=True))
    return replace(timing, facts={"digest": hashlib.sha256((out / "scores.csv").read_bytes()).hexdigest()})


def prepare(folder: Path) -> None:
    """The dataset."""
    from ohlcv_factory.bars.synthetic import random_walk
    from ohlcv_factory.cli.app import invoke

    random_walk(BARS, 7).frame().write_csv(folder / SOURCE)
    code = invoke(["data", "build", str(folder / SOURCE), "--out", str(folder / "dataset"), "--horizons", "20"])
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    serve({}, prepare)
