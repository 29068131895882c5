"""What must come of a command that meets a harmful file: one sentence with the file, soon."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harmful
import pytest
from command_line import Answer

MOST_SECONDS = 10.0
"""Of processor time, for one command."""
HANG_SECONDS = 60
"""Of the clock: a command that waits for a pipe would wait for ever, one on a busy machine takes longer than usual."""
IRREGULAR = {"pipe": harmful.make_fifo, "symlink": harmful.make_symlink, "hardlink": harmful.make_hardlink}


def some(cases: Iterable[Any], every: int) -> list[Any]:
    """The cases, of which the ordinary suite has each `every`-th; the others are behind `--all`."""
    parameters = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*case, marks=() if place % every == 0 else pytest.mark.slow)
        for place, case in enumerate(parameters)
    ]


def refused(answer: Answer, name: str, codes: tuple[int, ...] = (65, 76)) -> None:
    """One sentence with the file, and the exit code of bad data or a failed verification."""
    assert answer.code in codes, answer.err or answer.out
    assert Path(name).name in answer.err
    assert "Traceback" not in answer.err
    assert answer.err.count("error[") == 1


def unfinished(folder: Path) -> Path:
    """A run or a study as one that failed on its last step."""
    (folder / "manifest.json").unlink()
    (folder / "state.json").write_text(json.dumps({"state": "FAILED", "attempt": 1, "updated": "", "error": None}))
    return folder


@contextmanager
def promptly() -> Iterator[None]:
    """Fail where the block waits for ever, or takes more processor time than one command may."""
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANG_SECONDS)
    started = time.process_time()
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert time.process_time() - started < MOST_SECONDS


def _hangs(*_: Any) -> None:
    raise AssertionError(f"the command hangs: no answer within {HANG_SECONDS} s")
