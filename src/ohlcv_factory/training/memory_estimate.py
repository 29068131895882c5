"""Memory that a fit takes, estimated before it starts."""

from __future__ import annotations

from typing import Any

from ohlcv_factory.models.base import BaseModel

BASE_GB = 0.35
"""Interpreter, NumPy, polars, numba and one model library."""
TORCH_GB = 0.35
"""What torch adds when it is loaded."""
BYTES_PER_VALUE = {"boosting": 4 + 4 + 1 + 8, "classical": 4 + 4 + 8 + 8}
"""Per feature value: the matrix, the fit's copy, the library's own form (bins, float64) and its working copy."""
UNKNOWN_FAMILY_BYTES = 32
"""For families of plugins: the matrix, the fit's copy and three copies in float64."""
TABLE_BYTES = 4 + 4 + 4
"""Per value of the table that windows look at: the dataset's, the scaled copy, and the tensor's."""


def estimate_memory_requirements(model: BaseModel, rows: int, n_features: int) -> dict[str, float]:
    """GB of main and GPU memory for a fit on `rows` rows of `n_features` features.

    A tabular family is counted by value; a network is asked itself, on torch's meta device, what one batch keeps.
    """
    if not model.requires_sequences:
        bytes_per_value = BYTES_PER_VALUE.get(model.family, UNKNOWN_FAMILY_BYTES)
        return {"gpu_memory_gb": 0.0, "cpu_memory_gb": BASE_GB + rows * n_features * bytes_per_value / 1e9}
    network: Any = model
    step = network.step_bytes(n_features) / 1e9
    table = rows * n_features * TABLE_BYTES / 1e9
    on_card = network.trains_on_card()
    base = BASE_GB + TORCH_GB + table
    return {"gpu_memory_gb": step + table / 3 if on_card else 0.0, "cpu_memory_gb": base if on_card else base + step}


def fitting_batch(model: BaseModel, rows: int, n_features: int, available_bytes: int | None) -> int:
    """The largest power of two of windows per step that leaves the fit within the free memory; 0 when none does."""
    network: Any = model
    free = (available_bytes or 0) - (BASE_GB + TORCH_GB) * 1e9 - rows * n_features * TABLE_BYTES
    one, two = (network.step_bytes(n_features, batch) for batch in (1, 2))
    most = int((free - one) / max(1, two - one)) + 1 if free > one else 0
    return 1 << (most.bit_length() - 1) if most > 0 else 0
