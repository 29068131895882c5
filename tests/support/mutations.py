"""Damage to the bytes of a file, drawn from a seed: what disks, copies and editors do."""

from __future__ import annotations

import numpy as np

KINDS = ("flip", "cut", "zero", "digits")


def damaged(content: bytes, kind: str, seed: int) -> bytes:
    """Bits flipped, the end cut off, a block of zeros, or a few digits changed; never the same bytes."""
    draw, changed = np.random.default_rng([seed, KINDS.index(kind)]), bytearray(content)
    if kind == "flip":
        for place in draw.integers(0, len(changed), size=int(draw.integers(1, 9))):
            changed[place] ^= 1 << int(draw.integers(0, 8))
    elif kind == "cut":
        del changed[int(draw.integers(0, len(changed))) :]
    elif kind == "zero":
        start = int(draw.integers(0, len(changed)))
        changed[start : start + 64] = bytes(len(changed[start : start + 64]))
    else:
        digits = [place for place, byte in enumerate(changed) if 48 <= byte <= 57]
        for place in draw.choice(digits, size=min(4, len(digits)), replace=False) if digits else ():
            changed[place] = 48 + (changed[place] - 47) % 10
    if bytes(changed) == content:
        changed[len(changed) // 2 : len(changed) // 2 + 1] = b"\xff\xff"
    return bytes(changed)
