"""`doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit

MIN_FREE_GB = 1.0


def doctor(
    folder: Annotated[Path, typer.Option("--folder", help="Where runs are to be written.")] = Path("experiments"),
    as_json: options.AsJson = False,
) -> None:
    """Python, cores, memory, disk, models, trackers, and whether the output folder can be written; exit 1 on a problem."""
    facts = machine_facts(folder)
    lines = [f"{name}: {value}" for name, value in facts.items() if name != "problems"]
    lines += [f"problem: {problem}" for problem in facts["problems"]] or ["no problem found"]
    emit(facts, "\n".join(lines), as_json)
    if facts["problems"]:
        raise typer.Exit(1)


def machine_facts(folder: Path) -> dict[str, Any]:
    """Facts about this machine and the problems among them."""
    from ohlcv_factory import __version__
    from ohlcv_factory.models.device_report import device_report
    from ohlcv_factory.models.registry import ModelRegistry

    entries = ModelRegistry.entries().values()
    nearest_existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free_gb = shutil.disk_usage(nearest_existing).free / 1e9
    problems = [f"model {entry.name} lacks the extra {entry.extra}" for entry in entries if not entry.installed]
    if not os.access(nearest_existing, os.W_OK):
        problems.append(f"{folder} cannot be written")
    if free_gb < MIN_FREE_GB:
        problems.append(f"only {free_gb:.1f} GB free on the disk of {folder}")
    return {
        "version": __version__,
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.machine()}",
        **device_report().plain(),
        "disk_free_gb": round(free_gb, 1),
        "models": [entry.name for entry in entries if entry.installed],
        "trackers": trackers(),
        "problems": problems,
    }


def trackers() -> dict[str, str]:
    """Where runs can be shown: the version that is installed, or how to install it."""
    from ohlcv_factory.runtime.packages import DISTRIBUTION, package_versions
    from ohlcv_factory.training.tracking.tracker import SINKS, missing_packages

    found = {}
    for backend, (_, _, extra) in SINKS.items():
        versions = package_versions((backend, f"{backend}-skinny"))
        is_whole = versions and not missing_packages(backend)
        found[backend] = next(iter(versions.values())) if is_whole else f"pip install '{DISTRIBUTION}[{extra}]'"
    return found
