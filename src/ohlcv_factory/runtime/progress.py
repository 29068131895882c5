"""Progress of long work: a bar on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
PER_CENT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} to go{postfix}"
"""The shape of a bar whose steps are hundredths of the work."""


class Meter(Protocol):
    """What long work reports to."""

    def update(self, steps: int = 1) -> Any: ...

    def set_postfix_str(self, words: str) -> Any: ...


class SilentMeter:
    """A meter that shows nothing."""

    def update(self, steps: int = 1) -> None:
        """Take note of `steps` and stay silent."""

    def set_postfix_str(self, words: str) -> None:
        """Keep the words to itself."""


@contextmanager
def meter(total: int, label: str, *, shape: str | None = None) -> Iterator[Meter]:
    """A progress bar of `total` steps on standard error when that is a terminal; silent otherwise.

    `shape` is what the line consists of (tqdm's `bar_format`), where steps are no pieces to count.
    """
    if not sys.stderr.isatty():
        yield SilentMeter()
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=label, file=sys.stderr, leave=False, bar_format=shape) as bar:
        yield bar


def track(items: Iterable[Item], label: str) -> Iterator[Item]:
    """Yield the items while a bar counts them."""
    listed = list(items)
    with meter(len(listed), label) as bar:
        for item in listed:
            yield item
            bar.update()
