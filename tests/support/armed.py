"""An audit hook that notes everything that a parser must never do, in this process and in the children that parse.

Events are noted while `watching` is on. A hook cannot be taken off again, so that one is added per process and asks the
list; in a child the folder of `sitecustomize.py` is first on the path, and notes go to the file that `ARMED_NOTES` names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEVER = frozenset(
    {
        "pickle.find_class",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "socket.connect",
    }
)
OWN_CHILD = "from ohlcv_factory.storage.trial import main; main()"
NOTES = "ARMED_NOTES"
_watched: list[tuple[Path, list[str]]] = []
_hooked: list[bool] = []


@contextmanager
def watching(place: Path) -> Iterator[list[str]]:
    """What is done meanwhile that must not be; nothing may be imported, opened as a library or compiled out of `place`."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    noted: list[str] = []
    _watched.append((place.resolve(), noted))
    try:
        yield noted
    finally:
        _watched.pop()


def forbidden(event: str, arguments: tuple[Any, ...], place: Path) -> str | None:
    """The event in words, where it must not happen."""
    if event in NEVER:
        return f"{event} {arguments!r}"
    if event == "subprocess.Popen" and OWN_CHILD not in map(str, arguments[1] or ()):
        return f"{event} {arguments[1]!r}"
    if event in ("ctypes.dlopen", "import") and any(str(each).startswith(str(place)) for each in arguments[:2]):
        return f"{event} {arguments!r}"
    return None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched:
        return
    place, noted = _watched[-1]
    said = forbidden(event, arguments, place)
    if said:
        noted.append(said)


def arm_child() -> None:
    """In a child process: every forbidden event becomes a line of the file of notes."""
    notes, place = os.environ[NOTES], Path(os.environ[f"{NOTES}_PLACE"])

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        said = forbidden(event, arguments, place)
        if said:
            descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, f"{said}\n".encode())
            os.close(descriptor)

    sys.addaudithook(hook)
