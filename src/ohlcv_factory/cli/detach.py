"""`--detach`: a command that goes on when its terminal is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

import ohlcv_factory
from ohlcv_factory.cli.console import say
from ohlcv_factory.runtime.interruption import exit_code
from ohlcv_factory.storage.atomic import create_folder
from ohlcv_factory.storage.run_state import STATE

FLAG = "--detach"
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
_MAIN = "from ohlcv_factory.cli.app import main; main()"


def begin_detached(arguments: Sequence[str], run_id: str, output_dir: Path) -> dict[str, Any]:
    """Start the same command without `--detach` in a session of its own; run folder, log and pid of it.

    It returns when the run is in its folder. What the command prints goes to the log beside the run folder. Raises
    OutputError (73) or AccessError (77) for a folder that cannot be written or holds something; where the command ends
    before its run has begun, its last words are said again, and this one ends with the same exit code.
    """
    folder, log = output_dir / run_id, output_dir / f"{run_id}.log"
    create_folder(folder, must_be_new=True)
    process = _started([word for word in arguments if word != FLAG] + _named(arguments, run_id), log)
    until = time.monotonic() + PATIENCE_SECONDS
    while not (folder / STATE).is_file() and time.monotonic() < until:
        code = process.poll()
        if code is not None:
            with suppress(OSError):
                folder.rmdir()
            say(f"{_last_words(log)}\nlog: {log}")
            raise typer.Exit(code if code > 0 else exit_code(-code))
        time.sleep(POLL_SECONDS)
    return {"run": str(folder), "log": str(log), "pid": process.pid}


def _named(arguments: Sequence[str], run_id: str) -> list[str]:
    """The flag that names the run, where it is not among the arguments."""
    return [] if any(word.partition("=")[0] == "--run-id" for word in arguments) else ["--run-id", run_id]


def _started(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    search = os.pathsep.join(
        [str(Path(ohlcv_factory.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": search},
        )


def _last_words(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-1000:]
