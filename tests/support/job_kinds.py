"""Kinds of jobs that the tests need, and how the worker processes come to know them.

Workers do functions of the package only. A `sitecustomize` on their search path adds these to the table before they start;
it lies in a folder of the test's own, so that no other process meets it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import DataError
from ohlcv_factory.studies.executor.job import JobSpec

KINDS = {"test": "job_kinds:run_test"}
SITE = """
import sys
sys.path.append({support!r})
from ohlcv_factory.studies.executor import job
job.KINDS.update({kinds!r})
"""


def teach_workers(monkeypatch: Any, folder: Path) -> None:
    """Let this process, and those that it starts, know the kind `test`."""
    from ohlcv_factory.studies.executor import job

    monkeypatch.setattr(job, "KINDS", {**job.KINDS, **KINDS})
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(support=str(Path(__file__).parent), kinds=KINDS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *sys.path]))


def job(study: Path, name: str = "a", **settings: Any) -> JobSpec:
    """A job that does what its settings say: `run_test` reads them."""
    needs = {key: settings.pop(key) for key in ("threads", "memory_gb") if key in settings}
    return JobSpec.made("test", config={"name": name, **settings}, study=str(study), **needs)


def run_test(spec: dict[str, Any]) -> dict[str, Any]:
    """Write a file, then die, fail or sleep as asked; `until` is the attempt from which on it goes well."""
    config, study = spec["config"], Path(spec["study"])
    trace = study / "trace" / f"{config['name']}.{os.getpid()}"
    trace.parent.mkdir(parents=True, exist_ok=True)
    attempts = len(list(trace.parent.glob(f"{config['name']}.*.begun"))) + 1
    Path(f"{trace}.{attempts}.begun").write_text(str(time.time()))
    print(f"printed by {config['name']}")
    if attempts < config.get("until", 1):
        _end_badly(config)
    time.sleep(config.get("seconds", 0))
    made = study / "made" / f"{config['name']}.txt"
    made.parent.mkdir(exist_ok=True)
    made.write_text(config["name"] * 3)
    Path(f"{trace}.{attempts}.ended").write_text(str(time.time()))
    libraries = {name for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_WAIT_POLICY") if name in os.environ}
    return {
        "values": {"name": config["name"], "environment": {name: os.environ[name] for name in sorted(libraries)}},
        "files": [f"made/{config['name']}.txt"],
        "trials": [{"run_id": config["name"], "model": "m", "horizon": 5, "config_digest": "c", "data_digest": "d"}],
    }


def _end_badly(config: dict[str, Any]) -> None:
    how = config["how"]
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    errors = {
        "refused": DataError("row 3 is odd.", where="bars.csv", help="mend it"),
        "disk": OSError("stale file handle"),
        "defect": ZeroDivisionError("a defect"),
        "memory": MemoryError("too much"),
    }
    raise errors[how]


def spans(study: Path) -> dict[str, tuple[float, float]]:
    """When each job began and ended, by name."""
    found = {}
    for ended in (study / "trace").glob("*.ended"):
        begun = ended.with_suffix(".begun")
        found[ended.name.partition(".")[0]] = (float(begun.read_text()), float(ended.read_text()))
    return found
