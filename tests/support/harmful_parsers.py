"""What parsers of native code do to their process when bytes are damaged, on demand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any


def deed(folder: Path, plugins: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The loader of a `Trial` whose one plugin says what becomes of the process that reads."""
    yield "checkpoints/model.ubj", DEEDS[plugins[0]]


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _end() -> None:
    os._exit(3)


def _loop() -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass


def _grow() -> None:
    bytearray(1 << 45)


def _fail() -> None:
    int("a")


DEEDS: dict[str, Callable[[], Any]] = {
    "crash": _crash,
    "exit": _end,
    "loop": _loop,
    "memory": _grow,
    "error": _fail,
    "nothing": dict,
}
