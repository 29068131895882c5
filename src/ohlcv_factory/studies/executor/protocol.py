"""What every executor does, and how a study uses one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ohlcv_factory.errors import UsageError, unknown_name
from ohlcv_factory.storage.formats import write_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.executor.job import JobResult, JobSpec
from ohlcv_factory.studies.executor.work import SPEC, finished_result

EXECUTORS = ("local", "ray")
MAX_RETRIES = 2
"""How often a job is tried again after its worker died or a disk refused."""


class Executor(Protocol):
    """Takes jobs and gives their results as they come, in any order; what it started ends with the `with` block."""

    def submit(self, spec: JobSpec) -> None:
        """Take a job; it begins when cores and memory are free."""

    def completed(self) -> Iterator[JobResult]:
        """The results of all jobs taken so far and of those taken meanwhile; ends when none is left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_executor(
    name: str = "local", *, workers: int | None = None, threads: int = 1, address: str | None = None
) -> Executor:
    """An executor by name: `with open_executor("local", workers=2) as executor: …`.

    `workers` is how many jobs run at once at most, None as many as cores and memory allow; `threads` is what a job takes;
    `address` is that of a Ray cluster. Raises UsageError (2) for what the machine does not have, MissingExtraError (69).
    """
    if name == "local":
        if address is not None:
            raise UsageError("an address belongs to a Ray cluster.", where="--address", help="--executor ray")
        from ohlcv_factory.studies.executor.local import LocalExecutor

        return LocalExecutor(workers, threads)
    if name == "ray":
        from ohlcv_factory.studies.executor.cluster import RayExecutor

        return RayExecutor(workers, threads, address)
    raise unknown_name("executor", name, EXECUTORS)


def run_jobs(
    executor: Executor, specs: Sequence[JobSpec], on_result: Callable[[JobResult], None] = lambda result: None
) -> list[JobResult]:
    """The results of jobs, in the order of the jobs; one that is finished and verified is not done again.

    Equal jobs are done once. Each trial of a result is entered into the study's ledger, once.
    """
    found: dict[str, JobResult] = {}

    def take(result: JobResult, spec: JobSpec) -> None:
        found[result.id] = result
        enter_trials(result, Path(spec.study))
        on_result(result)

    by_id = {spec.id: spec for spec in specs}
    for spec in by_id.values():
        done = finished_result(spec)
        if done is None:
            write_json(spec.folder / SPEC, spec.plain())
            executor.submit(spec)
        else:
            take(done, spec)
    for result in executor.completed():
        take(result, by_id[result.id])
    return [found[spec.id] for spec in specs]


def enter_trials(result: JobResult, study: Path) -> None:
    """Enter a result's trials into the ledger of the study: here, because SQLite over a network is not safe."""
    ledger = Ledger.in_folder(study)
    for trial in result.trials:
        entry = {"kind": "fit", **trial}
        if not ledger.knows(entry["kind"], entry["run_id"]):
            ledger.record(**entry)
