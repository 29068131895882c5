"""`scripts/bench`: every row, one table, and `results.json` with versions and machine.

Ratios are peer / ours (how many times faster we are), and ours / peer in rows 1, 13 and 16 (what the factory adds). The
machine may be shared: compare ratios of one run, never seconds of two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import causal_wavelets
import cross_validation
import first_touch_mapping
import fit_overhead
import full_catalogue
import indicator_columns
import indicator_peers
import live_session
import mamba_block
import purged_splits
import raw_to_dataset
import start_up
import study_workers
import ten_million_bars
import trading_simulation
import training_loop
import triple_barrier_labels
import window_gathering
from common import Bench, Line, Timing

ROWS: dict[int | str, Any] = {
    1: indicator_columns,
    2: indicator_peers,
    3: full_catalogue,
    4: triple_barrier_labels,
    5: causal_wavelets,
    6: purged_splits,
    7: trading_simulation,
    8: raw_to_dataset,
    9: ten_million_bars,
    10: window_gathering,
    11: training_loop,
    12: mamba_block,
    13: fit_overhead,
    14: live_session,
    15: start_up,
    16: cross_validation,
    17: study_workers,
    "first_touch": first_touch_mapping,
}
"""The rows of the specification by number, others by name."""
OVERHEAD_ROWS = (1, 13, 16)
HERE = Path(__file__).parent
OURS = (
    "ohlcv-model-factory",
    "numpy",
    "numba",
    "polars",
    "TA-Lib",
    "scikit-learn",
    "xgboost-cpu",
    "lightgbm",
    "catboost",
    "torch",
)
PEERS = (
    *("numpy", "numba", "pandas", "polars", "pandas-ta", "ml4t-engineer", "PyWavelets", "vectorbt"),
    *("skfolio", "purgedcv"),
)
HEADER = ("row", "work", "wall", "CPU", "peak", "peer", "wall", "CPU", "ratio wall", "ratio CPU", "reach")


def main() -> None:
    """Measure the rows asked for, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(map(str, ROWS)), help="rows of the table, comma between")
    parser.add_argument("--peer-python", default=".venv-bench/bin/python", help="Python that has the peers")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    given = parser.parse_args()
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.peer_python)
        lines = []
        for row in given.rows.split(","):
            lines += measured(row_of(row), bench)
            write_results(given.out, lines, load_before, given.peer_python)  # a later row may fail
    print(table(lines))


def write_results(out: Path, lines: list[Line], load_before: tuple[float, float, float], peer_python: str) -> None:
    """What was measured so far, with machine and versions."""
    results = {"machine": machine(), "load": {"before": load_before, "after": os.getloadavg()}}
    results |= {"versions": versions(peer_python), "lines": [line_facts(line) for line in lines]}
    out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def row_of(text: str) -> int | str:
    """The key of a row as it is typed."""
    return int(text) if text.isdigit() else text


def measured(row: int | str, bench: Bench) -> list[Line]:
    """The lines of one row."""
    print(f"row {row}: {ROWS[row].__name__} …", file=sys.stderr)
    return ROWS[row].lines(bench)


def table(lines: list[Line]) -> str:
    """Markdown, one line per comparison."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(cells(line) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cells(line: Line) -> tuple[str, ...]:
    """One line of the table as text."""
    own, peer = line.ours, line.theirs
    ours = (seconds(own.wall_seconds), seconds(own.cpu_seconds), f"{own.peak_mb:.0f} MB")
    if peer is None:
        theirs: tuple[str, ...] = (f"{line.peer} MISSING: {line.missing}" if line.peer else "-", "-", "-", "-", "-")
    else:
        wall, cpu = ratios(line.row, own, peer)
        theirs = (line.peer, seconds(peer.wall_seconds), seconds(peer.cpu_seconds), f"{wall:.2f} x", f"{cpu:.2f} x")
    return (str(line.row), line.work, *ours, *theirs, line.target)


def ratios(row: int | str, own: Timing, peer: Timing) -> tuple[float, float]:
    """Wall and CPU ratio, in the direction in which the row's target is stated."""
    wall, cpu = peer.wall_seconds / own.wall_seconds, peer.cpu_seconds / own.cpu_seconds
    return (1 / wall, 1 / cpu) if row in OVERHEAD_ROWS else (wall, cpu)


def seconds(value: float) -> str:
    """Milliseconds below one second."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def line_facts(line: Line) -> dict[str, Any]:
    """One line for the results file; `equal` where both sides left a digest of their result."""
    facts = asdict(line)
    if line.theirs:
        wall, cpu = ratios(line.row, line.ours, line.theirs)
        facts |= {"ratio_wall": wall, "ratio_cpu": cpu}
        if "digest" in line.ours.facts:
            facts["equal"] = line.ours.facts["digest"] == line.theirs.facts["digest"]
    return facts


def machine() -> dict[str, Any]:
    """When and where this was measured."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": model[0].partition(":")[2].strip() if model else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
        ).stdout.strip(),
    }


def versions(peer_python: str) -> dict[str, dict[str, str]]:
    """Installed versions on both sides; what is absent is left out."""
    if not Path(peer_python).exists():
        return {"factory": installed(OURS), "peers": {}}
    program = f"import json, run; print(json.dumps(run.installed({PEERS!r})))"
    done = subprocess.run([peer_python, "-c", program], cwd=HERE, capture_output=True, text=True, check=False)
    return {"factory": installed(OURS), "peers": json.loads(done.stdout) if done.returncode == 0 else {}}


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of the distributions that are installed here."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
