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
    """Python, cores, memory, disk, installed models, and whether the output folder can be written; exit 1 on a problem."""
    facts = machine_facts(folder)
    lines = [f"{name}: {value}" for name, value in facts.items() if name != "problems"]
    lines += [f"problem: {problem}" for problem in facts["problems"]] or ["no problem found"]
    emit(facts, "\n".join(lines), as_json)
    if facts["problems"]:
        raise typer.Exit(1)


def machine_facts(folder: Path) -> dict[str, Any]:
    """Facts about this machine and the problems among them."""
    from ohlcv_factory import __version__
    from ohlcv_factory.models.registry import ModelRegistry
    from ohlcv_factory.runtime.memory import available_bytes
    from ohlcv_factory.runtime.threads import available_cores

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
        "cores": available_cores(),
        "memory_free_gb": round((available_bytes() or 0) / 1e9, 1),
        "disk_free_gb": round(free_gb, 1),
        "gpu": "found" if shutil.which("nvidia-smi") else "none",
        "torch": torch_facts(),
        "models": [entry.name for entry in entries if entry.installed],
        "problems": problems,
    }


def torch_facts() -> str:
    """torch, the devices that it sees, whether the CPU has AMX for bf16, and its threads."""
    from ohlcv_factory.runtime.packages import is_installed

    if not is_installed("torch"):
        return "not installed: pip install 'ohlcv-model-factory[neural]'"
    import torch

    from ohlcv_factory.models._torch.device import has_matrix_bf16

    cards = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    facts = {
        "cuda": ", ".join(cards) or "none",
        "mps": "yes" if torch.backends.mps.is_available() else "no",
        "bf16 on the CPU (AMX)": "yes" if has_matrix_bf16() else "no",
        "threads": torch.get_num_threads(),
    }
    return ", ".join([torch.__version__, *(f"{name}: {value}" for name, value in facts.items())])
