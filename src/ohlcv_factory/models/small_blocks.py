"""The fewest rows of a prediction block that give the bytes of full blocks: what a live session computes one bar in.

Linear algebra takes other kernels for one row than for many, with other roundings, so predictions come in blocks of 256
rows. Most kernels sum alike from a few rows on; from how many, only trying on the machine at hand tells.
"""

from __future__ import annotations

import numpy as np

from ohlcv_factory.models.base import BaseModel

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
TRIED = 64
"""Rows that must have the same bytes: another order of a sum shows in about every second of their scores."""
SEED = 20_250_101


def fewest_rows(model: BaseModel) -> int:
    """Rows of the smallest block, a power of two, in which rows have the bytes that full blocks give them.

    The full block where its shape does not decide what is computed (`BaseModel.shape_decides`), or nothing smaller will do.
    """
    full = model.block_rows
    if not model.shape_decides or model.input_spec.padded or model.input_spec.needs_market:
        return full
    rows = _rows(model, full)
    expected = model.predict(rows).class_probabilities
    places = np.arange(0, full, max(1, full // TRIED))
    smaller = (size for size in SIZES if size < full and _alike(model, rows[places], expected[places], size))
    return next(smaller, full)


def _alike(model: BaseModel, rows: np.ndarray, expected: np.ndarray, size: int) -> bool:
    """Whether blocks of `size` rows give the same bytes, filled with real rows and each row alone in one."""
    first = model.predict(rows[:1], block_rows=size).class_probabilities
    if first.tobytes() != expected[:1].tobytes():
        return False
    return model.predict(rows, block_rows=size).class_probabilities.tobytes() == expected.tobytes()


def _rows(model: BaseModel, count: int) -> np.ndarray:
    """Random inputs of the model's shape."""
    shape = (model.lookback,) if model.requires_sequences else ()
    drawn = np.random.default_rng(SEED).standard_normal((count, *shape, len(model.feature_names)), dtype=np.float32)
    if model.symbols:
        drawn[..., -1] = 0.0  # the code of a symbol
    return drawn
