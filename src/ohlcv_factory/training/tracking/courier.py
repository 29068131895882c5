"""A process of its own that delivers while a run is at work, so that nothing a tracker does can reach the run.

`python -m ohlcv_factory.training.tracking.courier FOLDER` delivers whenever a byte comes on standard input, and once more at
its end, which comes with the end of the run, in whatever way it ends. With `--once [--experiment JSON] FOLDER …` it delivers
each folder once. What came of the last delivery, of each folder, is a line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import ohlcv_factory
from ohlcv_factory.errors import FactoryError, StorageError
from ohlcv_factory.training.tracking.settings import ExperimentConfig

PAUSE_SECONDS = 1.0
"""Between two deliveries: epochs that end meanwhile go together."""
RETRY_SECONDS = 15.0
"""Before the next try after one that failed."""
LAST_SECONDS = 120
"""How long a delivery may go on after the run has ended."""
READ_BYTES = 1 << 16


@dataclass
class Courier:
    """The process that delivers one run, as the run sees it. None of its methods waits, but `ended`."""

    process: subprocess.Popen[bytes]

    @classmethod
    def started(cls, folder: Path) -> Self:
        """A new process, low in priority; a terminal's Ctrl-C does not reach it. Raises OSError."""
        process = _started(["courier", str(folder.resolve())], stdin=subprocess.PIPE)
        os.set_blocking(process.stdin.fileno(), False)  # type: ignore[union-attr]
        return cls(process)

    def wake(self) -> None:
        """Say that there is news. One that is behind has been told already, one that has died shows at the end."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self.process.stdin.fileno(), b"\n")  # type: ignore[union-attr]

    def ended(self, patience_seconds: float) -> str | None:
        """Let it deliver the rest and end; what was wrong with the last delivery, or that it takes too long.

        One that takes longer than the patience, or without any, is left to itself: it ends when it has delivered.
        """
        if patience_seconds == 0:
            self._leave()
            return None
        try:
            said, _ = self.process.communicate(timeout=patience_seconds)
        except subprocess.TimeoutExpired:
            self._leave()
            return f"it takes longer than {patience_seconds:.0f} s."
        try:
            problem: str | None = json.loads(said).get("what")
        except ValueError:
            return f"the process that delivers ended with exit code {self.process.returncode}."
        return problem

    def _leave(self) -> None:
        """Close its standard input, which tells it that the run has ended, and let nobody wait for it."""
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()  # type: ignore[union-attr]
        threading.Thread(target=self.process.wait, daemon=True).start()


def deliver_all(folders: Sequence[Path], experiment: ExperimentConfig | None = None) -> list[dict[str, Any]]:
    """Deliver run folders one after the other in a process of its own; of each a `Delivery` or a `FactoryError.as_dict`."""
    options = [] if experiment is None else ["--experiment", json.dumps(experiment.plain())]
    process = _started(["courier", "--once", *options, *(str(folder.resolve()) for folder in folders)], stdin=None)
    said, _ = process.communicate()
    answers: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    lost = StorageError(f"the process that delivers ended with exit code {process.returncode}.", help="try it again")
    return answers + [lost.as_dict()] * (len(folders) - len(answers))


def main() -> None:
    """Deliver one run until it ends, or some runs once."""
    answers, arguments = _own_mouth(), sys.argv[1:]
    if arguments[0] == "--once":
        experiment = None
        if arguments[1] == "--experiment":
            experiment = ExperimentConfig.parse(json.loads(arguments[2]), where="--experiment")
            arguments = arguments[2:]
        for folder in arguments[1:]:
            _answer(answers, _attempt(Path(folder), experiment))
        return
    _follow(Path(arguments[0]), answers)


def _follow(folder: Path, answers: int) -> None:
    """Deliver at news until standard input ends, then what is left; the last delivery is answered."""
    with suppress(OSError):
        os.nice(5)  # the run comes first
    while os.read(0, READ_BYTES):
        told = _attempt(folder)
        if _ended_within(RETRY_SECONDS if "what" in told else PAUSE_SECONDS):
            break
    signal.alarm(LAST_SECONDS)
    _answer(answers, _attempt(folder))


def _attempt(folder: Path, experiment: ExperimentConfig | None = None) -> dict[str, Any]:
    """One delivery: what stands there now, or what stopped it."""
    from ohlcv_factory.training.tracking.delivery import deliver

    try:
        return asdict(deliver(folder, experiment))
    except FactoryError as error:
        return error.as_dict()
    except Exception as error:  # of a library, in a form that its tracker does not know
        return StorageError(f"{type(error).__name__}: {error}", where=str(folder)).as_dict()


def _ended_within(seconds: float) -> bool:
    """Wait; True as soon as standard input has ended. Bytes that come meanwhile stay there."""
    poll = select.poll()
    poll.register(0, 0)  # the end is always reported
    return bool(poll.poll(seconds * 1000))


def _own_mouth() -> int:
    """A descriptor for answers; what libraries print goes nowhere."""
    answers = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return answers


def _answer(answers: int, told: dict[str, Any]) -> None:
    with suppress(OSError):  # the run has ended without waiting
        os.write(answers, json.dumps(told).encode() + b"\n")


def _started(arguments: list[str], stdin: int | None) -> subprocess.Popen[bytes]:
    source = str(Path(ohlcv_factory.__file__).parent.parent)
    search = os.pathsep.join(dict.fromkeys([source, *filter(None, [os.environ.get("PYTHONPATH")])]))
    module = f"ohlcv_factory.training.tracking.{arguments[0]}"
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments[1:]],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("FACTORY_DEBUG") else subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,
    )


if __name__ == "__main__":
    main()
