"""The three classes: their codes inside, their names for people, and the door where users' codes come in."""

from __future__ import annotations

import numpy as np

from ohlcv_factory.errors import DataError

SHORT, NEUTRAL, LONG = 0, 1, 2
CLASS_NAMES = ("short", "neutral", "long")
CLASS_COUNT = len(CLASS_NAMES)


def class_codes(labels: np.ndarray) -> np.ndarray:
    """int8 codes 0, 1, 2 from labels in a user's -1 / 0 / +1, or unchanged when they are 0 / 1 / 2 already.

    Labels that hold a -1 are read as -1 / 0 / +1. Anything else is refused with the values found (DataError, 65).
    """
    values = np.unique(np.asarray(labels))
    if np.isin(values, (0, 1, 2)).all():
        return np.asarray(labels).astype(np.int8)
    if np.isin(values, (-1, 0, 1)).all():
        return (np.asarray(labels) + 1).astype(np.int8)
    found = ", ".join(str(value) for value in values[:8])
    raise DataError(f"labels must be 0, 1, 2 or -1, 0, 1; found {found}.", help="0 short, 1 neutral, 2 long")


def class_words(codes: np.ndarray) -> np.ndarray:
    """short / neutral / long for codes 0 / 1 / 2."""
    words: np.ndarray = np.array(CLASS_NAMES)[codes]
    return words
