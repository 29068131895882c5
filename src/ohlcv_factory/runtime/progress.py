"""Progress of long work: a bar on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class Meter(Protocol):
    """What long work reports to."""

    def update(self, steps: int = 1) -> Any: ...


class SilentMeter:
    """A meter that shows nothing."""

    def update(self, steps: int = 1) -> None:
        """Take note of `steps` and stay silent."""


@contextmanager
def meter(total: int, label: str) -> Iterator[Meter]:
    """A progress bar of `total` steps on standard error when that is a terminal; silent otherwise."""
    if not sys.stderr.isatty():
        yield SilentMeter()
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=label, file=sys.stderr, leave=False) as bar:
        yield bar


def track(items: Iterable[Item], label: str) -> Iterator[Item]:
    """Yield the items while a bar counts them."""
    listed = list(items)
    with meter(len(listed), label) as bar:
        for item in listed:
            yield item
            bar.update()
