"""The local executor: cores and memory divided, nothing lost when workers die, nothing left when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from job_kinds import job, spans

from ohlcv_factory.errors import UsageError
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies.executor import local, worker
from ohlcv_factory.studies.executor.local import LocalExecutor, workers_at_once
from ohlcv_factory.studies.executor.protocol import open_executor, run_jobs


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(local, "available_cores", lambda: 4)


def test_a_worker_that_dies_costs_its_job_another_attempt_and_no_other_job_anything(study) -> None:
    """Two deaths are mended; a third gives the job up; a job with an error is told; the rest finish."""
    specs = [
        job(study, "mended", how="killed", until=3),
        job(study, "lost", how="killed", until=9),
        job(study, "odd", how="refused", until=9),
        job(study, "shaky", how="disk", until=2),
        job(study, "plain"),
    ]
    heard = []
    with open_executor("local", workers=2) as executor:
        results = dict(
            zip([spec.config["name"] for spec in specs], run_jobs(executor, specs, heard.append), strict=True)
        )
    assert {name: (result.state, result.attempts) for name, result in results.items()} == {
        "mended": ("FINISHED", 3),
        "lost": ("FAILED", 3),
        "odd": ("FAILED", 1),
        "shaky": ("FINISHED", 2),
        "plain": ("FINISHED", 1),
    }
    assert results["lost"].error["what"] == "the worker process ended by signal SIGKILL, 3 times."
    assert results["odd"].error["what"] == "row 3 is odd."
    assert len(heard) == 5
    assert (specs[4].folder / "log.txt").read_text() == "printed by plain\n"
    assert sorted(entry["run_id"] for entry in Ledger.in_folder(study).entries()) == ["mended", "plain", "shaky"]


def test_one_worker_and_two_give_the_same_bytes_in_the_order_of_the_jobs_and_end_with_the_block(tmp_path) -> None:
    results = {}
    for workers in (1, 2):
        specs = [job(tmp_path / str(workers), name, seconds=0.2 * (name == "a")) for name in "abc"]
        with LocalExecutor(workers) as executor:
            found = run_jobs(executor, specs)
            pids = [one.process.pid for one in executor._pool]
        assert len(pids) == workers
        assert [pid for pid in pids if is_alive(pid)] == []
        assert [result.id for result in found] == [spec.id for spec in specs]
        results[workers] = [(spec.folder / "result.json").read_bytes() for spec in specs]
    assert results[1] == results[2]


def test_a_worker_has_its_threads_before_it_starts_and_is_another_one_for_other_threads(study) -> None:
    specs = [job(study, "one"), job(study, "again"), job(study, "two", threads=2)]
    with LocalExecutor(1, threads=2) as executor:
        results = run_jobs(executor, specs)
    expected = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    assert results[0].values["environment"] == expected
    assert results[2].values["environment"] == {**expected, "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    pids = [read_json(spec.folder / "state.json")["pid"] for spec in specs]
    assert pids[0] == pids[1] != pids[2]


def test_jobs_run_together_only_where_their_memory_fits(study) -> None:
    specs = [job(study, name, memory_gb=size, seconds=0.3) for name, size in (("a", 3.0), ("b", 3.0), ("c", 1.0))]
    with LocalExecutor(2, memory_gb=5.0) as executor:
        assert {result.state for result in run_jobs(executor, specs)} == {"FINISHED"}
    span = spans(study)
    assert span["b"][0] >= span["a"][1]  # 3 + 3 do not fit, so c passes
    assert span["c"][0] < span["a"][1] + 0.5


def test_a_job_that_is_larger_than_all_memory_runs_alone(study) -> None:
    with LocalExecutor(1, memory_gb=1.0) as executor:
        assert run_jobs(executor, [job(study, memory_gb=9.0)])[0].state == "FINISHED"


@pytest.mark.parametrize(("workers", "threads", "expected"), [(None, 1, 4), (None, 3, 1), (2, 2, 2), (1, 4, 1)])
def test_the_cores_are_divided_among_the_jobs(workers, threads, expected) -> None:
    assert workers_at_once(workers, threads) == expected


@pytest.mark.parametrize(("workers", "threads"), [(5, 1), (2, 3), (None, 5), (0, 1), (1, 0)])
def test_more_than_the_cores_carry_is_refused(workers, threads) -> None:
    with pytest.raises(UsageError, match="workers x threads must be between 1 and the 4 cores"):
        workers_at_once(workers, threads)


def test_an_address_without_a_cluster_is_refused() -> None:
    with pytest.raises(UsageError, match="an address belongs to a Ray cluster"):
        open_executor("local", address="10.0.0.1:6379")
    with pytest.raises(UsageError, match=r"Unknown executor 'rya'\. Did you mean 'ray'"):
        open_executor("rya")


DRIVER = """
import sys
from pathlib import Path
from job_kinds import job
from ohlcv_factory.studies.executor.local import LocalExecutor
from ohlcv_factory.studies.executor.protocol import run_jobs

study = Path(sys.argv[1])
with LocalExecutor(1) as executor:
    for result in run_jobs(executor, [job(study, "a"), job(study, "b", seconds=float(sys.argv[2]))]):
        print(result.found, result.attempts)
"""


def driver(study, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(study), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_driver_that_is_interrupted_ends_its_worker(study) -> None:
    first = driver(study, 60)
    wait_for(lambda: begun(study, "b"))
    pid = read_json(job(study, "b", seconds=60.0).folder / "state.json")["pid"]
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    wait_for(lambda: not is_alive(pid))


def test_a_driver_that_was_killed_takes_its_worker_with_it_and_the_next_repeats_nothing_finished(study) -> None:
    first = driver(study, 1.5)
    wait_for(lambda: begun(study, "b"))
    pid = read_json(job(study, "b", seconds=1.5).folder / "state.json")["pid"]
    first.kill()
    first.communicate(timeout=60)
    wait_for(lambda: not is_alive(pid))
    out, _ = driver(study, 1.5).communicate(timeout=60)
    assert out == "True 1\nFalse 2\n"
    assert (begun(study, "a"), begun(study, "b")) == (1, 2)


def begun(study, name: str) -> int:
    return len(list((study / "trace").glob(f"{name}.*.begun")))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"


def test_an_answer_tells_the_result_or_that_it_may_be_tried_again(study) -> None:
    line = json.dumps(job(study, "a", how="disk", until=2).plain())
    first, second = worker.answer(line), worker.answer(line)
    assert first["again"] == "OSError: stale file handle"
    assert second["result"]["state"] == "FINISHED"
