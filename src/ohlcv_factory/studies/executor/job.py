"""A job: what to do as plain JSON, under a name that follows from its content, and what came of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ohlcv_factory.config import Settings, setting
from ohlcv_factory.errors import FactoryError, VerificationError, unknown_name
from ohlcv_factory.storage.digests import code_digest, file_digest, value_digest

KINDS: Mapping[str, str] = {
    "train": "ohlcv_factory.studies.training_job:run_training",
    "fold": "ohlcv_factory.studies.fold_job:run_fold",
}
"""What a job can do: `module:function` of this package, called as `function(spec: dict) -> dict`.

The function gets `JobSpec.plain()` and returns a dict with `values` (JSON, the same in every process) and, where there
are any, `files` (files and folders that it made, relative to the study) and `trials` (what the ledger is to keep).
"""
JOBS_FOLDER = "jobs"
ID_LETTERS = 16

JobFunction = Callable[[dict[str, Any]], dict[str, Any]]
State = Literal["FINISHED", "FAILED"]


class JobSpec(Settings):
    """One job. Where things lie and what it takes do not change its name; what decides its result does."""

    kind: str = setting(..., "What to do: a key of KINDS.")
    config: dict[str, Any] = setting(..., "Settings of the kind, plain JSON.")
    digests: dict[str, str] = setting({}, "Digests of what it reads, by name: the dataset's fingerprint as `data`.")
    study: str = setting(..., "Folder of the study; on a cluster the same path on every machine.")
    dataset: str | None = setting(None, "Dataset folder; on a cluster the same path on every machine.")
    plugins: tuple[str, ...] = setting((), "Python files that the user named; they are run before the job.")
    threads: int = setting(1, "Threads of every native library.", ge=1)
    tracking: dict[str, Any] | None = setting(None, "Where what it makes is also shown; decides nothing.")
    memory_gb: float = setting(0.0, "Main memory that the job is expected to take.", ge=0)
    code: str = setting("", "Digest of the source that the study runs with; filled in.")

    @classmethod
    def made(cls, kind: str, **values: Any) -> JobSpec:
        """A job of this code, with the digests of its plugin files. Raises UnknownNameError (2) for another kind."""
        if kind not in KINDS:
            raise unknown_name("kind of job", kind, KINDS)
        own = {"plugins": plugins_digest(values["plugins"])} if values.get("plugins") else {}
        digests = {**values.pop("digests", {}), **own}
        return cls.parse({"kind": kind, "code": code_digest(), "digests": digests, **values}, where="job")

    @property
    def id(self) -> str:
        """Digest of kind, settings, data, code and threads: equal jobs have equal names."""
        facts = {name: getattr(self, name) for name in ("kind", "config", "digests", "threads", "code")}
        return value_digest(facts)[:ID_LETTERS]

    @property
    def folder(self) -> Path:
        """Where the job's own files lie: `jobs/<id>/` of the study."""
        return Path(self.study) / JOBS_FOLDER / self.id

    def plain(self) -> dict[str, Any]:
        """JSON-ready, with the id beside the fields."""
        return {**super().plain(), "id": self.id}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> JobSpec:
        """Read back what `plain` gave. Raises UsageError (2) for anything else, VerificationError (76) for another id."""
        fields = dict(values)
        named = fields.pop("id", None)
        spec = cls.parse(fields, where="job")
        if named != spec.id:
            raise VerificationError(f"job {named} is {spec.id} by its content.", where="job", help="send it again")
        return spec


@dataclass(frozen=True)
class JobResult:
    """What came of a job."""

    id: str
    state: State
    values: dict[str, Any]
    """What the job found out; empty when it failed."""
    error: dict[str, Any] | None = None
    """`FactoryError.as_dict()` of what stopped it."""
    attempts: int = 1
    """Processes that have worked on it."""
    found: bool = False
    """Whether it was finished before this study was started."""
    cost: dict[str, float] = field(default_factory=dict)
    """seconds, cpu_seconds, peak_memory_mb of the attempt that finished."""
    trials: tuple[dict[str, Any], ...] = ()
    """Entries for the study's ledger."""

    @classmethod
    def failed(cls, job: str, error: FactoryError, attempts: int = 1) -> JobResult:
        """The result of a job that was stopped by an error of ours."""
        return cls(job, "FAILED", {}, error.as_dict(), attempts)

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**self.__dict__, "trials": list(self.trials)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> JobResult:
        """Read back what `plain` gave."""
        return cls(**{**values, "trials": tuple(values["trials"])})


def job_function(kind: str) -> JobFunction:
    """The function of a kind. Raises UnknownNameError (2) for a kind that is not in the table."""
    if kind not in KINDS:
        raise unknown_name("kind of job", kind, KINDS)
    module, _, name = KINDS[kind].partition(":")
    function: JobFunction = getattr(importlib.import_module(module), name)
    return function


def plugins_digest(paths: tuple[str, ...]) -> str:
    """Digest of plugin files, in their order."""
    return value_digest({"files": [file_digest(Path(path)) for path in paths]})
