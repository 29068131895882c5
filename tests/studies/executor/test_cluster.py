"""The Ray executor: what it hands to Ray, what it makes of Ray's answers, and the same bytes as the local one.

The first tests need no Ray: a stand-in runs the tasks in this process. The slow ones start a real head, and a head with a
worker node on the loopback of a network namespace of their own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from job_kinds import job, spans
from small_study import small_study

from ohlcv_factory.errors import AccessError, MissingExtraError, UsageError
from ohlcv_factory.runtime import packages
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.executor import cluster
from ohlcv_factory.studies.executor.cluster import RayExecutor, refuse_silence, task, task_options
from ohlcv_factory.studies.executor.local import LocalExecutor
from ohlcv_factory.studies.executor.protocol import open_executor, run_jobs


class CrashedError(Exception):
    """What Ray raises for a worker that died once too often."""


class RefusedError(Exception):
    """What Ray raises for another token."""


class StandIn:
    """The few functions of Ray that the executor calls; a task runs at once, in this process."""

    def __init__(self, fails: set[str] = frozenset(), refusal: Exception | None = None) -> None:
        self.fails, self.refusal = fails, refusal
        self.options: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.init_arguments: dict[str, Any] = {}
        self.is_shut_down = False
        self.cancelled: list[Any] = []
        self.exceptions = SimpleNamespace(AuthenticationError=RefusedError)

    def init(self, **arguments: Any) -> None:
        self.init_arguments = arguments
        if self.refusal:
            raise self.refusal

    def remote(self, function: Any) -> Any:
        def with_options(**options: Any) -> Any:
            self.options.append(options)
            return SimpleNamespace(remote=lambda text: (function, text))

        return SimpleNamespace(options=with_options)

    def wait(self, references: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        self.most_at_once = max(self.most_at_once, len(references))
        return references[:1], references[1:]

    def get(self, reference: Any) -> str:
        function, text = reference
        if json.loads(text)["config"]["name"] in self.fails:
            raise CrashedError("the worker died unexpectedly.\nmore lines")
        return function(text)

    def cancel(self, reference: Any) -> None:
        self.cancelled.append(reference)

    def shutdown(self) -> None:
        self.is_shut_down = True


@pytest.fixture
def ray(monkeypatch):
    """`ray(fails={"a"})` puts a stand-in in the place of Ray."""
    monkeypatch.setattr(os, "environ", os.environ.copy())

    def stand_in(**how: Any) -> StandIn:
        made = StandIn(**how)
        monkeypatch.setattr(cluster, "import_extra", lambda module, extra: made)
        monkeypatch.setattr(cluster, "refuse_silence", lambda address: None)
        return made

    return stand_in


def test_ray_is_told_cores_memory_retries_and_threads_of_a_job(study) -> None:
    spec = job(study, threads=2, memory_gb=1.5)
    assert task_options(spec) == {
        "name": f"test {spec.id}",
        "num_cpus": 2,
        "memory": 1_500_000_000,
        "max_retries": 2,
        "retry_exceptions": [OSError],
        "runtime_env": {
            "env_vars": {
                "OMP_WAIT_POLICY": "PASSIVE",
                "OMP_NUM_THREADS": "2",
                "NUMBA_NUM_THREADS": "2",
                "POLARS_MAX_THREADS": "2",
                "OPENBLAS_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
            }
        },
    }


def test_a_task_takes_one_text_and_gives_one_and_lets_an_oserror_through_for_ray(study) -> None:
    answer = json.loads(task(json.dumps(job(study).plain())))
    assert (answer["state"], answer["values"]["name"]) == ("FINISHED", "a")
    with pytest.raises(OSError, match="stale file handle"):
        task(json.dumps(job(study, "b", how="disk", until=2).plain()))


def test_results_come_in_the_order_of_the_jobs_and_a_lost_worker_is_one_failed_job(ray, study) -> None:
    stand_in = ray(fails={"b"})
    specs = [job(study, name) for name in "abc"]
    with RayExecutor(workers=2, address="10.0.0.1:6379") as executor:
        results = run_jobs(executor, specs)
    assert [result.state for result in results] == ["FINISHED", "FAILED", "FINISHED"]
    assert results[1].error["what"] == "CrashedError after 3 attempts: the worker died unexpectedly."
    assert stand_in.most_at_once == 2
    assert stand_in.is_shut_down


def test_every_connection_has_a_token_and_a_head_of_ones_own_stays_on_loopback(ray, monkeypatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    stand_in = ray()
    with RayExecutor(address="10.0.0.1:6379"):
        assert stand_in.init_arguments["address"] == "10.0.0.1:6379"
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert "RAY_AUTH_TOKEN" not in os.environ
    with RayExecutor(workers=1):
        assert (stand_in.init_arguments["address"], stand_in.init_arguments["num_cpus"]) == ("local", 1)
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"


def test_what_runs_when_the_block_ends_is_cancelled(ray, study) -> None:
    stand_in = ray()
    with pytest.raises(KeyboardInterrupt), RayExecutor(address="10.0.0.1:6379") as executor:
        executor.submit(job(study))
        executor._start()
        raise KeyboardInterrupt
    assert len(stand_in.cancelled) == 1
    assert stand_in.is_shut_down


@pytest.mark.parametrize(
    ("refusal", "error", "words"),
    [
        (
            RefusedError("no token. Ensure that\nlong advice"),
            AccessError,
            r"does not take this client in: no token\.\n",
        ),
        (ConnectionError("Failed to connect"), AccessError, r"does not take this client in: Failed to connect\.\n"),
        (RuntimeError("no raylet here"), UsageError, r"no Ray cluster can be used here: no raylet here\.\n"),
    ],
)
def test_a_cluster_that_refuses_is_told_in_words(ray, refusal, error, words) -> None:
    ray(refusal=refusal)
    with pytest.raises(error, match=words), RayExecutor(address="10.0.0.1:6379"):
        pass


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "nobody listens at 127.0.0.1:1: .*refused"),
        ("somewhere", "an address is HOST:PORT, got 'somewhere'"),
        ("10.0.0.1:port", "an address is HOST:PORT"),
        ("127.0.0.1:99999", "nobody listens at 127.0.0.1:99999"),
    ],
)
def test_an_address_where_nobody_listens_is_refused_at_once(address, words) -> None:
    with pytest.raises(UsageError, match=words):
        refuse_silence(address)


def test_without_ray_the_error_names_the_extra(monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(packages, "is_installed", lambda module: False)
    with pytest.raises(MissingExtraError) as caught, open_executor("ray", workers=1):
        pass
    assert caught.value.exit_code == 69
    assert "ohlcv-model-factory[cluster]" in caught.value.help


def test_a_head_here_has_no_more_cores_than_the_machine() -> None:
    with pytest.raises(UsageError, match="workers x threads must be between 1 and the"):
        RayExecutor(workers=10_000)


without_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra cluster)")
without_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="a network namespace needs root and iproute2"
)
DRIVER = """
import json, sys
from pathlib import Path
from ohlcv_factory.studies.executor.job import JobSpec
from ohlcv_factory.studies.executor.cluster import RayExecutor
from ohlcv_factory.studies.executor.protocol import run_jobs

