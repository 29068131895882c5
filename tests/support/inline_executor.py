"""An executor that does each job at once, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ohlcv_factory.studies.executor.job import JobResult, JobSpec
from ohlcv_factory.studies.executor.work import run_job


class InlineExecutor:
    """For tests of what a study asks for; `newest_first` turns the order of the jobs around."""

    def __init__(self, newest_first: bool = False) -> None:
        self.newest_first = newest_first
        self.specs: list[JobSpec] = []

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.specs.clear()

    def submit(self, spec: JobSpec) -> None:
        """Take a job."""
        self.specs.append(spec)

    def completed(self) -> Iterator[JobResult]:
        """Do the jobs."""
        while self.specs:
            yield run_job(self.specs.pop(-1 if self.newest_first else 0))
