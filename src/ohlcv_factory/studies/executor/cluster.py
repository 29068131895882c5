"""Jobs on the machines of a Ray cluster, as Ray Core tasks; or on a head that is started here for the occasion.

Ray carries one JSON text to a task and one back. Study and dataset lie on storage that every machine sees under the same
path. A task whose worker or machine dies, or that meets an OSError, is tried again by Ray.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from ohlcv_factory.errors import AccessError, FactoryError, UsageError
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.runtime.threads import available_cores, thread_environment
from ohlcv_factory.studies.executor.job import JobResult, JobSpec
from ohlcv_factory.studies.executor.local import workers_at_once
from ohlcv_factory.studies.executor.protocol import MAX_RETRIES
from ohlcv_factory.studies.executor.work import LOG, printing_to, run_job, write_failure

POLL_SECONDS = 0.5
GRACE_SECONDS = 15.0
"""How long tasks may take to write down that their runs were interrupted."""
CONNECT_SECONDS = 5.0
OBJECT_STORE_BYTES = 80 * 2**20
"""The smallest that Ray takes: only JSON passes through it."""
ENVIRONMENT = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
"""Set before Ray is imported, unless the user says otherwise: a token on every connection, no report to Ray's makers."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's only switch for a head that listens on 127.0.0.1 alone; without it a local head listens on every interface."""


class RayExecutor:
    """An `Executor` on a Ray cluster."""

    def __init__(self, workers: int | None = None, threads: int = 1, address: str | None = None) -> None:
        """`address` is the head's `host:port`; without it a head is started on this machine, and ended with the block.

        Raises UsageError (2) for more workers than the cores of this machine carry, where the head is to be here.
        """
        self.address, self.threads = address, threads
        self.workers = workers if address else workers_at_once(workers, threads)
        self._ray: Any = None
        self._task: Any = None
        self._waiting: deque[JobSpec] = deque()
        self._running: dict[Any, JobSpec] = {}

    def __enter__(self) -> Self:
        """Connect. Raises MissingExtraError (69), UsageError (2) where nobody listens, AccessError (77) for the token."""
        for name, value in (ENVIRONMENT if self.address else {**ENVIRONMENT, **LOOPBACK}).items():
            os.environ.setdefault(name, value)
        if self.address is None:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        self._ray = import_extra("ray", "cluster")
        self._connect()
        self._task = self._ray.remote(task)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for reference in self._running:
                self._ray.cancel(reference)  # a KeyboardInterrupt there: the run notes that it was interrupted
            if self._running:
                running = list(self._running)
                self._ray.wait(running, num_returns=len(running), timeout=GRACE_SECONDS)
        finally:
            self._ray.shutdown()

    def submit(self, spec: JobSpec) -> None:
        """Take a job; Ray begins it when a machine has the cores and the memory."""
        self._waiting.append(spec)

    def completed(self) -> Iterator[JobResult]:
        """The results as they come, until no job is left."""
        while self._waiting or self._running:
            self._start()
            done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=POLL_SECONDS)
            for reference in done:
                yield self._result_of(reference, self._running.pop(reference))

    def _start(self) -> None:
        while self._waiting and (self.workers is None or len(self._running) < self.workers):
            spec = self._waiting.popleft()
            task_with_needs = self._task.options(**task_options(spec))
            self._running[task_with_needs.remote(json.dumps(spec.plain()))] = spec

    def _result_of(self, reference: Any, spec: JobSpec) -> JobResult:
        try:
            return JobResult.from_plain(json.loads(self._ray.get(reference)))
        except Exception as error:  # what Ray makes of a worker that died once too often, or of the last OSError
            what = f"{type(error).__name__} after {MAX_RETRIES + 1} attempts: {_first_sentence(error)}"
            return write_failure(spec, FactoryError(what, where=str(spec.folder / LOG), help="see the log"))

    def _connect(self) -> None:
        where: dict[str, Any] = {"address": self.address}
        if self.address is None:
            cores = (self.workers or available_cores()) * self.threads
            where = {"address": "local", "num_cpus": cores, "object_store_memory": OBJECT_STORE_BYTES}
            where["include_dashboard"] = False
        else:
            refuse_silence(self.address)
        try:
            self._ray.init(**where, log_to_driver=False, logging_level="ERROR")
        except (self._ray.exceptions.AuthenticationError, ConnectionError) as error:
            raise AccessError(
                f"the Ray cluster does not take this client in: {_first_sentence(error)}",
                where=str(self.address),
                help="give every machine the same token, in RAY_AUTH_TOKEN or ~/.ray/auth_token",
            ) from None
        except (RuntimeError, ValueError) as error:
            raise UsageError(
                f"no Ray cluster can be used here: {_first_sentence(error)}",
                where=str(self.address),
                help="a driver runs on one of the cluster's machines: ray start --address HOST:PORT",
            ) from None


def refuse_silence(address: str) -> None:
    """Raise UsageError (2) where nobody listens at `host:port`: Ray itself would wait for many minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"an address is HOST:PORT, got {address!r}.", where="--address", help="10.0.0.1:6379")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"nobody listens at {address}: {error}.", where="--address", help="ray start --head --port=6379 on the head"
        ) from None


def task(text: str) -> str:
    """What a Ray worker does: one job, JSON in and out. An OSError goes back to Ray, which tries again."""
    spec = JobSpec.from_plain(json.loads(text))
    with printing_to(spec.folder / LOG):
        return json.dumps(run_job(spec).plain())


def task_options(spec: JobSpec) -> dict[str, Any]:
    """What Ray has to know of a job: cores, memory, when to try again, and its environment from the start."""
    return {
        "name": f"{spec.kind} {spec.id}",
        "num_cpus": spec.threads,
        "memory": int(spec.memory_gb * 1e9),
        "max_retries": MAX_RETRIES,
        "retry_exceptions": [OSError],
        "runtime_env": {"env_vars": thread_environment(spec.threads)},
    }


def _first_sentence(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".") + "."
