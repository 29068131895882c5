"""A fitted thing of one of several kinds as a few numbers that JSON holds, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from ohlcv_factory.errors import DataError


class PlainState(ABC):
    """What says all of itself in `plain`: its kind and its numbers."""

    kind: str

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """JSON-ready state; its floats come back exactly."""

    @classmethod
    @abstractmethod
    def of_kind(cls, state: Mapping[str, Any]) -> Self:
        """Read back what `plain` of this kind wrote; a KeyError, TypeError or ValueError says that it is damaged."""


Kind = TypeVar("Kind", bound=PlainState)


def read_back(kinds: Mapping[str, type[Kind]], state: Mapping[str, Any], what: str) -> Kind:
    """What `plain` of one of `kinds` wrote. Raises DataError (65), which names `what`, for anything else."""
    try:
        kind = kinds.get(state.get("kind", ""))
        if kind is not None:
            return kind.of_kind(state)
    except (KeyError, TypeError, ValueError):
        pass
    raise DataError(
        f"{what} must hold a kind ({', '.join(kinds)}) and its numbers, got {str(dict(state))[:200]}.",
        help="the file is damaged, or of another version",
    )
