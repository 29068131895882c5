"""What plugin files declare, forgotten again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def emptied(declared: dict[str, Any]) -> Iterator[None]:
    """Meanwhile a registry is empty; afterwards it is as before, and plugin files are read anew."""
    before, modules = dict(declared), set(sys.modules)
    declared.clear()
    try:
        yield
    finally:
        declared.clear()
        declared.update(before)
        for name in set(sys.modules) - modules:
            if name.startswith("ohlcv_plugin_"):
                del sys.modules[name]
