"""A run knows the processor that it was computed on."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ohlcv_factory.runtime import hardware
from ohlcv_factory.runtime.packages import library_versions

CPU = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse sse4_2 fma avx avx2 avx512f avx512_bf16 amx_tile amx_bf16 rdrand

processor\t: 1
model name\t: another
"""


def test_the_first_processor_is_named_with_the_instructions_that_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(CPU)
    monkeypatch.setattr(hardware, "CPU_FACTS", tmp_path / "cpuinfo")
    facts = hardware.machine()
    assert facts["cpu"] == "Intel(R) Xeon(R) Platinum 8481C"
    assert facts["cpu_flags"] == ["amx_bf16", "amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "fma", "sse4_2"]
    assert facts["python"] == platform.python_version()


def test_where_the_system_says_nothing_of_its_processor_the_flags_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "CPU_FACTS", tmp_path / "absent")
    assert hardware.machine()["cpu_flags"] == []


def test_every_library_that_decides_numbers_is_recorded_by_its_own_name_and_tools_are_not() -> None:
    versions = library_versions()
    assert {"numpy", "scipy", "numba", "llvmlite", "polars", "TA-Lib", "scikit-learn"} <= versions.keys()
    assert not {"ruff", "mypy", "pytest", "hypothesis"} & versions.keys()
    import numpy

    assert versions["numpy"] == numpy.__version__


def test_a_fresh_process_records_the_threads_that_its_libraries_were_started_with() -> None:
    code = (
        "from ohlcv_factory.runtime.threads import set_threads; set_threads(1)\n"
        "import json; from ohlcv_factory.training.artifacts import machine_facts\n"
        "from ohlcv_factory.runtime.threads import declared_threads\n"
        "print(json.dumps({**machine_facts(), 'thread_environment': declared_threads()}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_bare())
    facts = json.loads(done.stdout)
    assert facts["threads"] == 1
    assert facts["thread_environment"] == {
        "MKL_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "OPENBLAS_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
    }
    assert {"cpu", "cpu_flags", "os", "python"} <= facts["machine"].keys()


def _bare() -> dict[str, str]:
    """An environment that says nothing of threads."""
    import os

    kept = {name: value for name, value in os.environ.items() if "THREADS" not in name and name != "OMP_WAIT_POLICY"}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
