"""The command line as a user meets it: in this process, or in a fresh one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from markets import COLUMNS

import ohlcv_factory
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.cli.app import invoke

FEATURES = f"features=[{', '.join(COLUMNS)}]"
BARRIERS = {
    5: ("--set", "barriers.5={k_up: 2, k_down: 2, max_bars: 8}"),
    10: ("--set", "barriers.10={k_up: 3, k_down: 3, max_bars: 16}"),
}
"""Barrier settings of each horizon."""
DATASET = ("--horizons", "5,10", "--embargo", "auto", "--set", FEATURES, *BARRIERS[5], *BARRIERS[10])
"""A small dataset in which every class is common."""
BASELINES = {"class_prior", "last_label", "random_same_turnover", "buy_and_hold", "always_flat"}


@dataclass(frozen=True)
class Answer:
    """What came back from one command."""

    code: int
    out: str
    err: str
    environment: dict[str, str]
    """Environment variables when the command was done."""

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def call(*arguments: str | Path, environment: dict[str, str] | None = None) -> Answer:
    """Run one command in this process; the environment is as before afterwards."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.dict(os.environ), redirect_stdout(out), redirect_stderr(err):
        os.environ.update(environment or {})
        code = invoke([str(argument) for argument in arguments])
        return Answer(code, out.getvalue(), err.getvalue(), dict(os.environ))


def succeed(*arguments: str | Path, environment: dict[str, str] | None = None) -> Answer:
    """`call`, for a command that must work."""
    answer = call(*arguments, environment=environment)
    assert answer.code == 0, answer.err or answer.out
    return answer


def fresh(*arguments: str | Path, path: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command in a fresh interpreter; the folder `path` goes first on its search path."""
    source = str(Path(ohlcv_factory.__file__).parent.parent)
    search = os.pathsep.join([*([str(path)] if path else []), source])
    code = "from ohlcv_factory.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=check,
        env={**os.environ, "PYTHONPATH": search},
    )


def write_bars(path: Path, count: int = 6000, *, seed: int = 7, bar_seconds: int = 300) -> Path:
    """A CSV of synthetic bars with a strong planted signal, seen through the volume."""
    random_walk(count, seed, bar_seconds=bar_seconds, beta=0.8).frame().write_csv(path)
    return path


def train(dataset: Path, output_dir: Path, *more: str, model: str = "logistic", horizon: int = 5) -> Path:
    """Train one model through the command line, and return its run folder."""
    where = ("--dataset", dataset, "--output-dir", output_dir, "--horizon", str(horizon))
    return Path(succeed("train", "--model", model, *where, *more, "--json").json["output_path"])
