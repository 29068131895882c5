"""Jobs in processes of this machine: cores divided among them, at most as many at once as fit into memory.

A worker is a Python of its own that is started afresh, never forked: its environment holds the thread counts before any
native library is loaded. It does one job after the other, so that libraries are imported once. One that dies takes no
other job with it: its job is tried again on a new worker, at most `MAX_RETRIES` times.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import ohlcv_factory
from ohlcv_factory.errors import FactoryError, StorageError, UsageError
from ohlcv_factory.runtime.memory import available_bytes
from ohlcv_factory.runtime.threads import available_cores, thread_environment
from ohlcv_factory.studies.executor.job import JobResult, JobSpec
from ohlcv_factory.studies.executor.protocol import MAX_RETRIES
from ohlcv_factory.studies.executor.work import LOG, write_failure

GRACE_SECONDS = 15.0
"""How long workers may take to write down that their runs were interrupted."""
POLL_SECONDS = 0.2
READ_BYTES = 1 << 16


class LocalExecutor:
    """An `Executor` on this machine."""

    def __init__(self, workers: int | None = None, threads: int = 1, memory_gb: float | None = None) -> None:
        """`memory_gb` is what all jobs together may take; without it what is free now. Raises UsageError (2)."""
        self.workers = workers_at_once(workers, threads)
        self.memory_gb = (available_bytes() or float("inf")) / 1e9 if memory_gb is None else memory_gb
        self._waiting: deque[JobSpec] = deque()
        self._pool: list[_Worker] = []
        self._tries: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._pool)

    def submit(self, spec: JobSpec) -> None:
        """Take a job; it begins when a worker and its memory are free."""
        self._waiting.append(spec)

    def completed(self) -> Iterator[JobResult]:
        """The results as they come, until no job is left."""
        while self._waiting or self._busy():
            self._start_what_fits()
            for worker in _with_news(self._busy()):
                result = self._result_of(worker)
                if result is not None:
                    yield result

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._pool if worker.job is not None]

    def _start_what_fits(self) -> None:
        """Give work to free workers, oldest jobs first; a job too large for the memory that is left lets others pass."""
        while len(self._busy()) < self.workers:
            spec = self._next_that_fits()
            if spec is None:
                return
            self._waiting.remove(spec)
            self._tries[spec.id] += 1
            self._worker_for(spec).begin(spec)

    def _next_that_fits(self) -> JobSpec | None:
        """Alone, any job may try: the run itself then refuses what cannot fit, with the arithmetic."""
        taken = sum(worker.job.memory_gb for worker in self._busy() if worker.job)
        alone = not self._busy()
        return next((spec for spec in self._waiting if alone or taken + spec.memory_gb <= self.memory_gb), None)

    def _worker_for(self, spec: JobSpec) -> _Worker:
        """A free worker with the job's number of threads; free ones with another number make room."""
        free = [worker for worker in self._pool if worker.job is None]
        for worker in free:
            if worker.threads == spec.threads:
                return worker
        stop(free)
        self._pool = [worker for worker in self._pool if worker not in free]
        self._pool.append(_Worker.started(spec.threads))
        return self._pool[-1]

    def _result_of(self, worker: _Worker) -> JobResult | None:
        """What a worker with news has to say; None when its answer is not whole yet, or its job is tried again."""
        spec = worker.job
        if spec is None:
            return None
        if not worker.read():
            self._pool.remove(worker)
            worker.close()
            return self._again(spec, _death(spec, worker.process.wait()))
        told = worker.told()
        if told is None:
            return None
        worker.job = None
        if "again" in told:
            return self._again(spec, StorageError(told["again"], where=str(spec.folder), help="check the disk"))
        return JobResult.from_plain(told["result"])

    def _again(self, spec: JobSpec, error: FactoryError) -> JobResult | None:
        """Queue a job that was cut off once more, or give it up."""
        if self._tries[spec.id] <= MAX_RETRIES:
            self._waiting.appendleft(spec)
            return None
        return write_failure(spec, error)


def workers_at_once(workers: int | None, threads: int) -> int:
    """How many jobs of `threads` each the cores carry, or as many as asked for. Raises UsageError (2) for too many."""
    cores, least = available_cores(), 1 if workers is None else workers
    if threads < 1 or least < 1 or least * threads > cores:
        raise UsageError(
            f"workers x threads must be between 1 and the {cores} cores there are, got {least} x {threads}.",
            where="--workers",
            help="lower --workers or --threads",
        )
    return workers or cores // threads


@dataclass
class _Worker:
    """One worker process as its driver sees it."""

    process: subprocess.Popen[bytes]
    answers: int
    threads: int
    job: JobSpec | None = None
    heard: bytearray = field(default_factory=bytearray)

    @classmethod
    def started(cls, threads: int) -> Self:
        """A new process; a terminal's Ctrl-C does not reach it, the driver decides."""
        answers, written = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ohlcv_factory.studies.executor.worker", str(written)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(written,),
                env=_environment(threads),
                start_new_session=True,
            )
        finally:
            os.close(written)
        return cls(process, answers, threads)

    def begin(self, spec: JobSpec) -> None:
        """Send a job; that the process has died meanwhile shows when its answer is read."""
        self.job = spec
        with suppress(BrokenPipeError):
            stream: IO[bytes] = self.process.stdin  # type: ignore[assignment]
            stream.write(json.dumps(spec.plain()).encode() + b"\n")
            stream.flush()

    def read(self) -> bool:
        """Take in what was said; False when the process has closed its mouth for good."""
        said = os.read(self.answers, READ_BYTES)
        self.heard += said
        return bool(said)

    def told(self) -> dict[str, Any] | None:
        """The answer, once its line is whole."""
        line, end, rest = bytes(self.heard).partition(b"\n")
        if not end:
            return None
        self.heard = bytearray(rest)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let go of the pipes."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        with suppress(OSError):
            os.close(self.answers)


def stop(workers: list[_Worker]) -> None:
    """End workers: the free ones at once, the others when they have noted that they were interrupted, or after a while."""
    try:
        for worker in workers:
            worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
            worker.close()


def _with_news(workers: list[_Worker]) -> list[_Worker]:
    """The workers that have said something or died, waited for a moment."""
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.answers, selectors.EVENT_READ, worker)
        return [key.data for key, _ in selector.select(POLL_SECONDS)]


def _death(spec: JobSpec, code: int) -> FactoryError:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return FactoryError(
        f"the worker process ended by {how}, {MAX_RETRIES + 1} times.",
        where=str(spec.folder / LOG),
        help="see the log; if memory ran out: lower --workers",
    )


def _environment(threads: int) -> dict[str, str]:
    """This process's, with the thread counts, and with the place of this very package."""
    source = str(Path(ohlcv_factory.__file__).parent.parent)
    search = os.pathsep.join(dict.fromkeys([source, *filter(None, [os.environ.get("PYTHONPATH")])]))
    return {**os.environ, **thread_environment(threads), "PYTHONPATH": search}
