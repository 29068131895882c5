"""Row 15: how long a person waits for `--help` and `models list`, and whether a heavy library was imported for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from common import Bench, Line, factory_command, time_command

COMMANDS = (("--help",), ("models", "list"))
HEAVY = ("torch", "pandas", "sklearn", "xgboost", "lightgbm", "catboost", "matplotlib")


def lines(bench: Bench) -> list[Line]:
    """The lines of this row."""
    found = []
    for arguments in COMMANDS:
        timing = replace(time_command([*factory_command(), *arguments]), facts={"imported": heavy_imports(arguments)})
        work = f"ohlcv-factory {' '.join(arguments)} (heavy imports: {', '.join(timing.facts['imported']) or 'none'})"
        found.append(Line(15, work, timing, "<= 0.35 s, no heavy import"))
    return found


def heavy_imports(arguments: tuple[str, ...]) -> list[str]:
    """Which of HEAVY the command imports."""
    program = (
        "import sys; from ohlcv_factory.cli.app import invoke\n"
        f"try: invoke({list(arguments)!r})\n"
        f"finally: print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr.split()
