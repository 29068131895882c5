"""The table that an ensemble reads: three probability columns per member, then named context columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.labels.classes import CLASS_NAMES

ROUNDING = 1e-3
"""How far the three probabilities of a member may miss 1 in float32 columns."""


def member_columns(member: str) -> tuple[str, ...]:
    """Names of a member's columns: `lstm.short`, `lstm.neutral`, `lstm.long`."""
    return tuple(f"{member}.{name}" for name in CLASS_NAMES)


def table_columns(members: Iterable[str], context: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of all columns of a table, in their order."""
    return (*(name for member in members for name in member_columns(member)), *context)


def members_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The members whose probabilities some columns hold, in the order of the columns.

    Raises UsageError (2) where there are none, as in plain arrays, or where one lacks a class.
    """
    found = dict.fromkeys(name.rpartition(".")[0] for name in columns if name.rpartition(".")[2] in CLASS_NAMES)
    missing = [name for member in found for name in member_columns(member) if name not in columns]
    if missing or not found:
        raise UsageError(
            f"an ensemble reads three probabilities of each member by name, got the columns {list(columns)[:6]}.",
            where=missing[0] if missing else "X",
            help=f"give Samples with columns such as {', '.join(member_columns('lstm'))}",
        )
    return tuple(found)


def member_probabilities(X: np.ndarray, columns: Sequence[str], members: Sequence[str]) -> np.ndarray:
    """`(n, members, 3)` float64 of a table `(n, len(columns))`."""
    places = [[columns.index(name) for name in member_columns(member)] for member in members]
    return np.asarray(X, dtype=np.float64)[:, places]


def context_values(X: np.ndarray, columns: Sequence[str], context: Sequence[str]) -> np.ndarray:
    """`(n, len(context))` of a table. Raises DataError (65) that names a context column which it lacks."""
    missing = [name for name in context if name not in columns]
    if missing:
        raise DataError(f"the table lacks the context column {missing[0]!r}.", help="give the columns of the config")
    return np.asarray(X)[:, [columns.index(name) for name in context]]


def refuse_other_columns(columns: Sequence[str], members: Sequence[str], context: Sequence[str], model: str) -> None:
    """Raise DataError (65) that names a column which the model would not read."""
    extra = [name for name in columns if name not in table_columns(members, context)]
    if extra:
        raise DataError(f"model {model!r} would not read the column {extra[0]!r}.", help="leave it out")


def refuse_other_than_probabilities(probabilities: np.ndarray, members: Sequence[str]) -> None:
    """Raise DataError (65) with the first row and member whose three numbers are no probabilities; `(n, members, 3)`."""
    wrong = (probabilities < 0).any(axis=2) | (np.abs(probabilities.sum(axis=2) - 1) > ROUNDING)
    if wrong.any():
        row, place = np.argwhere(wrong)[0].tolist()
        raise DataError(
            f"{members[place]!r}, row {row}: {probabilities[row, place].tolist()} are no probabilities.",
            help="three numbers of at least 0 that sum to 1",
        )
