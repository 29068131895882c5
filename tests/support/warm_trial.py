"""The child that parses foreign folders, forked from a process that has imported the libraries: 0.1 s instead of 4.

What happens in it is `storage.trial.main` under the same limits; only the imports were done before. The process has never
trained anything, so that no thread of a library is lost by the fork.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from armed import NOTES, arm_child

SERVE = "from warm_trial import serve; serve()"
SUPPORT = Path(__file__).parent


class WarmTrials:
    """Answers `storage.trial._child` as long as it lives."""

    def __init__(self, notes: Path, place: Path) -> None:
        path = os.pathsep.join([str(SUPPORT), *filter(None, sys.path)])
        environment = {**os.environ, "PYTHONPATH": path, NOTES: str(notes), f"{NOTES}_PLACE": str(place.resolve())}
        environment |= {"OMP_NUM_THREADS": "1"}
        self.cpu_seconds = 0.0
        """Processor time of the last child."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment, text=True, **pipes)

    def child(self, request: Mapping[str, Any], seconds: float) -> tuple[int | None, list[str]]:
        """As `storage.trial._child`."""
        self.process.stdin.write(json.dumps({"request": dict(request), "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.cpu_seconds = answer["cpu_seconds"]
        return answer["code"], answer["lines"]


@contextmanager
def warm_trials(notes: Path, place: Path) -> Iterator[WarmTrials]:
    """The process, which ends with the block."""
    trials = WarmTrials(notes, place)
    try:
        yield trials
    finally:
        trials.process.stdin.close()
        trials.process.wait(timeout=20)
        trials.process.stdout.close()


def serve() -> None:
    """Import, then fork once per line of standard input."""
    import catboost
    import lightgbm
    import safetensors.torch
    import skops.io
    import torch
    import xgboost

    import ohlcv_factory.training.bundle
    import ohlcv_factory.training.trial  # noqa: F401

    torch.set_num_threads(1)
    assert all((catboost, lightgbm, safetensors, skops, xgboost))
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_forked(asked["request"], asked["seconds"])), flush=True)


def _forked(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.dup2(write, 1)
        sys.stdin, sys.stdout = io.StringIO(json.dumps(request)), os.fdopen(1, "w")
        from ohlcv_factory.storage.trial import main

        arm_child()
        main()
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        said = answers.read()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {"code": code, "lines": said.splitlines(), "cpu_seconds": used.ru_utime + used.ru_stime}
        time.sleep(0.005)
    os.kill(pid, 9)
    used = os.wait4(pid, 0)[2]
    return {"code": None, "lines": said.splitlines(), "cpu_seconds": used.ru_utime + used.ru_stime}