specs = [JobSpec.from_plain(values) for values in json.loads(Path(sys.argv[2]).read_text())]
with RayExecutor(address=sys.argv[1] or None, workers=int(sys.argv[3]) or None) as executor:
    print("connected", flush=True)
    results = run_jobs(executor, specs)
print(json.dumps([[result.state, result.attempts, result.error] for result in results]))
"""


def drive(specs, folder: Path, *, address: str = "", workers: int = 0, prefix: tuple[str, ...] = ()) -> Any:
    """A driver in a process of its own: Ray keeps token and threads for the life of a process."""
    jobs = folder / "jobs.json"
    jobs.write_text(json.dumps([spec.plain() for spec in specs]))
    command = [*prefix, sys.executable, "-c", DRIVER, address, str(jobs), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(driver: Any) -> list[list[Any]]:
    out, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def result_bytes(specs) -> list[bytes]:
    return [(spec.folder / "result.json").read_bytes() for spec in specs]


@pytest.fixture
def trained_here(tmp_path):
    """Jobs that train, their results by the local executor, and the same jobs for another study folder."""
    specs = small_study(tmp_path / "data", tmp_path / "local")
    with LocalExecutor(1) as executor:
        assert {result.state for result in run_jobs(executor, specs)} == {"FINISHED"}
    return result_bytes(specs), [spec.model_copy(update={"study": str(tmp_path / "ray")}) for spec in specs]


@without_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_head_that_is_started_here_gives_the_bytes_of_the_local_executor(trained_here, tmp_path) -> None:
    expected, specs = trained_here
    assert [state for state, *_ in answers(drive(specs, tmp_path, workers=2))] == ["FINISHED"] * len(specs)
    assert result_bytes(specs) == expected


@pytest.fixture
def two_nodes(tmp_path, monkeypatch):
    """Head and worker node of one core each, in a network namespace with nothing but loopback."""
    name = f"ohlcv_{secrets.token_hex(4)}"
    inside = ("ip", "netns", "exec", name)
    for variable, value in (("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", secrets.token_hex(32))):
        monkeypatch.setenv(variable, value)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        start_node(inside, "--head", "--node-ip-address=127.0.0.1", "--port=6379", "--include-dashboard=false")
        before = processes(name)
        start_node(inside, "--address=127.0.0.1:6379")
        (node,) = (pid for pid in processes(name) - before if command_of(pid).endswith("/raylet/raylet"))
        yield SimpleNamespace(name=name, inside=inside, address="127.0.0.1:6379", raylet=node)
    finally:
        for pid in processes(name):
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "delete", name], check=True)


def start_node(inside: tuple[str, ...], *arguments: str) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    command = [*inside, ray, "start", "--num-cpus=1", "--disable-usage-stats", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def processes(name: str) -> set[int]:
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True)
    return set(map(int, listed.stdout.split()))


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()


@without_ray
@without_namespaces
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_head_and_a_worker_node_give_the_bytes_of_the_local_executor(two_nodes, trained_here, tmp_path) -> None:
    expected, specs = trained_here
    driver = drive(specs, tmp_path, address=two_nodes.address, prefix=two_nodes.inside)
    assert [state for state, *_ in answers(driver)] == ["FINISHED"] * len(specs)
    assert result_bytes(specs) == expected


@without_ray
@without_namespaces
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_that_is_killed_in_the_middle_costs_nothing_but_time(two_nodes, study, tmp_path) -> None:
    specs = [job(study, f"job{number}", seconds=1.0) for number in range(12)]
    driver = drive(specs, tmp_path, address=two_nodes.address, prefix=two_nodes.inside)
    wait_for(lambda: len(spans(study)) >= 3 and at_work(study) & children(two_nodes.raylet))
    for pid in {two_nodes.raylet, *children(two_nodes.raylet)}:  # a machine takes all its processes with it
        os.kill(pid, signal.SIGKILL)
    found = answers(driver)
    assert [state for state, *_ in found] == ["FINISHED"] * 12
    assert sorted(attempts for _, attempts, _ in found) == [1] * 11 + [2]
    other = [job(tmp_path / "local", f"job{number}", seconds=0.0) for number in range(12)]
    with LocalExecutor(1) as executor:
        here = run_jobs(executor, other)
    assert [read_json(spec.folder / "result.json")["values"] for spec in specs] == [result.values for result in here]


def at_work(study: Path) -> set[int]:
    """The processes that have begun a job and not ended it."""
    begun = {path.stem for path in (study / "trace").glob("*.begun")}
    ended = {path.stem for path in (study / "trace").glob("*.ended")}
    return {int(name.split(".")[1]) for name in begun - ended}


def children(pid: int) -> set[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return set(map(int, listed.split()))


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@without_ray
@without_namespaces
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_client_with_another_token_is_refused(two_nodes, study, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    driver = drive([job(study)], tmp_path, address=two_nodes.address, prefix=two_nodes.inside)
    _, err = driver.communicate(timeout=240)
    assert driver.returncode != 0
    assert "AccessError" in err
