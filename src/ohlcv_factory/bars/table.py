"""Columns as they came, before anything is known about them, with the row of every value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import polars as pl

from ohlcv_factory.errors import DataError

if TYPE_CHECKING:
    from ohlcv_factory.bars.dialect import Dialect

SHOWN = 3
"""How many of the bad rows, or of the files to choose from, a message lists."""


@dataclass(frozen=True)
class Table:
    """Columns as they came: `frame` has n rows, and `rows` `(n,)` int64 says where each of them stood in its source."""

    frame: pl.DataFrame
    rows: np.ndarray
    source: str
    digest: str | None
    """SHA-256 of the file; None for a frame."""
    is_text: bool
    dialect: Dialect | None = None
    notes: tuple[str, ...] = ()
    """What was assumed to get at the columns."""

    def refuse(self, bad: pl.Series, values: pl.Series, rule: str, help: str) -> None:
        """Raise DataError (65) when a value is marked `bad`: its column, row and text, and the next two."""
        found = np.flatnonzero(bad.to_numpy())
        if not len(found):
            return
        texts = [f"row {self.rows[position]}: {values[int(position)]!r}" for position in found[:SHOWN]]
        others = f"; likewise {', '.join(texts[1:])} ({len(found)} in all)" if len(found) > 1 else ""
        raise DataError(
            f"{values.name}, {texts[0]} {rule}{others}.", where=f"{self.source}:{self.rows[found[0]]}", help=help
        )

    def refuse_all(self, values: pl.Series, rule: str, help: str) -> NoReturn:
        """Raise DataError (65) about a column, with its first value as the example."""
        where = f"{self.source}:{self.rows[0]}"
        raise DataError(f"{values.name} {rule}: row {self.rows[0]}: {str(values[0])!r}.", where=where, help=help)


def refuse_repeated_names(names: Sequence[str], where: str, wanted: Callable[[str], bool]) -> None:
    """Raise DataError (65) when two columns of a name that is wanted have that name, as `folded_name` sees it."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names, start=1):
        places.setdefault(folded_name(name), []).append(place)
    for name, found in places.items():
        if len(found) > 1 and wanted(name):
            listed = ", ".join(map(str, found))
            raise DataError(
                f"column {name!r} twice or more (columns {listed}).",
                where=where,
                help="rename or remove one of them",
            )


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that are repeated: `MA`, `MA (2)`."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        folded = folded_name(name)
        seen[folded] = seen.get(folded, 0) + 1
        distinct.append(name if seen[folded] == 1 else f"{name} ({seen[folded]})")
    return distinct


def folded_name(name: str) -> str:
    """A column name without case, blanks and angle brackets."""
    return "".join(name.casefold().split()).strip("<>")
