"""An executor that does each job at once, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ohlcv_factory.errors import DataError
from ohlcv_factory.studies import training_job
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


def refuse_seed(patch: Any, seed: int) -> None:
    """Let the runs of a seed fail, of jobs in this process."""
    whole = training_job.completed_run

    def one_fails(trainer: Any, container: Any, run_id: str) -> Any:
        if trainer.config.random_seed == seed:
            raise DataError("row 3 is odd.", help="mend it")
        return whole(trainer, container, run_id)

    patch.setattr(training_job, "completed_run", one_fails)
