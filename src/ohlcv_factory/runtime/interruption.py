"""Ctrl-C, SIGTERM and SIGHUP: the first lets a command end in order, the second ends it at once.

A signal in the middle of a native call reaches Python only when that returns, which may take minutes. A thread therefore
listens beside it: it sees the second signal while the first still waits.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOGETHER_SECONDS = 0.2
"""Signals as close as this are one request: a closed terminal sends two, a service manager SIGTERM and SIGHUP."""


class Interruption(KeyboardInterrupt):
    """A signal that asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)


_received: list[int] = []


def received() -> int | None:
    """The signal that interrupted this process first; None where there was none."""
    return _received[0] if _received else None


def exit_code(number: int) -> int:
    """What a shell gives for a process that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + number


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise an Interruption meanwhile, in the main thread; elsewhere nothing changes.

    A signal that is ignored when this begins (`nohup`, `--detach`) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _received.clear()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    caught = [number for number, action in before.items() if action is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


@contextmanager
def second_signal_ends_at_once() -> Iterator[None]:
    """Meanwhile the second signal leaves the process without another word; for a process of its own."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(heard,), name="signals", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    _received.append(number)
    raise Interruption(number)


def _listen(heard: int) -> None:
    """Wait for the second request to end; other signals, a resized window for instance, come here too."""
    first = None
    while said := os.read(heard, 1):
        if said[0] not in SIGNALS:
            continue
        if first is not None and time.monotonic() - first > TOGETHER_SECONDS:
            os._exit(exit_code(said[0]))
        first = first or time.monotonic()
    os.close(heard)
