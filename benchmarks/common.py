"""Measuring: every case in a process of its own, medians of several runs after a warm-up, CPU time beside wall time.

This file and the top of every row file import the standard library only, because the peers' environment has no factory
and because a light parent keeps the children's peak memory honest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

LAUNCHES = 2
RUNS_PER_LAUNCH = 3
"""Two processes of three timed runs each: six runs per case, the cases taking turns."""
COMMAND_RUNS = 5
PREPARE = "prepare"
MEGABYTE = 1e6

Work = Callable[[], Callable[[], Mapping[str, Any]]]
"""The timed work; what it returns is called after the clock has stopped, for facts that are kept beside the times."""
Case = Callable[[Path], Work]
"""Prepares its input, untimed, and returns the work."""


@dataclass(frozen=True)
class Timing:
    """Medians over the runs of one case."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    runs: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One line of the table: a case of ours, and a peer where there is one."""

    row: int | str
    work: str
    ours: Timing
    target: str
    peer: str = ""
    theirs: Timing | None = None
    missing: str = ""
    """Why a peer has no figures."""


@dataclass(frozen=True)
class Bench:
    """Where to measure: a folder for data, our Python, and the peers' Python."""

    folder: Path
    peer_python: str

    def prepare(self, file: str) -> None:
        """Let a row file write its data, in a process of its own: a child's peak memory counts from its parent's."""
        subprocess.run([sys.executable, file, PREPARE, str(self.folder)], check=True)

    def take_turns(
        self, file: str, cases: Sequence[str], *, peers: Sequence[str] = (), environment: str = ""
    ) -> dict[str, Timing | str]:
        """Time the cases of a row file in turn; a case that fails has its last line of error in place of its times.

        `environment` of `peers_alone.txt` is that of all these peers; without it each looks for one of its own name.
        """
        samples: dict[str, list[dict[str, Any]] | str] = {name: [] for name in (*cases, *peers)}
        for _ in range(LAUNCHES):
            for name, taken in samples.items():
                if isinstance(taken, list):
                    found = self._launch(
                        file, name, self._python_of(environment or name) if name in peers else sys.executable
                    )
                    samples[name] = found if isinstance(found, str) else [*taken, *found]
        return {name: taken if isinstance(taken, str) else _medians(taken) for name, taken in samples.items()}

    def _python_of(self, environment: str) -> str:
        """The Python of an environment beside the common one where it is there (`peers_alone.txt`)."""
        common = Path(self.peer_python)
        alone = common.parents[1].with_name(f"{common.parents[1].name}-{environment}") / "bin" / common.name
        return str(alone) if alone.exists() else self.peer_python

    def _launch(self, file: str, case: str, python: str) -> list[dict[str, Any]] | str:
        if not Path(python).exists():
            return f"{python} does not exist"
        command = [python, file, case, str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def serve(cases: Mapping[str, Case], prepare: Callable[[Path], None] | None = None, *, runs: int | None = None) -> None:
    """The main of a row file: write the row's data, or time one case in this process and print its runs as JSON.

    `runs` times that many without one before them: for work that warms itself.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=[*cases, PREPARE])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if prepare and given.case == PREPARE:
        prepare(given.folder)
        return
    work = cases[given.case](given.folder)
    if runs is None:
        work()
    print(json.dumps([_timed(work) for _ in range(runs or RUNS_PER_LAUNCH)]))


def _timed(work: Work) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    facts = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
    return {"wall": wall, "cpu": cpu, "peak": peak, "facts": dict(facts())}


def time_command(
    command: Sequence[str], *, before: Callable[[], None] = lambda: None, runs: int = COMMAND_RUNS
) -> Timing:
    """Time a whole command: one warm-up, then the runs; `before` tidies up, untimed. Raises on a failing command."""
    _run_command(command, before)
    return _medians([_run_command(command, before) for _ in range(runs)])


def _run_command(command: Sequence[str], before: Callable[[], None]) -> dict[str, Any]:
    before()
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall": wall, "cpu": cpu, "peak": usage.ru_maxrss * 1024 / MEGABYTE, "facts": {}}


def _medians(runs: Sequence[Mapping[str, Any]]) -> Timing:
    wall, cpu, peak = (median(run[name] for run in runs) for name in ("wall", "cpu", "peak"))
    return Timing(wall, cpu, peak, len(runs), runs[-1]["facts"])


def against(row: int | str, work: str, ours: Timing | str, target: str, peer: str, theirs: Timing | str) -> Line:
    """A line against a peer; a peer without figures is reported as missing. Raises when ours has none."""
    own = required(ours, work)
    if isinstance(theirs, str):
        return Line(row, work, own, target, peer, missing=theirs)
    return Line(row, work, own, target, peer, theirs)


def required(timing: Timing | str, work: str) -> Timing:
    """The figures of a case of ours. Raises RuntimeError with its error where it failed."""
    if isinstance(timing, str):
        raise RuntimeError(f"{work}: {timing}")
    return timing


def factory_command() -> list[str]:
    """The console script beside this Python, or the same through `-c` where the package is not installed."""
    script = Path(sys.executable).with_name("ohlcv-factory")
    return (
        [str(script)] if script.exists() else [sys.executable, "-c", "from ohlcv_factory.cli.app import main; main()"]
    )
