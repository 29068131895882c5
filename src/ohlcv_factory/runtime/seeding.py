"""One seed in, one independent seed per named component out."""

from __future__ import annotations

import hashlib

import numpy as np

from ohlcv_factory.errors import UsageError


def component_seed(seed: int, *names: str | int) -> int:
    """A 31-bit seed for one component (`"xgboost"`, `"chunk"`, 3) that no other component shares.

    The same seed and names give the same value on every machine; it never touches NumPy's global state.
    """
    words = hashlib.sha256("/".join(map(str, names)).encode()).digest()[:16]
    entropy = [seed, *np.frombuffer(words, dtype="<u4").tolist()]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] & 0x7FFFFFFF)


def component_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator of its own for one component."""
    return np.random.default_rng(component_seed(seed, *names))


def refuse_negative(seed: int) -> None:
    """Raise UsageError (2) for a seed below 0, which no generator takes."""
    if seed < 0:
        raise UsageError(f"seed: must be at least 0, got {seed}.", where="seed", help="any whole number from 0 on")
