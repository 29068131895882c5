"""The processor and the system that a result was computed on: other ones may round otherwise."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")
DECIDING_FLAGS = ("sse4_2", "fma", "avx", "avx2", "avx512", "avx_vnni", "amx", "asimd", "sve")
"""Beginnings of the names of vector instructions, by which numerical libraries choose their code."""


def machine() -> dict[str, str | list[str]]:
    """Python, operating system, kind and name of the processor, and the vector instructions that it has."""
    facts = _cpu_facts()
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "os": _system_name(),
        "processor": platform.machine(),
        "cpu": facts.get("model name", platform.processor()),
        "cpu_flags": sorted(flag for flag in flags if flag.startswith(DECIDING_FLAGS)),
    }


def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    if not CPU_FACTS.is_file():
        return {}
    first = CPU_FACTS.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _system_name() -> str:
    """`Debian GNU/Linux 12 (bookworm)`, or what the system calls itself."""
    with suppress(OSError, KeyError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.platform(terse=True)
