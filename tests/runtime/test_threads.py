"""One number of threads for every native library, from the flag, the environment or the machine, in this order."""

from __future__ import annotations

import os

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime import threads
from ohlcv_factory.runtime.threads import (
    COUNT_VARIABLES,
    available_cores,
    set_threads,
    thread_count,
    thread_environment,
)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four cores that says nothing about threads; what a test sets is taken back."""
    for name in (*COUNT_VARIABLES, "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(threads, "available_cores", lambda: 4)


def declared() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in COUNT_VARIABLES}


def test_the_flag_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert set_threads(2) == 2
    assert declared() == dict.fromkeys(COUNT_VARIABLES, "2")
    assert thread_count() == 2


def test_without_a_flag_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")
    assert set_threads() == 3
    assert declared() == {**dict.fromkeys(COUNT_VARIABLES, "3"), "POLARS_MAX_THREADS": "1"}


def test_without_either_all_cores_are_taken() -> None:
    assert thread_count() == 4
    assert set_threads() == 4
    assert declared() == dict.fromkeys(COUNT_VARIABLES, "4")


@pytest.mark.parametrize("said", [None, "ACTIVE"])
def test_threads_wait_passively_unless_told_otherwise(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if said:
        monkeypatch.setenv("OMP_WAIT_POLICY", said)
    set_threads(1)
    assert os.environ["OMP_WAIT_POLICY"] == (said or "PASSIVE")


@pytest.mark.parametrize("count", [0, -1, 5])
def test_a_number_that_the_machine_does_not_have_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"threads must be between 1 and 4, got {count}"):
        set_threads(count)
    assert declared() == dict.fromkeys(COUNT_VARIABLES)


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("3,2", 3), (" 2 ", 2), ("64", 64)])
def test_the_outermost_level_of_openmp_counts(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert thread_count() == count


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ","])
def test_an_environment_that_says_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(UsageError, match="OMP_NUM_THREADS must be a whole number from 1"):
        thread_count()


def test_this_process_may_use_some_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_a_process_gets_its_threads_from_its_environment() -> None:
    assert thread_environment(3) == {
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": "3",
        "NUMBA_NUM_THREADS": "3",
        "POLARS_MAX_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
