"""One job in the process that does it: lock, look whether it is done, do it, write down what came of it.

A job's folder `jobs/<id>/` holds

    spec.json      the job
    state.json     how many processes have begun it, and the last of them
    log.txt        what it printed
    record.json    digest of the result, digests of the files that it made, cost, trials
    result.json    state and values, the same bytes wherever the job ran; written last
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import (
    FactoryError,
    FactoryWarning,
    LockedError,
    ResourceError,
    StorageError,
    VerificationError,
)
from ohlcv_factory.runtime.clock import system_clock, utc_text
from ohlcv_factory.runtime.memory import forget_peak, peak_bytes
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.storage.digests import code_digest, file_digest, value_digest
from ohlcv_factory.storage.formats import jsonable, read_json, write_json
from ohlcv_factory.storage.locks import folder_lock
from ohlcv_factory.studies.executor.job import JobResult, JobSpec, job_function, plugins_digest

SPEC, STATE, RECORD, RESULT, LOG = "spec.json", "state.json", "record.json", "result.json", "log.txt"
PATIENCE_SECONDS = 60.0
"""How long a job waits for a process that still works on it: one whose driver was killed needs a moment to notice."""


def run_job(spec: JobSpec) -> JobResult:
    """Do a job, or find it done. An error of ours makes it FAILED; an OSError is raised, for whoever tries again."""
    spec.folder.mkdir(parents=True, exist_ok=True)
    try:
        with folder_lock(spec.folder, f"job {spec.id}", patience_seconds=PATIENCE_SECONDS):
            done = finished_result(spec)
            return done or _attempt(spec, begun(spec))
    except LockedError as error:
        return JobResult.failed(spec.id, error, attempts_so_far(spec))


def finished_result(spec: JobSpec) -> JobResult | None:
    """The result of a job that is finished, when it and every file that the job made are as they were written."""
    folder = spec.folder
    if not (folder / RESULT).is_file():
        return None
    try:
        result = read_json(folder / RESULT)
        if result["state"] != "FINISHED":
            return None
        record = read_json(folder / RECORD)
        _verify(spec, result, record)
    except (FactoryError, KeyError, TypeError) as error:
        what = error.what if isinstance(error, FactoryError) else f"{RECORD} lacks {error}"
        warnings.warn(FactoryWarning(f"job {spec.id} is done again: {what}"), stacklevel=2)
        return None
    trials, attempts = tuple(record["trials"]), record["attempts"]
    return JobResult(spec.id, "FINISHED", result["values"], None, attempts, True, record["cost"], trials)


def attempts_so_far(spec: JobSpec) -> int:
    """How many processes have begun a job."""
    with suppress(FactoryError, KeyError, TypeError):
        return int(read_json(spec.folder / STATE)["attempts"])
    return 0


def write_failure(spec: JobSpec, error: FactoryError) -> JobResult:
    """Write down that a job failed, where no worker lived to do it."""
    result = JobResult.failed(spec.id, error, attempts_so_far(spec))
    write_json(spec.folder / RESULT, _stored(spec, result))
    return result


@contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Send standard output and error, of native libraries too, to the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [os.dup(1), os.dup(2)]
    with path.open("ab") as stream:
        _redirect((stream.fileno(), stream.fileno()))
    try:
        yield
    finally:
        _redirect(kept)
        for descriptor in kept:
            os.close(descriptor)


def begun(spec: JobSpec) -> int:
    """Note that a process begins the job, and return how many have."""
    attempts = attempts_so_far(spec) + 1
    facts = {"attempts": attempts, "pid": os.getpid(), "host": platform.node(), "begun": utc_text(system_clock())}
    write_json(spec.folder / STATE, facts)
    return attempts


def _attempt(spec: JobSpec, attempts: int) -> JobResult:
    started, cpu = time.perf_counter(), _cpu_seconds()
    forget_peak()
    try:
        _refuse_other_code(spec)
        load_plugins(spec.plugins)
        returned = job_function(spec.kind)(spec.plain())
    except Exception as error:
        result = JobResult.failed(spec.id, _told(spec, error), attempts)
        write_json(spec.folder / RESULT, _stored(spec, result))
        return result
    cost = {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(_cpu_seconds() - cpu, 3),
        "peak_memory_mb": round(peak_bytes() / 1e6),
    }
    trials = tuple(returned.get("trials", ()))
    result = JobResult(spec.id, "FINISHED", jsonable(returned["values"]), None, attempts, False, cost, trials)
    _write(spec, result, _made(Path(spec.study), returned.get("files", ())))
    return result


def _told(spec: JobSpec, error: Exception) -> FactoryError:
    """What stopped a job, as an error of ours; one that the next attempt may not meet is raised again."""
    passing = isinstance(error, StorageError) or not isinstance(error, FactoryError)
    if isinstance(error, OSError) and passing:
        raise error
    if isinstance(error, FactoryError):
        return error
    if isinstance(error, MemoryError):
        return ResourceError(f"memory ran out: {error}.", where=str(spec.folder), help="lower --workers")
    return FactoryError(f"{type(error).__name__}: {error}", where=str(spec.folder), help="a defect: please report it")


def _write(spec: JobSpec, result: JobResult, files: list[dict[str, Any]]) -> None:
    """The record first, the result last: its presence means that the job is complete."""
    stored = _stored(spec, result)
    facts = {"attempts": result.attempts, "cost": result.cost, "trials": list(result.trials), "files": files}
    write_json(spec.folder / RECORD, {"result_digest": value_digest(stored), **facts})
    write_json(spec.folder / RESULT, stored)


def _stored(spec: JobSpec, result: JobResult) -> dict[str, Any]:
    return {"id": spec.id, "kind": spec.kind, "state": result.state, "values": result.values, "error": result.error}


def _made(study: Path, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Path (relative to the study) and digest of every file that a job made; a folder stands for those inside."""
    files = [path for name in paths for path in ([study / name] if (study / name).is_file() else _files(study / name))]
    return [{"path": path.relative_to(study).as_posix(), "sha256": file_digest(path)} for path in files]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _verify(spec: JobSpec, result: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    if value_digest(result) != record["result_digest"]:
        raise VerificationError(f"{RESULT} is not the file that was written.")
    for stored in record["files"]:
        path = Path(spec.study) / stored["path"]
        if not path.is_file() or file_digest(path) != stored["sha256"]:
            raise VerificationError(f"{stored['path']} is not the file that was written.")


def _refuse_other_code(spec: JobSpec) -> None:
    if spec.code != code_digest():
        raise VerificationError(
            f"this worker runs other code ({code_digest()[:12]}) than the study ({spec.code[:12]}).",
            where=platform.node(),
            help="install the same version on every machine",
        )
    if spec.plugins and plugins_digest(spec.plugins) != spec.digests.get("plugins"):
        raise VerificationError(
            "a plugin file has changed.", where=", ".join(spec.plugins), help="start the study again"
        )


def _redirect(targets: Sequence[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for number, target in enumerate(targets, start=1):
        os.dup2(target, number)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
