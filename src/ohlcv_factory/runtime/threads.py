"""Thread counts, set before the first native library is imported.

`OMP_WAIT_POLICY=PASSIVE` gives the same bytes and is up to 16 times faster where cores are shared
(`spec/platform.md` D6: LightGBM 43.0 s -> 2.7 s). BLAS gets one thread: its own pool knows no passive waiting, and on
21,000 x 118 a logistic regression took 1.2 s with one thread and 29 s with two on a shared machine.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from ohlcv_factory.errors import UsageError

COUNT_VARIABLES = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(threads: int | None = None) -> int:
    """Fix the number of threads of every native library, and return it; call it before they are imported.

    None keeps what the environment says, or takes all available cores.
    """
    if threads is not None and not 1 <= threads <= available_cores():
        raise UsageError(
            f"threads must be between 1 and {available_cores()}, got {threads}.", where="--threads", help="leave it out"
        )
    count = threads or thread_count()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in COUNT_VARIABLES:
        if threads is not None or name not in os.environ:
            os.environ[name] = str(count)
    for name in BLAS_VARIABLES:
        os.environ[name] = "1"
    return count


def thread_environment(threads: int) -> dict[str, str]:
    """What the environment of a process has to say from its start, so that every native library takes `threads`."""
    counts = dict.fromkeys(COUNT_VARIABLES, str(threads))
    return {"OMP_WAIT_POLICY": "PASSIVE", **counts, **dict.fromkeys(BLAS_VARIABLES, "1")}


def declared_threads() -> dict[str, str]:
    """What the environment of this process says of threads, by variable; those that it does not name are left out."""
    names = ("OMP_WAIT_POLICY", *COUNT_VARIABLES, *BLAS_VARIABLES)
    return {name: os.environ[name] for name in names if name in os.environ}


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread for a while, in a process that imported it before `set_threads` could speak."""
    limits: AbstractContextManager[object] = _native_pools(len(sys.modules)).limit(limits=1, user_api="blas")
    return limits


@lru_cache(maxsize=1)
def _native_pools(modules: int) -> Any:
    """The native libraries of the process; looked for again (4 ms) only where modules were imported since."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def thread_count() -> int:
    """The number of threads that models are to use in this process. Raises UsageError (2) where it is no number."""
    declared = os.environ.get("OMP_NUM_THREADS") or str(available_cores())
    outermost = declared.partition(",")[0].strip()  # OpenMP takes one number per level of nesting
    if not re.fullmatch(r"[1-9][0-9]*", outermost):
        raise UsageError(
            f"OMP_NUM_THREADS must be a whole number from 1, got {declared!r}.",
            where="OMP_NUM_THREADS",
            help="unset it",
        )
    return int(outermost)
