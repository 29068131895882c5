"""A worker process of the local executor: `python -m ohlcv_factory.studies.executor.worker DESCRIPTOR`.

One job per line of standard input, one answer per line to the descriptor; both JSON. Its environment fixes the threads
before it starts. When standard input ends the driver is gone or wants it gone: it then ends as on SIGTERM.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.executor.work import LOG, printing_to, run_job

EXIT_INTERRUPTED = 130
LAST_SECONDS = 10.0
"""How long a job may take to write down that it was interrupted."""


def main() -> NoReturn:
    """Do the jobs that come, until none can come any more."""
    signal.signal(signal.SIGTERM, _interrupt)
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)  # or the driver would never see that this process has died
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    with os.fdopen(descriptor, "w", encoding="utf-8") as answers:
        while True:
            text = json.dumps(answer(lines.get()))
            answers.write(f"{text}\n")
            answers.flush()


def answer(line: str) -> dict[str, Any]:
    """What came of a job: its result, or why it may be tried again."""
    spec = JobSpec.from_plain(json.loads(line))
    with printing_to(spec.folder / LOG):
        try:
            return {"id": spec.id, "result": run_job(spec).plain()}
        except OSError as error:
            return {"id": spec.id, "again": f"{type(error).__name__}: {error}"}


def _listen(lines: queue.Queue[str]) -> None:
    """Hand over the jobs; at their end interrupt the one that is running, and do not wait for it for ever."""
    for line in sys.stdin:
        lines.put(line)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(LAST_SECONDS)
    os._exit(EXIT_INTERRUPTED)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        main()
    os._exit(EXIT_INTERRUPTED)  # at once: the listening thread holds standard input
