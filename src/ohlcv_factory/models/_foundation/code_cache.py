"""Codes of windows on disk, each under the digest of its bars: computed once, whatever fold or run asks again.

A file is one computation; the folder is named by everything else that decides the bits: checkpoint, context, block,
library, threads, machine. Deleting the folder costs time only.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ohlcv_factory.errors import DataError, FactoryError, FactoryWarning
from ohlcv_factory.storage.cache import CACHE_VARIABLE, cache_folder
from ohlcv_factory.storage.digests import value_digest
from ohlcv_factory.storage.formats import read_arrays, write_arrays

DIGEST_BYTES = 16
ROWS_PER_FILE = 4096


def window_digests(windows: np.ndarray) -> list[bytes]:
    """The digest of the bars of each window `(n, bars, columns)`."""
    flat = np.ascontiguousarray(windows, dtype=np.float32).reshape(len(windows), -1)
    return [hashlib.blake2b(row.tobytes(), digest_size=DIGEST_BYTES).digest() for row in flat]


class CodeCache:
    """Codes `(width,)` float32 by the digest of their window."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """`facts` is everything beside the bars that decides a code's bits."""
        self.facts = dict(facts)
        self.folder = cache_folder() / "codes" / value_digest(facts)[:32]
        self.known: dict[bytes, np.ndarray] | None = None
        self.new: dict[bytes, np.ndarray] = {}

    def find(self, digests: list[bytes]) -> list[np.ndarray | None]:
        """The code of each window, None for those that are not known."""
        if self.known is None:
            self.known = self._read()
        return [self.known.get(digest) for digest in digests]

    def add(self, digests: list[bytes], codes: np.ndarray) -> None:
        """Keep codes `(n, width)`; they reach the disk when there are many, or with `flush`."""
        fresh = dict(zip(digests, codes, strict=True))
        if self.known is not None:
            self.known |= fresh
        self.new |= fresh
        if len(self.new) >= ROWS_PER_FILE:
            self.flush()

    def flush(self) -> None:
        """Write what is new; a folder that cannot be written is warned of, once, and done without."""
        if not self.new:
            return
        digests, codes = np.frombuffer(b"".join(self.new), np.uint8), np.stack(list(self.new.values()))
        path = self.folder / f"{hashlib.blake2b(digests.tobytes(), digest_size=DIGEST_BYTES).hexdigest()}.npz"
        self.new = {}
        try:
            write_arrays(path, {"digests": digests.reshape(-1, DIGEST_BYTES), "codes": codes})
        except FactoryError as error:
            warnings.warn(
                f"codes are not kept: {error.what} Another {CACHE_VARIABLE} may help.", FactoryWarning, stacklevel=2
            )

    def _read(self) -> dict[bytes, np.ndarray]:
        known: dict[bytes, np.ndarray] = {}
        for path in sorted(self.folder.glob("*.npz")):
            try:
                stored = read_arrays(path)
                known |= {bytes(key): code for key, code in zip(stored["digests"], stored["codes"], strict=True)}
            except (DataError, KeyError, ValueError):  # a damaged file is computed again
                continue
        return known
