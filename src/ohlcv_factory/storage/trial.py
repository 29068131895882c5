"""Parsing what this machine did not write: first in a child process with limits, where a crash is one sentence.

Parsers of native code can be killed by damaged bytes, or loop, or ask for all memory; a digest says nothing where somebody
wrote file and manifest anew. So a folder whose manifest this account neither wrote on this machine nor has tried before is
read whole in a child. What the child survives, this process reads too, and takes note of the manifest.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import DataError, FactoryError, told_again
from ohlcv_factory.storage.cache import is_known, remember
from ohlcv_factory.storage.formats import read_array, read_arrays, read_json, read_settings, told_as_damage
from ohlcv_factory.storage.manifests import MANIFEST, Listed, listed_files, manifest_digest, read_manifest
from ohlcv_factory.storage.parquet import read_table

CPU_SECONDS, CPU_SECONDS_PER_MB = 3, 0.1
"""Processor time for all of a folder, imports left out, and more of it for larger folders."""
WALL_SECONDS = 60
"""Of the clock, beside the processor time: other processes may be at work."""
MEMORY_BYTES, MEMORY_PER_BYTE = 2 << 30, 20
"""Address space beyond that of the imports, and more of it for larger folders."""
LIBRARIES = {
    ".ubj": ("xgboost",),
    ".txt": ("lightgbm",),
    ".cbm": ("catboost",),
    ".skops": ("skops.io",),
    ".safetensors": ("torch", "safetensors.torch"),
}
"""What parses a model of a suffix: imported before the limits hold."""
PARSERS: dict[str, Callable[[Path], Any]] = {
    ".json": read_json,
    ".yaml": read_settings,
    ".npz": read_arrays,
    ".npy": read_array,
    ".parquet": read_table,
}


@dataclass(frozen=True)
class Trial:
    """What a child process is to read of a folder."""

    name: str | None = MANIFEST
    """The manifest; None where there is none yet, and only what the loader gives is read."""
    only: frozenset[str] | None = None
    """The files that are going to be read; None: all."""
    loader: str | None = None
    """`module:function` that gets the folder and `plugins`, and gives (file to be named, what reads it) for models."""
    plugins: tuple[str, ...] = ()
    """Files of the user's own that the loader needs."""


def try_foreign(folder: Path, trial: Trial) -> None:
    """`try_folder`, where this account neither wrote the manifest on this machine nor has tried it."""
    if trial.name is None or not is_known(manifest_digest(folder, trial.name)):
        try_folder(folder, trial)


def try_folder(folder: Path, trial: Trial) -> None:
    """Parse the files that a folder's manifest lists in a child process, and take note where all of them went well.

    Raises DataError (65) naming the file at which the child was killed or ran out of time, and what parsing raises.
    """
    megabytes = sum(each.size for each in _listed(folder, trial.name)) / 1e6
    cpu_seconds = CPU_SECONDS + CPU_SECONDS_PER_MB * megabytes
    request = {
        "folder": str(folder.absolute()),
        **asdict(trial),
        "only": None if trial.only is None else sorted(trial.only),
        "cpu_seconds": cpu_seconds,
        "bytes": int(MEMORY_BYTES + MEMORY_PER_BYTE * megabytes * 1e6),
    }
    _judge(folder, *_child(request, WALL_SECONDS + 4 * cpu_seconds))
    if trial.name is not None and trial.only is None:
        remember(folder, trial.name)


def main() -> None:
    """What the child does: a request as JSON on standard input, the file at work and the outcome on standard output."""
    request = json.loads(sys.stdin.read())
    folder = Path(request["folder"])
    try:
        listed, only = _listed(folder, request["name"]), request["only"]
        files = listed if only is None else tuple(each for each in listed if each.path in only)
        steps = [*_tables(folder, files), *_loaded(request, folder)]
        _import_libraries(files)
        _limit(request["cpu_seconds"], request["bytes"])
        for here, parse in steps:
            print(here, flush=True)
            with told_as_damage(folder / here):
                parse()
    except FactoryError as error:
        print(json.dumps(error.as_dict()), flush=True)
    else:
        print("{}", flush=True)


def _listed(folder: Path, name: str | None) -> tuple[Listed, ...]:
    return () if name is None else listed_files(read_manifest(folder, name))


def _child(request: Mapping[str, Any], seconds: float) -> tuple[int | None, list[str]]:
    """The exit code of the child, None where its time was over, and the lines that it wrote."""
    command = [sys.executable, "-c", "from ohlcv_factory.storage.trial import main; main()"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    try:
        said, _ = process.communicate(json.dumps(request), timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        return None, said.splitlines()
    return process.returncode, said.splitlines()


def _judge(folder: Path, code: int | None, lines: list[str]) -> None:
    """Raise what the child found, or how it ended."""
    if code == 0 and lines:
        found = json.loads(lines[-1])
        if found:
            raise told_again(found)
        return
    at_work = lines[-1] if lines else MANIFEST
    if code is None or code == -signal.SIGXCPU:
        how = "takes longer than such a file may"
    else:
        how = f"ends its process ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
    raise DataError(
        f"{at_work}: reading it {how}.",
        where=str(folder / at_work),
        help="the file is damaged, or made to do harm: do not use it",
    )


def _tables(folder: Path, files: Sequence[Listed]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every file that some command parses, with what parses it."""
    for each in files:
        if parse := PARSERS.get(each.suffix):
            yield each.path, partial(parse, folder / each.path)


def _loaded(request: Mapping[str, Any], folder: Path) -> list[tuple[str, Callable[[], Any]]]:
    if request["loader"] is None:
        return []
    module, _, function = request["loader"].partition(":")
    return list(getattr(importlib.import_module(module), function)(folder, request["plugins"]))


def _import_libraries(files: Sequence[Listed]) -> None:
    """Imports take time and memory that no limit is meant for; a package that is absent is told by whoever needs it."""
    names = {name for each in files for name in LIBRARIES.get(each.suffix, ()) if each.role == "model"}
    for name in sorted(names):
        with suppress(ImportError):
            importlib.import_module(name)


def _limit(cpu_seconds: float, more_bytes: int) -> None:
    """From now on so much processor time and so much more address space; no core file."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + cpu_seconds) + 1
    space = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (space + more_bytes, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
